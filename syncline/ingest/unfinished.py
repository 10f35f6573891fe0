"""Windows that are open although they were tried: what holds them up, for people to see."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection

from syncline.ledger.database import text


@dataclass(frozen=True, slots=True)
class UnfinishedWindow:
    """A window that is not read to its end.

    Attributes:
        first: its first day of creation.
        last: its last one.
        refused: whether HighLevel refuses to show some of it.
        failures: readings in a row that came to no end.
        note: what happened at the last one.
        since: since when it is to be read.
        moved_at: when a page of it was read last, or since when it is to be read.
        due_at: when it is tried again.
    """

    connection_id: int
    kind: str
    first: date
    last: date
    refused: bool
    failures: int
    note: str | None
    since: datetime
    moved_at: datetime
    due_at: datetime

    @property
    def what(self) -> str:
        """What happened to it."""
        return self.note or "no worker that has begun it has come to its end"

    @property
    def days(self) -> str:
        """Its days, as people write them."""
        return f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"

    def at_once(self, connection: str) -> str:
        """The command that has it tried again now, by the connection's name."""
        days = f"--since {self.first} --until {self.last}"
        return f"syncline enqueue pull-{self.kind}s --connection {connection} {days}"


def unfinished(
    connection: Connection, ids: Collection[int], *, untried: bool = False
) -> list[UnfinishedWindow]:
    """Windows of these connections that were begun or failed, the oldest first.

    Args:
        connection: the transaction.
        ids: the connections.
        untried: whether those that nobody has tried yet are meant too.
    """
    found = connection.execute(
        text(
            """
            select connection_id, kind, first, last, refused, failures, note, started_at, moved_at,
                   due_at
            from pull
            where connection_id = any(:ids) and state = 'running'
              and (refused or failures > 0 or owner is not null or :untried)
            order by connection_id, kind, started_at, id
            """
        ),
        {"ids": sorted(ids), "untried": untried},
    )
    return [UnfinishedWindow(*row) for row in found]
