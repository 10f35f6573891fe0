"""Records and their facets: read and written a page at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from syncline import jsontext
from syncline.fingerprint import fingerprint
from syncline.ledger.database import text


@dataclass(frozen=True, slots=True)
class FacetRow:
    """One shape of a record as it was just read."""

    foreign_id: str
    payload: Mapping[str, Any]
    fingerprint: bytes
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as the ledger holds it, with the facets it was merged from."""

    foreign_id: str
    version: int
    canonical: dict[str, Any]
    fingerprint: bytes
    updated_at: datetime | None
    facets: dict[str, tuple[datetime | None, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A record's next canonical form; `fields` maps a changed field to [before, after]."""

    foreign_id: str
    version: int
    canonical: Mapping[str, Any]
    fingerprint: bytes
    created_at: datetime | None
    updated_at: datetime | None
    fields: Mapping[str, Any]


def lock(connection: Connection, place: str, kind: str) -> datetime:
    """One writer of a place's records of a kind at a time, until the transaction ends.

    Returns:
        The database's time.
    """
    found = connection.execute(
        text("select pg_advisory_xact_lock(hashtextextended(:name, 0)), clock_timestamp() as now"),
        {"name": f"{place}/{kind}"},
    )
    now: datetime = found.one().now
    return now


def fingerprints(
    connection: Connection, place: str, kind: str, facet: str, ids: Sequence[str]
) -> dict[str, bytes]:
    """The stored fingerprints of one facet of many records."""
    found = connection.execute(
        text(
            """
            select foreign_id, fingerprint from facet
            where place = :place and kind = :kind and facet = :facet and foreign_id = any(:ids)
            """
        ),
        {"place": place, "kind": kind, "facet": facet, "ids": list(ids)},
    )
    return {row.foreign_id: bytes(row.fingerprint) for row in found}


def load(
    connection: Connection, place: str, kind: str, ids: Sequence[str]
) -> dict[str, StoredRecord]:
    """Records with all their facets, by foreign id."""
    parameters = {"place": place, "kind": kind, "ids": list(ids)}
    stored = {
        row.foreign_id: StoredRecord(
            row.foreign_id, row.version, row.canonical, bytes(row.fingerprint), row.updated_at, {}
        )
        for row in connection.execute(
            text(
                """
                select foreign_id, version, canonical, fingerprint, updated_at from record
                where place = :place and kind = :kind and foreign_id = any(:ids)
                """
            ),
            parameters,
        )
    }
    for row in connection.execute(
        text(
            """
            select foreign_id, facet, updated_at, payload from facet
            where place = :place and kind = :kind and foreign_id = any(:ids)
            """
        ),
        parameters,
    ):
        if row.foreign_id in stored:
            stored[row.foreign_id].facets[row.facet] = (row.updated_at, row.payload)
    return stored


def versions(connection: Connection, place: str, kind: str, ids: Sequence[str]) -> dict[str, int]:
    """The versions of those records that there are, by foreign id."""
    if not ids:
        return {}
    found = connection.execute(
        text(
            """
            select foreign_id, version from record
            where place = :place and kind = :kind and foreign_id = any(:ids)
            """
        ),
        {"place": place, "kind": kind, "ids": list(ids)},
    )
    return {row.foreign_id: row.version for row in found}


def created(connection: Connection, place: str, kind: str, first: datetime, last: datetime) -> int:
    """How many records were created between these moments, both included."""
    many: int = connection.execute(
        text(
            """
            select count(*) from record
            where place = :place and kind = :kind and created_at between :first and :last
            """
        ),
        {"place": place, "kind": kind, "first": first, "last": last},
    ).scalar_one()
    return many


def currencies(connection: Connection, place: str, first: date, last: date) -> set[str]:
    """The currencies of what was created in these days, both included, by UTC."""
    found = connection.execute(
        text(
            """
            select distinct canonical ->> 'currency' from record
            where place = :place and kind = any(array['order', 'transaction', 'subscription'])
              and created_at >= :first and created_at < :until
              and canonical ->> 'currency' is not null
            """
        ),
        {"place": place, "first": first, "until": last + timedelta(days=1)},
    )
    return set(found.scalars())


def page(
    connection: Connection, place: str, kind: str, after: str, most: int
) -> list[tuple[str, int, dict[str, Any]]]:
    """(foreign id, version, canonical form) of the next records after an id, in order of ids."""
    found = connection.execute(
        text(
            """
            select foreign_id, version, canonical from record
            where place = :place and kind = :kind and foreign_id > :after
            order by foreign_id limit :most
            """
        ),
        {"place": place, "kind": kind, "after": after, "most": most},
    )
    return [(row.foreign_id, row.version, row.canonical) for row in found]


def sent_in_part(connection: Connection, place: str, within: timedelta, most: int) -> list[str]:
    """Ids of orders of which something was sent and more may follow, the last changed first."""
    found = connection.execute(
        text(
            """
            select foreign_id from record
            where place = :place and kind = 'order'
              and canonical ->> 'fulfillment_status' not in ('unfulfilled', 'fulfilled')
              and changed_at > clock_timestamp() - cast(:within as interval)
            order by changed_at desc limit :most
            """
        ),
        {"place": place, "within": within, "most": most},
    )
    return list(found.scalars())


def canonical(
    connection: Connection, wanted: Sequence[tuple[str, str, str]]
) -> dict[tuple[str, str, str], tuple[int, dict[str, Any]]]:
    """(version, canonical form) by (place, kind, foreign id), for rendering a batch.

    The form of a record whose personal data was erased says so in `erased`.
    """
    found = connection.execute(
        text(
            """
            select w.place, w.kind, w.foreign_id, r.version,
                   case when r.erased_at is null then r.canonical
                        else r.canonical || jsonb_build_object('erased', r.erased_at)
                   end as canonical
            from jsonb_to_recordset(cast(:rows as jsonb))
                 as w (place text, kind text, foreign_id text)
            cross join lateral (
                select version, canonical, erased_at from record
                where place = w.place and kind = w.kind and foreign_id = w.foreign_id
                limit 1  -- each by its key, also while a new table seems to be worth a whole read
            ) r
            """
        ),
        {
            "rows": jsontext.dumps(
                [
                    {"place": place, "kind": kind, "foreign_id": foreign_id}
                    for place, kind, foreign_id in set(wanted)
                ]
            ).decode()
        },
    )
    return {(row.place, row.kind, row.foreign_id): (row.version, row.canonical) for row in found}


def save_facets(
    connection: Connection, place: str, kind: str, facet: str, rows: Sequence[FacetRow]
) -> None:
    """Keep the newest reading of one facet of many records."""
    connection.execute(
        text(
            """
            insert into facet (place, kind, facet, foreign_id, payload, fingerprint, updated_at)
            select :place, :kind, :facet, foreign_id, payload, decode(fingerprint, 'hex'),
                   updated_at
            from jsonb_to_recordset(cast(:rows as jsonb)) as row
                 (foreign_id text, payload jsonb, fingerprint text, updated_at timestamptz)
            on conflict (place, kind, foreign_id, facet) do update
            set payload = excluded.payload, fingerprint = excluded.fingerprint,
                updated_at = excluded.updated_at, read_at = clock_timestamp()
            """
        ),
        {
            "place": place,
            "kind": kind,
            "facet": facet,
            "rows": jsontext.dumps(
                [
                    {
                        "foreign_id": row.foreign_id,
                        "payload": row.payload,
                        "fingerprint": row.fingerprint.hex(),
                        "updated_at": row.updated_at,
                    }
                    for row in sorted(rows, key=lambda row: row.foreign_id)
                ]
            ).decode(),
        },
    )


def save_versions(
    connection: Connection,
    place: str,
    kind: str,
    rows: Sequence[NewVersion],
    cause: str | Mapping[str, str],
) -> None:
    """Write new canonical forms and the changes that led to them, with their causes."""
    if not rows:
        return
    connection.execute(
        text(
            """
            with rows as materialized (
                select * from jsonb_to_recordset(cast(:rows as jsonb)) as row
                     (foreign_id text, version bigint, canonical jsonb, fingerprint text,
                      created_at timestamptz, updated_at timestamptz, fields jsonb, cause text)
            ), changes as (
                insert into change (place, kind, foreign_id, version, fields, cause, fingerprint)
                select :place, :kind, foreign_id, version, fields, cause,
                       decode(fingerprint, 'hex')
                from rows
            )
            insert into record (place, kind, foreign_id, version, canonical, fingerprint,
                                created_at, updated_at)
            select :place, :kind, foreign_id, version, canonical, decode(fingerprint, 'hex'),
                   created_at, updated_at
            from rows
            on conflict (place, kind, foreign_id) do update
            set version = excluded.version, canonical = excluded.canonical,
                fingerprint = excluded.fingerprint, updated_at = excluded.updated_at,
                changed_at = clock_timestamp(),
                -- What was erased is whole again once the other side says who it is.
                erased_at = case when (case when excluded.kind = 'customer'
                                            then excluded.canonical
                                            else coalesce(excluded.canonical -> 'contact', '{}')
                                       end) - 'id' <> '{}'
                                 then null else record.erased_at end
            """
        ),
        {
            "place": place,
            "kind": kind,
            "rows": jsontext.dumps(
                [
                    {
                        "foreign_id": row.foreign_id,
                        "version": row.version,
                        "canonical": row.canonical,
                        "fingerprint": row.fingerprint.hex(),
                        "created_at": row.created_at,
                        "updated_at": row.updated_at,
                        "fields": row.fields,
                        "cause": cause if isinstance(cause, str) else cause[row.foreign_id],
                    }
                    for row in sorted(rows, key=lambda row: row.foreign_id)
                ]
            ).decode(),
        },
    )


def next_version(
    foreign_id: str,
    canonical: Mapping[str, Any],
    before: StoredRecord | None,
    *,
    created_at: datetime | None = None,
    updated_at: datetime | None = None,
) -> NewVersion | None:
    """What follows a stored record; None where its canonical form stays as it is."""
    mark = fingerprint(canonical, volatile=())
    if before is not None and before.fingerprint == mark:
        return None
    return NewVersion(
        foreign_id=foreign_id,
        version=1 if before is None else before.version + 1,
        canonical=canonical,
        fingerprint=mark,
        created_at=created_at,
        updated_at=updated_at,
        fields={} if before is None else difference(before.canonical, canonical),
    )


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Field → [before, after] of two canonical forms, for a `NewVersion`."""
    names = [*before, *(name for name in after if name not in before)]
    return {
        name: [before.get(name), after.get(name)]
        for name in names
        if before.get(name) != after.get(name)
    }


def transactions_of_orders(
    connection: Connection, place: str, order_ids: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """The canonical forms of the transactions of orders, by order; without any it is left out."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(
        text(
            """
            select canonical ->> 'entity_id' as order_id, canonical from record
            where place = :place and kind = 'transaction'
              and canonical ->> 'entity_id' = any(:order_ids)
              and lower(canonical ->> 'entity_type') = 'order'
            order by foreign_id
            """
        ),
        {"place": place, "order_ids": list(order_ids)},
    ):
        found.setdefault(row.order_id, []).append(row.canonical)
    return found
