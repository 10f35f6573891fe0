"""Reading what comes from outside: nonsense in a field is left out, and the rest is read.

Only a field that a model requires, or marks as `Indispensable`, spoils what it stands in: then that
is left out in turn, and if it is the whole, nobody can read it. What was left out is told by its
path, and noted where somebody collects that.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Annotated, Any, NamedTuple, TypeVar, get_args

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic.fields import FieldInfo

from syncline.errors import Unreadable


class _Mark:
    """Marks a field without which what it stands in means something else."""


T = TypeVar("T")
INDISPENSABLE = _Mark()
Indispensable = Annotated[T, INDISPENSABLE]
"""A field that may be absent; if it is nonsense, what it stands in cannot be read."""

Model = TypeVar("Model", bound=BaseModel)
_Location = tuple[int | str, ...]
_MOST_REASONS = 5
_LONGEST_VALUE = 60


class LeftOut(NamedTuple):
    """A field of a record that was left out, since it was nonsense.

    Attributes:
        side: whose record it is: `highlevel` or `halo`.
        kind: what kind of record it is.
        path: where it stands; `[]` is any element of an array.
        record_id: the record.
    """

    side: str
    kind: str
    path: str
    record_id: str


_noted: ContextVar[list[LeftOut] | None] = ContextVar("_noted", default=None)


@contextmanager
def noting() -> Iterator[list[LeftOut]]:
    """Collect what is noted meanwhile, by this thread."""
    found: list[LeftOut] = []
    before = _noted.set(found)
    try:
        yield found
    finally:
        _noted.reset(before)


def note(side: str, kind: str, paths: Sequence[str], record_id: str) -> None:
    """Note what was left out of a record, for whoever collects it; else it is nobody's."""
    found = _noted.get()
    if found is not None:
        found += [LeftOut(side, kind, path, record_id) for path in paths]


def read(
    model: type[Model], payload: Any, what: str, remedy: str = ""
) -> tuple[Model, tuple[str, ...]]:
    """What a payload says, and the paths of the fields that were left out.

    Only a payload with nonsense in it is looked at twice.

    Args:
        model: what it shall be.
        payload: parsed JSON.
        what: what it is, for the error: `The order o1`.
        remedy: what to do about it, for the error.

    Raises:
        Unreadable: something indispensable is nonsense.
    """
    left_out: dict[str, None] = {}
    rest = payload
    while True:
        try:
            return model.model_validate(rest), tuple(left_out)
        except ValidationError as error:
            spoiled = _spoiled(model, error)
        hopeless = [why for location, why in spoiled if location is None]
        if hopeless:
            why = "; ".join(hopeless[:_MOST_REASONS])
            raise Unreadable(f"{what} cannot be read: {why}.", remedy=remedy) from None
        gone = [location for location, _ in spoiled if location is not None]
        left_out.update(dict.fromkeys(map(_path, gone)))
        rest = _without(rest, gone)


def worded(value: object) -> object:
    """A text that stands in an object as its `value` or `name`, where it has only one of them."""
    if not isinstance(value, dict):
        return value
    said = [one for name in ("value", "name") if isinstance(one := value.get(name), str)]
    return said[0] if len(said) == 1 else value


def as_it_came(value: object) -> object:
    """A text, also out of an object; of what is none the beginning of it as JSON."""
    found = worded(value)
    if found is None or isinstance(found, str) or type(found) in (int, float):
        return found
    whole = json.dumps(found, separators=(",", ":"), ensure_ascii=False, default=str)
    return whole[:_LONGEST_VALUE]


def _spoiled(model: type[BaseModel], error: ValidationError) -> list[tuple[_Location | None, str]]:
    """The smallest thing that each error spoils, None where it is the whole; and why.

    What is said tells no value: that may be personal.
    """
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        (_smallest(model, one["loc"]), f"{_path(one['loc']) or 'the whole'}: {one['msg']}")
        for one in errors
    ]


def _smallest(model: type[BaseModel], location: _Location) -> _Location | None:
    """The smallest thing around an error that may be left out; None where there is none."""
    found: _Location | None = None
    inner: type[BaseModel] | None = model
    for at, part in enumerate(location, 1):
        if isinstance(part, int):
            # An element goes alone only where its whole array might go.
            found = location[:at] if found == location[: at - 1] else found
            continue
        field = None if inner is None else _fields(inner).get(part)
        if field is None:
            break
        if not field.is_required() and INDISPENSABLE not in field.metadata:
            found = location[:at]
        inner = _model_in(field)
    return found


@cache
def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a model by every name that they may have in a payload."""
    found: dict[str, FieldInfo] = {}
    for name, field in model.model_fields.items():
        aliases = field.validation_alias
        choices = aliases.choices if isinstance(aliases, AliasChoices) else [aliases]
        found |= {one: field for one in (name, field.alias, *choices) if isinstance(one, str)}
    return found


def _model_in(field: FieldInfo) -> type[BaseModel] | None:
    """The model that a field is one of, or has elements of."""
    return _model_of(field.annotation)


def _model_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((one for part in get_args(annotation) if (one := _model_of(part))), None)


def _without(payload: Any, gone: Iterable[_Location]) -> Any:
    """A payload without what stands at these locations; the rest is not copied."""
    inside: dict[int | str, list[_Location]] = {}
    for location in gone:
        inside.setdefault(location[0], []).append(location[1:])

    def kept(key: int | str, value: Any) -> Any:
        return _without(value, inside[key]) if key in inside else value

    if isinstance(payload, list):
        return [kept(at, one) for at, one in enumerate(payload) if () not in inside.get(at, ())]
    return {key: kept(key, one) for key, one in payload.items() if () not in inside.get(key, ())}


def _path(location: _Location) -> str:
    text = ""
    for part in location:
        text += "[]" if isinstance(part, int) else f".{part}" if text else part
    return text
