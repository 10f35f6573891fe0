"""Fields that were nonsense and so left out of records: counted by where they stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from syncline import jsontext
from syncline.ledger.database import text
from syncline.leniency import LeftOut


@dataclass(frozen=True, slots=True)
class LeftOutField:
    """A field that was left out of records of a kind.

    Attributes:
        side: whose records these are: `highlevel` or `halo`.
        kind: of the records.
        path: where it stands; `[]` is any element of an array.
        count: how many readings it was left out of. Of HighLevel, what is read again unchanged
            counts once; of Halo, every reading does.
        example: the id of the record that it was left out of last.
        first_at: when it was left out first.
        last_at: and last.
    """

    side: str
    kind: str
    path: str
    count: int
    example: str
    first_at: datetime
    last_at: datetime


def count(connection: Connection, connection_id: int, found: Sequence[LeftOut]) -> None:
    """Count what was left out; nothing is written where that is nothing."""
    if not found:
        return
    many: dict[tuple[str, str, str], tuple[int, str]] = {}
    for one in found:
        before, _ = many.get(one[:3], (0, ""))
        many[one[:3]] = (before + 1, one.record_id)
    rows = [
        {"side": side, "kind": kind, "path": path, "count": times, "example": example}
        for (side, kind, path), (times, example) in sorted(many.items())
    ]
    connection.execute(
        text(
            """
            insert into left_out (connection_id, side, kind, path, count, example)
            select :connection_id, side, kind, path, count, example
            from jsonb_to_recordset(cast(:rows as jsonb)) as row
                 (side text, kind text, path text, count bigint, example text)
            on conflict (connection_id, side, kind, path) do update
            set count = left_out.count + excluded.count, example = excluded.example,
                last_at = clock_timestamp()
            """
        ),
        {"connection_id": connection_id, "rows": jsontext.dumps(rows).decode()},
    )


def counted(connection: Connection, connection_id: int) -> list[LeftOutField]:
    """What was left out of the records of a connection, the latest first."""
    found = connection.execute(
        text(
            """
            select side, kind, path, count, example, first_at, last_at from left_out
            where connection_id = :connection_id order by last_at desc, side, kind, path
            """
        ),
        {"connection_id": connection_id},
    )
    return [LeftOutField(*row) for row in found]
