"""The chains of seals: their heads, and how far these were anchored outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from syncline.ledger.connections import Link


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain stood at a moment: so many entries, and the head after them."""

    chain: str
    position: int
    head: str
    at: datetime


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


def to_anchor(connection: Connection, every: timedelta) -> list[Head]:
    """Heads that moved since they were anchored, no chain more often than this.

    One process anchors at a time, until the transaction ends; the others find nothing to do.
    """
    lock = "select pg_try_advisory_xact_lock(hashtextextended('audit/anchor', 0))"
    if not connection.execute(text(lock)).scalar_one():
        return []
    found = connection.execute(
        text(
            """
            select name, length, encode(head, 'hex'), clock_timestamp() from chain
            where length > anchored_length
              and (anchored_at is null
                   or anchored_at < clock_timestamp() - cast(:every as interval))
            order by name
            """
        ),
        {"every": every},
    )
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
