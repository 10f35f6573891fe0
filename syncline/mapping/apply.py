"""A record and the rows of its mapping → the fields of Halo's row, and how they are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

from jmespath.exceptions import JMESPathError

from syncline.errors import Unmappable
from syncline.mapping.paths import Read
from syncline.mapping.shapes import CUSTOM, FieldType
from syncline.mapping.transforms import Step, run_steps
from syncline.mapping.values import (
    Context,
    as_bool,
    as_money,
    as_number,
    as_text,
    as_time,
    is_missing,
)
from syncline.money import decimal

Owner = Literal["highlevel", "halo"]


@dataclass(frozen=True, slots=True)
class MappingRow:
    """One compiled row of a mapping document.

    Attributes:
        target: the field of Halo's row; a custom field starts with `customfields.`.
        type: what the value must be.
        owner: whose value counts. Halo's own fields are set once, at the create.
        required: whether a record without a value is parked.
        reads: where the value comes from; several give a list.
        steps: the transforms, in order.
        sources: the paths of `reads` as they are written.
        transforms: the transforms as they are written, in words.
    """

    target: str
    type: FieldType
    owner: Owner
    required: bool
    reads: tuple[Read, ...]
    steps: tuple[Step, ...]
    sources: tuple[str, ...] = ()
    transforms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mapped:
    """The fields of a body.

    Attributes:
        always: fields that HighLevel owns, written at the create and at every update.
        at_create: fields that Halo owns, given a first value at the create.
    """

    always: dict[str, Any]
    at_create: dict[str, Any]


def apply(
    rows: Iterable[MappingRow], record: Mapping[str, Any], currency: str | None = None
) -> Mapped:
    """Render a record's mapped fields.

    Args:
        rows: the rows of one target.
        record: the canonical form.
        currency: ISO 4217, for money.

    Raises:
        Unmappable: naming the field that cannot be rendered.
    """
    mapped = Mapped({}, {})
    for row in rows:
        value = value_of(row, record, currency)
        # Halo merges what is posted: a text that has gone must be emptied, not left out.
        if value is None and row.type == "text" and row.owner == "highlevel":
            value = ""
        if value is not None:
            _put(mapped.always if row.owner == "highlevel" else mapped.at_create, row, value)
    return mapped


def read(row: MappingRow, record: Mapping[str, Any]) -> list[Any]:
    """What a row's sources read from a record, in their order; None for what is not there.

    Raises:
        Unmappable: if an expression does not fit the record.
    """
    try:
        return [one(record) for one in row.reads]
    except JMESPathError as error:
        raise Unmappable(
            f"{row.target} cannot be read from this record: {error}.",
            field=row.target,
            remedy="Correct the source in the mapping, then retry.",
        ) from None


def value_of(row: MappingRow, record: Mapping[str, Any], currency: str | None) -> Any:
    """What a row makes of a record; None where the record has nothing for it.

    Raises:
        Unmappable: if it cannot be rendered, or is required and missing.
    """
    context = Context(row.target, currency)
    found = read(row, record)
    value = run_steps(row.steps, found if len(found) > 1 else next(iter(found), None), context)
    if not is_missing(value):
        return _TYPED[row.type](value, context)
    if row.required:
        raise _missing(row)
    return None


def values_of(rows: Iterable[MappingRow], target: str, record: Mapping[str, Any]) -> list[str]:
    """All texts that the row of a target makes of a record, where it may make several.

    Raises:
        Unmappable: if it cannot be rendered, or is required and missing.
    """
    row = next((one for one in rows if one.target == target), None)
    if row is None:
        return []
    context = Context(row.target)
    found = read(row, record)
    value = run_steps(row.steps, found if len(found) > 1 else next(iter(found), None), context)
    many = value if isinstance(value, list) else [value]
    texts = [as_text(one, row.target).strip() for one in many if not is_missing(one)]
    if row.required and not any(texts):
        raise _missing(row)
    return [text for text in texts if text]


def projected(
    rows: Iterable[MappingRow], halo: Mapping[str, Any], *, whole: bool = False
) -> dict[str, str]:
    """The owned fields that a body or Halo's row has, normalised for comparison.

    What tells nothing is left out: null is how Halo prints what it has not loaded, the first year
    how it prints no time, and nonsense says neither that it holds our value nor that it does not.

    Args:
        rows: the rows of one target.
        halo: a body, or Halo's row.
        whole: whether the row was read by its id, so that all of it is loaded: then a text that is
            null is empty. One that the row does not have at all is left out all the same.
    """
    found = {}
    for row in rows:
        if row.owner != "highlevel":
            continue
        value = _get(halo, row.target)
        if value is None and whole and row.type == "text":
            value = ""
        text = None if value is _ABSENT else _normal(row.type, value)
        if text is not None:
            found[row.target] = text
    return found


def _missing(row: MappingRow) -> Unmappable:
    return Unmappable(
        f"{row.target} is required, and the record has nothing for it.",
        field=row.target,
        remedy="Fill it in where the record was made, or add a default to the mapping.",
    )


_ABSENT: Final = object()
"""In place of what a row does not have, not even as null."""

_NO_YEAR: Final = 1900
"""Years up to this one stand for no time at all."""

_MOST_DIGITS: Final = 40
"""Beyond this no amount is meant, and 1E+999999999 would be a gigabyte of zeros."""


_TYPED: Final[Mapping[FieldType, Callable[[Any, Context], Any]]] = {
    "text": lambda value, context: as_text(value, context.field),
    "number": as_number,
    "money": as_money,
    "date": lambda value, to: as_time(value, to.field).strftime("%Y-%m-%dT%H:%M:%SZ"),
    "bool": as_bool,
}


def _put(body: dict[str, Any], row: MappingRow, value: Any) -> None:
    if row.target.startswith(CUSTOM):
        name = row.target.removeprefix(CUSTOM)
        body.setdefault("customfields", []).append({"name": name, "value": value})
    else:
        body[row.target] = value


def _get(halo: Mapping[str, Any], target: str) -> Any:
    if not target.startswith(CUSTOM):
        return halo.get(target, _ABSENT)
    name = target.removeprefix(CUSTOM)
    fields = halo.get("customfields")
    for field in fields if isinstance(fields, list) else []:
        if isinstance(field, Mapping) and field.get("name") == name:
            return field.get("value", _ABSENT)
    return _ABSENT


def _normal(kind: FieldType, value: Any) -> str | None:
    """Equal values give equal text, however the two sides write them; None for what is none."""
    if value is None:
        return None
    try:
        if kind in {"number", "money"}:
            return plain(decimal(value, kind))
        if kind == "date":
            at = as_time(value, kind)
            return None if at.year <= _NO_YEAR else at.strftime("%Y-%m-%dT%H:%M:%SZ")
        if kind == "bool":
            return as_text(as_bool(value, Context(kind)), kind)
        return " ".join(as_text(value, kind).split())
    except Unmappable:
        return None


def plain(number: Decimal) -> str:
    """Digits without exponent and without trailing zeros: 10.50 → 10.5, 1E+3 → 1000."""
    if number.adjusted() > _MOST_DIGITS:
        return str(number)
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text
