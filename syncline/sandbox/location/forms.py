"""The forms of single values: HighLevel's amounts, times and ids, and e-mail addresses to compare.

Ids are drawn from a seeded chance.
"""

from __future__ import annotations

import random
import string
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

MINOR_DIGITS = {"JPY": 0, "KWD": 3}
"""Digits behind the point where they are not two."""

_ALPHANUMERIC = string.ascii_letters + string.digits


def digits_of(currency: str) -> int:
    """How many digits behind the point an amount in this currency has."""
    return MINOR_DIGITS.get(currency, 2)


def stamp(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and Z, as HighLevel writes every time."""
    return (
        moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
    )


def number(value: Decimal) -> Decimal | int:
    """The number as JavaScript would print it: no trailing zeros, no fraction if there is none."""
    return int(value) if value == value.to_integral_value() else value.normalize()


def object_id(rng: random.Random, created: datetime) -> str:
    """A Mongo ObjectId: 24 hex digits of which the first eight are the time of creation."""
    return f"{int(created.timestamp()):08x}{rng.getrandbits(64):016x}"


def alphanumeric(rng: random.Random) -> str:
    """Twenty letters and digits, the form of the ids of contacts and locations."""
    return "".join(rng.choices(_ALPHANUMERIC, k=20))


def uuid4_text(rng: random.Random) -> str:
    """A UUID of version 4 as text, the form of a traceId."""
    digits = f"{rng.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) % 4]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def normalised(email: str | None) -> str | None:
    """An address in the one form that is compared; None for what is no address."""
    text = unicodedata.normalize("NFC", (email or "").strip()).casefold()
    name, _, domain = text.partition("@")
    return text if name and domain and "@" not in domain else None


def by_email(contacts: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The first contact of every address."""
    found: dict[str, Mapping[str, Any]] = {}
    for contact in contacts:
        email = normalised(contact.get("email"))
        if email is not None:
            found.setdefault(email, contact)
    return found
