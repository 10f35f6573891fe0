"""Halo's rows as a running reconciliation reads them, kept until it has ended."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import Connection

from syncline import jsontext
from syncline.ledger.database import text


@dataclass(frozen=True, slots=True)
class RowRead:
    """A row of Halo with what is compared of it; without our reference, an id alone."""

    id: int
    reference: str
    currency: str
    projection: Mapping[str, str] | None


def keep(connection: Connection, run_id: int, kind: str, rows: Iterable[RowRead]) -> int:
    """Keep rows of one kind; one that was read before is replaced. Returns how many came."""
    connection.execute(
        text(
            """
            create temp table if not exists read_now
                (id bigint, reference text, currency text, projection jsonb) on commit drop
            """
        )
    )
    connection.execute(text("truncate read_now"))
    many = 0
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy("copy read_now from stdin") as copy:
        for row in rows:
            shown = None if row.projection is None else Jsonb(row.projection, dumps=jsontext.dumps)
            copy.write_row((row.id, row.reference, row.currency, shown))
            many += 1
    connection.execute(
        text(
            """
            insert into reconciliation_row (run_id, kind, id, reference, currency, projection)
            select distinct on (id) :run, :kind, id, reference, currency, projection from read_now
            on conflict (run_id, kind, id) do update
            set reference = excluded.reference, currency = excluded.currency,
                projection = excluded.projection
            """
        ),
        {"run": run_id, "kind": kind},
    )
    return many


def drop(connection: Connection, run_id: int, kind: str, ids: Collection[int] | None) -> None:
    """Forget rows of a kind: those that are not there any more, or all of them (None)."""
    connection.execute(
        text(
            """
            delete from reconciliation_row
            where run_id = :run and kind = :kind
              and (cast(:ids as bigint[]) is null or id = any(:ids))
            """
        ),
        {"run": run_id, "kind": kind, "ids": None if ids is None else sorted(ids)},
    )


def nameless(connection: Connection, run_id: int, kind: str) -> int:
    """How many rows of a kind were kept, where not one of them shows a reference of ours."""
    row = connection.execute(
        text(
            """
            select count(*) as every, count(*) filter (where reference <> '') as named
            from reconciliation_row where run_id = :run and kind = :kind
            """
        ),
        {"run": run_id, "kind": kind},
    ).one()
    return 0 if row.named else int(row.every)


def ids_of(connection: Connection, run_id: int, kind: str) -> list[int]:
    """The ids of the rows of a kind that were kept."""
    found = connection.execute(
        text("select id from reconciliation_row where run_id = :run and kind = :kind"),
        {"run": run_id, "kind": kind},
    )
    return list(found.scalars())


def counted(connection: Connection, run_id: int) -> dict[str, int]:
    """How many rows of each kind are kept; a crash of PostgreSQL takes them all."""
    found = connection.execute(
        text(
            """
            select kind, count(*) as many from reconciliation_row
            where run_id = :run group by kind
            """
        ),
        {"run": run_id},
    )
    return {row.kind: row.many for row in found}


def currencies(
    connection: Connection, run_id: int, kind: str, ids: Collection[int]
) -> dict[int, str]:
    """The currencies of rows that were kept, by id."""
    found = connection.execute(
        text(
            """
            select id, currency from reconciliation_row
            where run_id = :run and kind = :kind and id = any(:ids)
            """
        ),
        {"run": run_id, "kind": kind, "ids": sorted(ids)},
    )
    return {row.id: row.currency for row in found}
