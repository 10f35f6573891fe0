"""The history of one record: what was seen of it, what it requests, which calls were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection

from syncline.fingerprint import fingerprint
from syncline.ledger.database import text


@dataclass(frozen=True, slots=True)
class SeenRecord:
    """The record in its canonical form, as it was last seen."""

    place: str
    foreign_id: str
    version: int
    canonical: dict[str, Any]
    created_at: datetime | None
    updated_at: datetime | None
    noticed_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class SeenChange:
    """One later version: the fields that changed, each with [before, after]."""

    at: datetime
    version: int
    fields: dict[str, Any]
    cause: str


@dataclass(frozen=True, slots=True)
class SeenWait:
    """A delivery that another one needs first; `state` is None where it does not exist yet."""

    flow: str
    source_id: str
    role: str
    state: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class SeenDelivery:
    """What one connection requests for the record, and what the other side confirmed of it.

    Of an order also its shipments, whose source is Halo's consignment.
    """

    id: int
    connection: str
    tenant: int
    flow: str
    role: str
    target: str
    state: str
    wanted_version: int
    sent_version: int | None
    delivered_version: int | None
    projection: dict[str, Any] | None
    target_id: str | None
    attempt: int
    due_at: datetime
    sent_at: datetime | None
    confirmed_at: datetime | None
    call_id: UUID | None
    reason: str | None
    field: str | None
    source_kind: str
    source_id: str
    waits: tuple[SeenWait, ...]


@dataclass(frozen=True, slots=True)
class SeenEffect:
    """One audit entry: an effect outside, and what caused it."""

    at: datetime
    flow: str
    role: str
    effect: str
    target: str
    target_id: str
    version: int
    cause: str
    call_id: UUID | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class SeenCall:
    """One call that carried the record; `elements` says how many records went with it."""

    id: UUID
    at: datetime
    operation: str
    elements: int
    sent: bool | None
    answered_at: datetime | None
    status: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class SeenTransaction:
    """A transaction of an order; `delivered` maps a role (payment, a credit's) to its state."""

    id: str
    status: str | None
    currency: str | None
    amount: str | None
    refunded: str | None
    delivered: dict[str, str]


@dataclass(frozen=True, slots=True)
class History:
    """Everything that the ledger knows of one record."""

    record: SeenRecord
    changes: tuple[SeenChange, ...]
    deliveries: tuple[SeenDelivery, ...]
    audit: tuple[SeenEffect, ...]
    calls: tuple[SeenCall, ...]


def of(connection: Connection, kind: str, record_id: str) -> History | None:
    """The history of an order, transaction or subscription; None if it was never seen."""
    record = connection.execute(
        text(
            """
            select place, foreign_id, version, canonical, created_at, updated_at, noticed_at,
                   changed_at
            from record
            where place in (select 'location:' || id from location)
              and kind = :kind and foreign_id = :id
            """
        ),
        {"kind": kind, "id": record_id},
    ).first()
    if record is None:
        return None
    deliveries = _deliveries(connection, kind, record_id)
    audit = _audit(connection, record_id)
    calls = {*(one.call_id for one in deliveries), *(one.call_id for one in audit)}
    return History(
        record=SeenRecord(*record),
        changes=_changes(connection, kind, record_id),
        deliveries=deliveries,
        audit=audit,
        calls=_calls(connection, [call for call in calls if call is not None]),
    )


@dataclass(frozen=True, slots=True)
class Past:
    """A record as it was at a moment.

    Attributes:
        place: whose it is.
        version: the version that stood then.
        since: when that version was seen, and `cause` by what.
        canonical: its form.
        proof: `proved` where its fingerprint is the one that was kept then, `unproved` where it is
            another one, `unknown` where none was kept or it was erased.
        changes: the changes until then.
        audit: the effects until then.
    """

    place: str
    version: int
    since: datetime
    cause: str
    canonical: dict[str, Any]
    proof: Literal["proved", "unproved", "unknown"]
    changes: tuple[SeenChange, ...]
    audit: tuple[SeenEffect, ...]


def at(connection: Connection, kind: str, record_id: str, moment: datetime) -> Past | None:
    """A record as it was at a moment; None if it was not known yet.

    Its form now is taken back change by change, and proved by the fingerprint that was kept.
    """
    record = connection.execute(
        text(
            """
            select place, canonical from record
            where place in (select 'location:' || id from location)
              and kind = :kind and foreign_id = :id
            """
        ),
        {"kind": kind, "id": record_id},
    ).first()
    if record is None:
        return None
    found = connection.execute(
        text(
            """
            select at, version, fields, cause, fingerprint from change
            where foreign_id = :id and kind = :kind and place = :place order by version
            """
        ),
        {"id": record_id, "kind": kind, "place": record.place},
    ).all()
    # By versions: a clock that was set back stamps a later one earlier.
    last = next((row for row in reversed(found) if row.at <= moment), None)
    if last is None:
        return None
    then = [row for row in found if row.version <= last.version]
    form, kept = record.canonical, {row.version: row.fingerprint for row in found}
    for row in reversed(found[len(then) :]):
        form = undone(form, row.fields, kept.get(row.version - 1))
    return Past(
        place=record.place,
        version=last.version,
        since=last.at,
        cause=last.cause,
        canonical=form,
        proof=_proof(form, last.fingerprint),
        changes=tuple(SeenChange(*row[:4]) for row in then),
        audit=tuple(one for one in _audit(connection, record_id) if one.at <= moment),
    )


def undone(
    form: Mapping[str, Any], fields: Mapping[str, Any], proof: bytes | None
) -> dict[str, Any]:
    """A form before a change: what had no value was absent, or null if only that has the proof.

    Args:
        form: after it.
        fields: changed field → [before, after].
        proof: the fingerprint of the form before it, if it was kept.
    """
    absent = {
        **{name: value for name, value in form.items() if name not in fields},
        **{name: pair[0] for name, pair in fields.items() if pair[0] is not None},
    }
    if proof is None or fingerprint(absent, volatile=()) == bytes(proof):
        return absent
    null = {**absent, **{name: None for name, pair in fields.items() if pair[0] is None}}
    return null if fingerprint(null, volatile=()) == bytes(proof) else absent


def _proof(form: Mapping[str, Any], kept: bytes | None) -> Literal["proved", "unproved", "unknown"]:
    if kept is None:
        return "unknown"
    return "proved" if fingerprint(form, volatile=()) == bytes(kept) else "unproved"


def transactions_of(connection: Connection, order_id: str) -> tuple[SeenTransaction, ...]:
    """The transactions of an order, and how far Halo has them."""
    found = connection.execute(
        text(
            """
            select r.foreign_id, r.canonical ->> 'status', r.canonical ->> 'currency',
                   r.canonical ->> 'amount', r.canonical ->> 'amount_refunded',
                   coalesce((select jsonb_object_agg(d.role, d.state) from delivery d
                             where d.source_id = r.foreign_id and d.flow = 'payments'), '{}')
            from record r
            where r.kind = 'transaction' and r.canonical ->> 'entity_id' = :id
              and r.place in (select 'location:' || id from location)
            order by r.created_at, r.foreign_id
            """
        ),
        {"id": order_id},
    )
    return tuple(SeenTransaction(*row) for row in found)


def _changes(connection: Connection, kind: str, record_id: str) -> tuple[SeenChange, ...]:
    found = connection.execute(
        text(
            """
            select at, version, fields, cause from change
            where foreign_id = :id and kind = :kind order by at, id
            """
        ),
        {"id": record_id, "kind": kind},
    )
    return tuple(SeenChange(*row) for row in found)


def _deliveries(connection: Connection, kind: str, record_id: str) -> tuple[SeenDelivery, ...]:
    found = connection.execute(
        text(
            """
            select d.id, c.name, d.tenant_id, d.flow, d.role, d.target, d.state,
                   d.wanted_version, d.sent_version, d.delivered_version, d.projection,
                   d.target_id, d.attempt, d.due_at, d.sent_at, d.confirmed_at, d.call_id,
                   d.reason, d.field, d.source_kind, d.source_id
            from (
                select id from delivery where source_id = :id and source_kind = :kind
                union all
                select shipment.id from record r
                join delivery shipment on shipment.source_id = r.foreign_id
                                      and shipment.source_kind = r.kind
                                      and shipment.place = r.place
                where r.kind = 'consignment' and r.canonical ->> 'order_id' = :id
                  and :kind = 'order' and shipment.flow = 'fulfillments'
            ) of
            join delivery d on d.id = of.id join connection c on c.id = d.connection_id
            order by c.name, d.flow, d.role, d.id
            """
        ),
        {"id": record_id, "kind": kind},
    ).all()
    waits = _waits(connection, [row.id for row in found])
    return tuple(SeenDelivery(*[*row, tuple(waits.get(row.id, ()))]) for row in found)


def _waits(connection: Connection, ids: Sequence[int]) -> dict[int, list[SeenWait]]:
    found = connection.execute(
        text(
            """
            select w.delivery_id, w.flow, w.source_id, w.role, dep.state, dep.reason
            from wait w left join delivery dep using (tenant_id, flow, source_id, role)
            where w.delivery_id = any(:ids) order by w.flow, w.source_id, w.role
            """
        ),
        {"ids": list(ids)},
    )
    waits: dict[int, list[SeenWait]] = {}
    for delivery_id, *values in found:
        waits.setdefault(delivery_id, []).append(SeenWait(*values))
    return waits


def _audit(connection: Connection, record_id: str) -> tuple[SeenEffect, ...]:
    found = connection.execute(
        text(
            """
            select at, flow, role, effect, target, target_id, version, cause, call_id,
                   before, after
            from audit_entry where source_id = :id order by id
            """
        ),
        {"id": record_id},
    )
    return tuple(SeenEffect(*row) for row in found)


def _calls(connection: Connection, ids: Sequence[UUID]) -> tuple[SeenCall, ...]:
    found = connection.execute(
        text(
            """
            select id, at, operation, elements, sent, answered_at, status, error
            from call where id = any(:ids) order by at, id
            """
        ),
        {"ids": list(ids)},
    )
    return tuple(SeenCall(*row) for row in found)
