"""Ids in HighLevel's forms, drawn from a seeded chance."""

from __future__ import annotations

import random
import string
from datetime import datetime

_ALPHANUMERIC = string.ascii_letters + string.digits


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
