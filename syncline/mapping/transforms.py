"""The named transforms of a mapping document: each turns one read value into another.

A row names one (`transform = "upper"`), one with arguments
(`transform = { use = "join", with = ", " }`), or a list of them that run in order. A value that
the record does not have passes by every transform except `const`, `default`, `first` and `join`.
Of a list, every transform but these takes each value by itself.
"""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from typing_extensions import override

from syncline.errors import Unmappable
from syncline.mapping.values import Context, as_money, as_text, as_time, is_missing

__all__ = [
    "OF_SEVERAL",
    "TRANSFORMS",
    "BadTransformError",
    "Context",
    "Scalar",
    "Step",
    "Tables",
    "Transform",
    "compile_steps",
    "in_words",
    "names_of",
    "run_steps",
]

Scalar = str | int | bool | Decimal
Tables = Mapping[str, Mapping[str, Scalar]]


Step = Callable[[Any, Context], Any]

_LONGEST_PATTERN = 300
_LONGEST_TEXT = 20_000
"""Characters that `find` looks at: somebody's note may be a book, and a pattern slow."""
_MOST_FOUND = 100


class BadTransformError(ValueError):
    """A transform that does not exist, or whose arguments are wrong."""


class Transform(BaseModel):
    """A transform with its arguments as the document gives them."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @abstractmethod
    def step(self, tables: Tables) -> Step:
        """The function to run.

        Raises:
            BadTransformError: if it names a table that the document does not have.
        """


class Const(Transform):
    """Always the same value, whatever the record says.

    >>> run({"use": "const", "value": "HighLevel"}, None)
    'HighLevel'
    """

    value: Scalar

    @override
    def step(self, tables: Tables) -> Step:
        return lambda _value, _context: self.value


class Default(Transform):
    """Another value where the record has none.

    >>> run({"use": "default", "value": "unknown"}, None)
    'unknown'
    >>> run({"use": "default", "value": "unknown"}, "paid")
    'paid'
    """

    value: Scalar

    @override
    def step(self, tables: Tables) -> Step:
        return lambda value, _context: self.value if is_missing(value) else value


class Text(Transform):
    """The value as text, with words before and after it.

    >>> run({"use": "text", "before": "Coupon ", "after": "."}, "SUMMER")
    'Coupon SUMMER.'
    >>> run("text", True)
    'true'
    """

    before: str = ""
    after: str = ""

    @override
    def step(self, tables: Tables) -> Step:
        return _present(lambda value, to: f"{self.before}{as_text(value, to.field)}{self.after}")


class Upper(Transform):
    """Text in upper case.

    >>> run("upper", "paid")
    'PAID'
    """

    @override
    def step(self, tables: Tables) -> Step:
        return _present(lambda value, to: as_text(value, to.field).upper())


class Lower(Transform):
    """Text in lower case.

    >>> run("lower", "PAID")
    'paid'
    """

    @override
    def step(self, tables: Tables) -> Step:
        return _present(lambda value, to: as_text(value, to.field).lower())


class AsMoney(Transform):
    """An exact amount in the record's currency, with that currency's digits.

    >>> run("money", "12.5", currency="USD")
    Decimal('12.50')
    >>> run("money", "1200", currency="JPY")
    Decimal('1200')
    """

    @override
    def step(self, tables: Tables) -> Step:
        return _present(as_money)


class Date(Transform):
    """A date and time in UTC, written as the format says, else as ISO 8601.

    >>> run("date", "2026-03-01T09:30:00.000+02:00")
    '2026-03-01T07:30:00Z'
    >>> run({"use": "date", "format": "%d.%m.%Y"}, "2026-03-01T09:30:00Z")
    '01.03.2026'
    """

    format: str = "%Y-%m-%dT%H:%M:%SZ"

    @override
    def step(self, tables: Tables) -> Step:
        return _present(lambda value, to: as_time(value, to.field).strftime(self.format))


class Join(Transform):
    """Several values as one text; those that the record does not have are left out.

    >>> run({"use": "join", "with": " / "}, ["paid", None, "funnel"])
    'paid / funnel'
    >>> run({"use": "join", "with": "; ", "labels": ["Status", "Coupon"]}, ["paid", "SUMMER"])
    'Status: paid; Coupon: SUMMER'
    """

    between: str = Field(default=", ", alias="with")
    labels: list[str] | None = None

    @override
    def step(self, tables: Tables) -> Step:
        return self._join

    def _join(self, value: Any, context: Context) -> str | None:
        values = value if isinstance(value, list) else [value]
        labels = self.labels or []
        parts = [
            (f"{labels[at]}: " if at < len(labels) else "") + as_text(one, context.field)
            for at, one in enumerate(values)
            if not is_missing(one)
        ]
        return self.between.join(parts) or None


class First(Transform):
    """The first of several values that the record has.

    >>> run("first", [None, "", "2026-03-01T09:30:00Z"])
    '2026-03-01T09:30:00Z'
    """

    @override
    def step(self, tables: Tables) -> Step:
        return self._first

    @staticmethod
    def _first(value: Any, _context: Context) -> Any:
        values = value if isinstance(value, list) else [value]
        return next((one for one in values if not is_missing(one)), None)


class Find(Transform):
    r"""What a regular expression finds in a text: its one group, once for each match.

    >>> run({"use": "find", "pattern": "Tracking: (\\S+)"}, "Tracking: 1Z1\nTracking: 1Z2")
    ['1Z1', '1Z2']
    >>> run({"use": "find", "pattern": "Tracking: (\\S+)"}, "left at the door")
    []
    """

    pattern: str = Field(max_length=_LONGEST_PATTERN)

    @override
    def step(self, tables: Tables) -> Step:
        try:
            pattern = re.compile(self.pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise BadTransformError(f"find, pattern: no regular expression: {error}") from None
        if pattern.groups != 1:
            raise BadTransformError(
                f"find, pattern: needs one group in ( ), and has {pattern.groups}; "
                "write (?: ) around what only belongs together"
            )

        def found(value: Any, context: Context) -> list[str]:
            text = as_text(value, context.field)[:_LONGEST_TEXT]
            return [one for one in pattern.findall(text) if one][:_MOST_FOUND]

        return _present(found)


class Lookup(Transform):
    """The value that a table of the document gives for this one.

    >>> run({"use": "lookup", "table": "words"}, "completed")
    'Paid'
    >>> run({"use": "lookup", "table": "words", "otherwise": "Open"}, "pending")
    'Open'
    """

    table: str
    otherwise: Scalar | None = None

    @override
    def step(self, tables: Tables) -> Step:
        if self.table not in tables:
            raise BadTransformError(f"there is no [tables.{self.table}] in this document")
        rows = tables[self.table]

        def look_up(value: Any, context: Context) -> Scalar:
            found = rows.get(as_text(value, context.field), self.otherwise)
            if found is None:
                raise Unmappable(
                    f"{context.field}: the table {self.table} has no row for {value!r}.",
                    field=context.field,
                    remedy=f"Add a row to [tables.{self.table}] of the mapping, then retry.",
                )
            return found

        return _present(look_up)


TRANSFORMS: Final[Mapping[str, type[Transform]]] = {
    "const": Const,
    "date": Date,
    "default": Default,
    "find": Find,
    "first": First,
    "join": Join,
    "lookup": Lookup,
    "lower": Lower,
    "money": AsMoney,
    "text": Text,
    "upper": Upper,
}
"""Name in the document → transform."""

OF_SEVERAL: Final = ("first", "join")
"""The transforms that make one value of several."""


def names_of(written: Any) -> list[str]:
    """The names of the transforms that a row writes, in order."""
    many = written if isinstance(written, list) else [written]
    return [str(one.get("use", "")) if isinstance(one, Mapping) else str(one) for one in many]


def in_words(written: Any) -> tuple[str, ...]:
    """What a row writes under `transform`, in words: `join, with ", "`."""
    many = written if isinstance(written, list) else [written]
    return tuple(
        ", ".join([name, *(f"{key} {_said(value)}" for key, value in _arguments(one).items())])
        for name, one in zip(names_of(written), many, strict=True)
    )


def compile_steps(written: Any, tables: Tables) -> tuple[Step, ...]:
    """The functions for what a row writes under `transform`.

    Raises:
        BadTransformError: naming the transform and what is wrong with it.
    """
    many = written if isinstance(written, list) else [written]
    return tuple(
        _compile(name, one, tables) for name, one in zip(names_of(written), many, strict=True)
    )


def _compile(name: str, written: Any, tables: Tables) -> Step:
    if name not in TRANSFORMS:
        raise BadTransformError(f"there is no transform {name!r}, only {', '.join(TRANSFORMS)}")
    try:
        transform = TRANSFORMS[name].model_validate(_arguments(written))
    except ValidationError as error:
        first = error.errors()[0]
        argument = ".".join(map(str, first["loc"][:1]))
        raise BadTransformError(f"transform {name!r}, {argument}: {first['msg']}") from None
    return transform.step(tables)


def _arguments(written: Any) -> dict[str, Any]:
    given = written.items() if isinstance(written, Mapping) else ()
    return {key: value for key, value in given if key != "use"}


def _said(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_said(one) for one in value)}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else as_text(value, "")


def run_steps(steps: Iterable[Step], value: Any, context: Context) -> Any:
    """Run a row's transforms in order.

    Raises:
        Unmappable: from any of them, naming the field.
    """
    for step in steps:
        value = step(value, context)
    return value


def _present(step: Step) -> Step:
    def present(value: Any, context: Context) -> Any:
        if is_missing(value):
            return None
        if not isinstance(value, list):
            return step(value, context)
        each = [step(one, context) for one in value if not is_missing(one)]
        return [one for many in each for one in (many if isinstance(many, list) else [many])]

    return present
