"""What a value of a record is read as: text, an amount, a number, a time, yes or no."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from syncline.errors import Unmappable
from syncline.money import Money, decimal


@dataclass(frozen=True, slots=True)
class Context:
    """What a transform may know beside its value.

    Attributes:
        field: the target, for error messages.
        currency: ISO 4217, None where the record has none.
    """

    field: str
    currency: str | None = None


def is_missing(value: Any) -> bool:
    """Whether the record has nothing there: null, an empty text or an empty list."""
    return value is None or value in ("", [])


def as_text(value: Any, field: str) -> str:
    """A plain value as text.

    Raises:
        Unmappable: if it is a list or an object.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | list):
        raise Unmappable(f"{field} reads a whole {type(value).__name__}, not text.", field=field)
    return str(value)


def as_money(value: Any, context: Context) -> Decimal:
    """An exact amount in the record's currency.

    Raises:
        Unmappable: if it is none, or the record has no currency.
    """
    if context.currency is None:
        raise Unmappable(f"{context.field} has no currency.", field=context.field)
    return Money.of(value, context.currency, context.field).amount


def as_number(value: Any, context: Context) -> Decimal:
    """A finite number.

    Raises:
        Unmappable: if it is none.
    """
    return decimal(value, context.field)


def as_time(value: Any, field: str) -> datetime:
    """A point in time, in UTC; without a zone it means UTC.

    Raises:
        Unmappable: if it is none.
    """
    try:
        moment = datetime.fromisoformat(as_text(value, field))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unmappable(f"{field} is {value!r}, not a date.", field=field) from None


def as_bool(value: Any, context: Context) -> bool:
    """Yes or no, from a JSON boolean or its text.

    Raises:
        Unmappable: if it is neither.
    """
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    found = words.get(as_text(value, context.field).strip().lower())
    if found is None:
        raise Unmappable(f"{context.field} is {value!r}, not yes or no.", field=context.field)
    return found
