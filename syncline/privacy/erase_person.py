"""Erasing what the ledger holds about one contact, without breaking the chains of its audit log.

Personal fields go, and the salts under which they were hashed; digests stay, so that the chain can
be checked as before. An id that is an e-mail address is replaced by a random one. All in one
transaction, of which the sealer and every writer of these records stay out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from syncline import jsontext
from syncline.audit.chain_verification import ERASE, positions_digest
from syncline.audit.entries import READ, SELECT, Entry, Source
from syncline.audit.hash_chain import EMAIL, ERASED, public_of, without_personal
from syncline.deliveries.target_rows import ACCEPTED
from syncline.fingerprint import fingerprint
from syncline.ledger.database import text
from syncline.privacy.texts import redacted, strip_texts
from syncline.privacy.traces import HeldRecord, Traces

CUSTOMER = "customer"

_KINDS = (CUSTOMER, "order", "subscription", "transaction", "consignment", "alert")


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure took: `entries` of the audit log, and the number of its own entry."""

    records: int
    entries: int
    events: int
    deliveries: int
    entry: int


def keep_others_out(connection: Connection, places: Sequence[str]) -> None:
    """No sealer and no writer of these places' records until the transaction ends."""
    names = ["audit/seal", *sorted(f"{place}/{kind}" for place in places for kind in _KINDS)]
    for name in names:
        connection.execute(
            text("select pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name}
        )


def erase(connection: Connection, found: Traces, new_ids: Sequence[str], *, by: str) -> Erased:
    """Take the person's data out of everything that `traces` found.

    Args:
        connection: the transaction, from which others were kept out before `found` was read.
        found: where the person stands.
        new_ids: a random word for each record.
        by: who asked for it.
    """
    renamed = {
        one.foreign_id: f"{ERASED}{word}"
        for one, word in zip(found.records, new_ids, strict=True)
        if one.foreign_id.startswith(EMAIL)
    }
    entry = _entry(connection, found, by)
    entries = 0
    positions: dict[str, list[int]] = {}
    touched: dict[Source, Sequence[int]] = {"effect": found.effects, "change": found.changes}
    for source, numbers in touched.items():
        entries += _strip_entries(connection, source, numbers, renamed)
        for chain, position in _bare(connection, source, numbers, entry):
            positions.setdefault(chain, []).append(position)
    _strip_records(connection, found.records, renamed)
    if found.pattern is not None:
        _redact_records(connection, found.told, found.pattern)
        strip_texts(connection, found.pattern)
    deliveries = _strip_deliveries(
        connection, [one.foreign_id for one in (*found.records, *found.told)], renamed
    )
    connection.execute(
        text("update event set body = '', note = 'erased' where id = any(:ids)"),
        {"ids": list(found.events)},
    )
    connection.execute(
        text("update audit_entry set after = cast(:after as jsonb) where id = :id"),
        {
            "id": entry,
            "after": _json(
                {
                    "records": len(found.records),
                    "positions": {name: positions_digest(of) for name, of in positions.items()},
                }
            ),
        },
    )
    return Erased(len(found.records), entries, len(found.events), deliveries, entry)


def _entry(connection: Connection, found: Traces, by: str) -> int:
    """The erasure's own entry, without whom it was about, in the log of a connection of its."""
    number = connection.execute(
        text(
            """
            insert into audit_entry (connection_id, flow, source_id, role, effect, target,
                                     target_id, version, cause)
            select c.id, 'command', '', 'command', 'command', :what, '', 0, :cause
            from connection c
            order by ('location:' || c.location_id = any(:places)
                      or 'tenant:' || c.tenant_id = any(:places)) desc, c.id
            limit 1
            returning id
            """
        ),
        {
            "what": ERASE,
            "cause": f"{ERASE} by {by}",
            "places": sorted({one.place for one in found.records}),
        },
    )
    return int(number.scalar_one())


def _strip_entries(
    connection: Connection, source: Source, numbers: Sequence[int], renamed: dict[str, str]
) -> int:
    rows = connection.execute(
        text(f"{SELECT[source]} where e.id = any(:ids)"), {"ids": list(numbers)}
    )
    bare = [_stripped(READ[source](tuple(row)), renamed) for row in rows]
    connection.execute(text(_STRIP[source]), {"rows": _json(bare)})
    return len(bare)


def _stripped(entry: Entry, renamed: dict[str, str]) -> Entry:
    public = public_of(entry)
    return {
        "id": entry["id"],
        "at": entry["at"],
        "record": renamed.get(entry["record"], entry["record"]),
        "fields": public.get("fields"),
        "before": public.get("before"),
        "after": public.get("after"),
    }


_STRIP: dict[Source, str] = {
    "effect": """
        update audit_entry e
        set source_id = row.record, before = nullif(row.before, 'null'),
            after = nullif(row.after, 'null')
        from jsonb_to_recordset(cast(:rows as jsonb)) as row
             (id bigint, record text, before jsonb, after jsonb)
        where e.id = row.id
        """,
    "change": """
        update change e
        set foreign_id = row.record, fields = row.fields, fingerprint = null
        from jsonb_to_recordset(cast(:rows as jsonb)) as row
             (id bigint, at timestamptz, record text, fields jsonb)
        where e.id = row.id and e.at = row.at
        """,
}


def _bare(
    connection: Connection, source: str, numbers: Sequence[int], entry: int
) -> list[tuple[str, int]]:
    """Drop the salts of sealed entries; returns the places that this erasure answers for."""
    found = connection.execute(
        text(
            """
            update seal set salt = null, erased_by = :entry
            where source = :source and entry_id = any(:ids)
              and personal is not null and erased_by is null
            returning chain, position
            """
        ),
        {"source": source, "ids": list(numbers), "entry": entry},
    )
    return [(row.chain, row.position) for row in found]


def _strip_records(
    connection: Connection, held: Sequence[HeldRecord], renamed: dict[str, str]
) -> None:
    ids = [one.foreign_id for one in held]
    rows = connection.execute(
        text(
            """
            select place, kind, foreign_id, canonical from record where foreign_id = any(:ids)
            """
        ),
        {"ids": ids},
    )
    bare = []
    for row in rows:
        if HeldRecord(row.place, row.kind, row.foreign_id) in held:
            form = without_personal(row.canonical, whole=row.kind == CUSTOMER)
            bare.append(
                {
                    "place": row.place,
                    "kind": row.kind,
                    "foreign_id": row.foreign_id,
                    "named": renamed.get(row.foreign_id, row.foreign_id),
                    "canonical": form,
                    "fingerprint": fingerprint(form, volatile=()).hex(),
                }
            )
    connection.execute(
        text(
            """
            update record r
            set foreign_id = row.named, canonical = row.canonical,
                fingerprint = decode(row.fingerprint, 'hex'), erased_at = clock_timestamp()
            from jsonb_to_recordset(cast(:rows as jsonb)) as row
                 (place text, kind text, foreign_id text, named text, canonical jsonb,
                  fingerprint text)
            where r.place = row.place and r.kind = row.kind and r.foreign_id = row.foreign_id
            """
        ),
        {"rows": _json(bare)},
    )
    _strip_facets(connection, held)


def _redact_records(connection: Connection, held: Sequence[HeldRecord], pattern: str) -> None:
    """Take what names the person out of records that are not about it."""
    for one in held:
        key = {"place": one.place, "kind": one.kind, "foreign_id": one.foreign_id}
        where = "place = :place and kind = :kind and foreign_id = :foreign_id"
        form = redacted(
            connection.execute(
                text(f"select canonical from record where {where}"),  # noqa: S608 - a constant
                key,
            ).scalar_one(),
            pattern,
        )
        connection.execute(
            text(
                f"update record set canonical = cast(:form as jsonb), fingerprint = :mark "  # noqa: S608
                f"where {where}"
            ),
            {**key, "form": _json(form), "mark": fingerprint(form, volatile=())},
        )


def _strip_facets(connection: Connection, held: Sequence[HeldRecord]) -> None:
    """Their payloads; the fingerprints stay, so that the same reading brings nothing back."""
    rows = connection.execute(
        text(
            """
            select place, kind, foreign_id, facet, payload from facet where foreign_id = any(:ids)
            """
        ),
        {"ids": [one.foreign_id for one in held]},
    )
    bare = [
        {**row._asdict(), "payload": without_personal(row.payload)}
        for row in rows
        if HeldRecord(row.place, row.kind, row.foreign_id) in held
    ]
    connection.execute(
        text(
            """
            update facet f set payload = row.payload
            from jsonb_to_recordset(cast(:rows as jsonb)) as row
                 (place text, kind text, foreign_id text, facet text, payload jsonb)
            where f.place = row.place and f.kind = row.kind and f.foreign_id = row.foreign_id
              and f.facet = row.facet
            """
        ),
        {"rows": _json(bare)},
    )


def _strip_deliveries(connection: Connection, ids: Sequence[str], renamed: dict[str, str]) -> int:
    rows = connection.execute(
        text(
            """
            select id, flow, source_id, projection as before, sent_projection as after, target_meta
            from delivery where source_id = any(:ids)
            """
        ),
        {"ids": list(ids)},
    )
    bare = []
    for row in rows:
        told = public_of(row._asdict())
        meta = dict(row.target_meta or {})
        if ACCEPTED in meta:
            kept = public_of({"flow": row.flow, "after": meta[ACCEPTED]})
            meta[ACCEPTED] = kept["after"]
        bare.append(
            {
                "id": row.id,
                "meta": meta or None,
                "source_id": renamed.get(row.source_id, row.source_id),
                "before": told["before"],
                "after": told["after"],
            }
        )
    connection.execute(
        text(
            """
            update delivery d
            set source_id = row.source_id, projection = nullif(row.before, 'null'),
                sent_projection = nullif(row.after, 'null'), target_meta = nullif(row.meta, 'null')
            from jsonb_to_recordset(cast(:rows as jsonb)) as row
                 (id bigint, source_id text, before jsonb, after jsonb, meta jsonb)
            where d.id = row.id
            """
        ),
        {"rows": _json(bare)},
    )
    for table in ("wait", "discrepancy"):
        connection.execute(
            text(
                f"""
                update {table} set source_id = given.new
                from unnest(cast(:old as text[]), cast(:new as text[])) as given (old, new)
                where source_id = given.old
                """  # noqa: S608 - names of ours
            ),
            {"old": list(renamed), "new": list(renamed.values())},
        )
    _strip_discrepancies(connection, [*ids, *renamed.values()])
    return len(bare)


def _strip_discrepancies(connection: Connection, ids: Sequence[str]) -> None:
    """The values of fields that may say something about a person."""
    found = connection.execute(
        text("select distinct flow, field from discrepancy where source_id = any(:ids)"),
        {"ids": list(ids)},
    )
    bare = [
        (row.flow, row.field)
        for row in found
        if not public_of({"flow": row.flow, "after": {row.field: ""}})["after"]
    ]
    connection.execute(
        text(
            """
            update discrepancy d set ours = null, theirs = null, delivered = null
            from unnest(cast(:flows as text[]), cast(:fields as text[])) as bare (flow, field)
            where d.source_id = any(:ids) and (d.flow, d.field) = (bare.flow, bare.field)
            """
        ),
        {
            "ids": list(ids),
            "flows": [flow for flow, _ in bare],
            "fields": [field for _, field in bare],
        },
    )


def _json(document: Any) -> str:
    return jsontext.dumps(document).decode()
