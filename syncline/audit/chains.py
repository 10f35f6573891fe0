"""The chains of seals: their heads, and how far these were anchored outside."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from syncline.errors import Refused
from syncline.ledger.connections import Link
from syncline.ledger.database import text

SHORT = 32
"""Hexadecimal digits of a head where people read it: nobody finds a chain with the same ones."""

_LEAST = 16
"""Digits that a person must give of a head at least."""

_TOLD = re.compile(rf"([a-z]+:\d+):(\d+):([0-9a-f]{{{_LEAST},64}})")


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain stood at a moment: so many entries, and the head after them.

    Attributes:
        head: hexadecimal; of one that a person gives, only how it begins.
        at: None where nobody says.
    """

    chain: str
    position: int
    head: str
    at: datetime | None

    def __str__(self) -> str:
        return f"{self.chain}:{self.position}:{self.head[:SHORT]}"


def expected(text: str) -> list[Head]:
    """The heads of a text as people copy it: chain, length and how the head begins, by colons.

    Raises:
        Refused: it is no such text.
    """
    found = [_TOLD.fullmatch(word) for word in text.strip().lower().split()]
    heads = [Head(one[1], int(one[2]), one[3], None) for one in found if one is not None]
    if not found or len(heads) < len(found):
        raise Refused(
            f"{text!r:.80} is no head of a chain.",
            remedy=f"Give CHAIN:LENGTH:HEAD, as connection:1:1204:3f9a…, with at least {_LEAST} "
            "digits of the head; several stand apart by spaces.",
        )
    return heads


def heads(connection: Connection) -> list[Head]:
    """The heads of all chains, now."""
    found = connection.execute(
        text(
            """
            select name, length, encode(head, 'hex'), clock_timestamp() from chain order by name
            """
        )
    )
    return [Head(*row) for row in found]


_TO_BE_ANCHORED = """
    length > anchored_length and (
        anchored_at is null or anchored_at < clock_timestamp() - cast(:every as interval))
"""

_MOVED = (
    "select name, length, encode(head, 'hex'), clock_timestamp() from chain"  # noqa: S608 - our own text
    f" where {_TO_BE_ANCHORED} order by name"
)


def is_to_be_anchored(connection: Connection, every: timedelta) -> bool:
    """Whether `to_anchor` would find something."""
    statement = f"select exists (select from chain where {_TO_BE_ANCHORED})"  # noqa: S608 - our own text
    return bool(connection.execute(text(statement), {"every": every}).scalar_one())


def to_anchor(connection: Connection, every: timedelta) -> list[Head]:
    """Heads that moved since they were anchored, no chain more often than this.

    One process anchors at a time, until the transaction ends; the others find nothing to do.
    """
    lock = "select pg_try_advisory_xact_lock(hashtextextended('audit/anchor', 0))"
    if not connection.execute(text(lock)).scalar_one():
        return []
    found = connection.execute(text(_MOVED), {"every": every})
    return [Head(*row) for row in found]


def anchored(connection: Connection, written: Sequence[Head]) -> None:
    """Note that these heads stand outside."""
    connection.execute(
        text(
            """
            update chain set anchored_length = given.length, anchored_at = clock_timestamp()
            from unnest(cast(:names as text[]), cast(:lengths as bigint[])) as given (name, length)
            where chain.name = given.name
            """
        ),
        {
            "names": [one.chain for one in written],
            "lengths": [one.position for one in written],
        },
    )


def of_link(link: Link) -> tuple[str, str, str]:
    """The chains of a connection: of its effects, its location's and its tenant's changes."""
    return f"connection:{link.id}", link.location_place, link.tenant_place
