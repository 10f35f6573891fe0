"""Going live in the ledger: what people did for it, and what the ledger itself can prove."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection

from syncline import jsontext
from syncline.ledger.connections import Link
from syncline.ledger.database import text

What = Literal["switch", "back", "accept", "dump"]

MEASURED = timedelta(days=7)
"""Over how long calls a record are measured."""

BUSY = timedelta(days=30)
"""Over how long the busiest day is looked for."""

CADENCE = (
    *("list orders", "list transactions", "list subscriptions"),
    *("check orders", "check transactions", "check subscriptions", "check providers"),
)
"""Calls to HighLevel that are made however little there is to deliver."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step towards going live: what, who, when, and what was written down."""

    id: int
    what: str
    by: str
    at: datetime
    age: timedelta
    certificate: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Went:
    """A test order's rows that the other side confirmed; ids, or None where there is none."""

    order: str | None
    payment: str | None
    refund: str | None
    shipment: str | None
    tracking: str | None


def note(
    connection: Connection, link: Link, what: What, by: str, certificate: Mapping[str, Any]
) -> int:
    """Write a step down; returns its number."""
    return int(
        connection.execute(
            text(
                """
                insert into golive (connection_id, what, by, certificate)
                values (:id, :what, :by, cast(:certificate as jsonb)) returning id
                """
            ),
            {
                "id": link.id,
                "what": what,
                "by": by,
                "certificate": jsontext.dumps(certificate).decode(),
            },
        ).scalar_one()
    )


def steps(
    connection: Connection, link: Link, what: Sequence[What], most: int | None = None
) -> list[Step]:
    """The steps of these kinds, the newest first."""
    found = connection.execute(
        text(
            """
            select id, what, by, at, clock_timestamp() - at as age, certificate from golive
            where connection_id = :id and what = any(:what) order by id desc
            limit cast(:most as bigint)
            """
        ),
        {"id": link.id, "what": list(what), "most": most},
    )
    return [Step(*row) for row in found]


def acceptances(connection: Connection, link: Link) -> dict[str, Step]:
    """What was accepted since the mode was switched last, by line; the newest of each."""
    newest = steps(connection, link, ["accept", "switch", "back"])
    accepted: dict[str, Step] = {}
    for step in newest:
        if step.what != "accept":
            break
        accepted.setdefault(str(step.certificate["line"]), step)
    return accepted


_IS_TEST = """(:emulated or o.canonical ->> 'live_mode' = 'false')
              and (cast(:order as text) is null or o.foreign_id = :order)"""


def went(connection: Connection, link: Link, order_id: str | None = None) -> Went:
    """What went all the way of test orders; of the emulation's, which knows no other ones, of any.

    A mapping that changes makes all records due again, so what is delivered is so under the
    mapping of now, once that was looked at.

    Args:
        connection: the transaction.
        link: the connection.
        order_id: only of this one.
    """
    place = {
        "id": link.id,
        "place": link.location_place,
        "emulated": link.is_emulated,
        "order": order_id,
    }
    order = connection.execute(
        text(
            f"""
            select d.source_id from delivery d
            join record o on o.place = :place and o.kind = 'order' and o.foreign_id = d.source_id
            where d.connection_id = :id and d.flow = 'orders' and d.state = 'delivered'
              and d.target_id is not null and {_IS_TEST} limit 1
            """  # noqa: S608 - built from a constant of this module
        ),
        place,
    ).scalar()
    row = connection.execute(
        text(
            f"""
            select d.source_id, d.target_id, exists (
                select 1 from delivery h
                where h.connection_id = :id and h.flow = 'orders' and h.source_id = o.foreign_id
                  and h.state = 'delivered' and h.delivered_version >= o.version
                  and jsonb_path_exists(o.canonical, '$.fulfillments[*] ? (@.id == $mine)',
                                        jsonb_build_object('mine', d.target_id))
            ) as came_back, o.foreign_id
            from delivery d
            join record o on o.place = :place and o.kind = 'order'
                         and o.foreign_id = d.target_meta ->> 'order_id'
            where d.connection_id = :id and d.flow = 'fulfillments' and d.state = 'delivered'
              and d.target_id is not null and {_IS_TEST}
            order by came_back desc, d.confirmed_at desc limit 1
            """  # noqa: S608 - built from a constant of this module
        ),
        place,
    ).first()
    return Went(
        order,
        _money(connection, place, "payment"),
        _money(connection, place, "credit"),
        None if row is None else row.source_id,
        row.foreign_id if row is not None and row.came_back else None,
    )


def _money(connection: Connection, place: Mapping[str, Any], target: str) -> str | None:
    """A transaction of a test order of which order, invoice, payment and this row are confirmed."""
    found = connection.execute(
        text(
            f"""
            select t.foreign_id from delivery d
            join record t on t.place = :place and t.kind = 'transaction'
                         and t.foreign_id = d.source_id
            join record o on o.place = :place and o.kind = 'order'
                         and o.foreign_id = t.canonical ->> 'entity_id'
            where d.connection_id = :id and d.flow = 'payments' and d.state = 'delivered'
              and d.target = :target and d.target_id is not null and {_IS_TEST}
              and (select count(*) from delivery other
                   where other.connection_id = :id and other.state = 'delivered'
                     and other.target_id is not null
                     and ((other.flow, other.source_id, other.role) in (
                         ('orders', o.foreign_id, 'order'), ('payments', o.foreign_id, 'invoice'),
                         ('payments', t.foreign_id, 'payment')))) = 3
            limit 1
            """  # noqa: S608 - built from a constant of this module
        ),
        {**place, "target": target},
    ).scalar()
    return None if found is None else str(found)


def words(connection: Connection, link: Link, kind: str, field: str) -> list[str]:
    """What the records of a kind hold in a field, each once."""
    found = connection.execute(
        text(
            """
            select distinct canonical ->> :field as word from record
            where place = :place and kind = :kind and canonical ->> :field <> '' order by word
            """
        ),
        {"place": link.location_place, "kind": kind, "field": field},
    )
    return [str(row.word) for row in found]


def is_requested_again(connection: Connection, link: Link) -> bool:
    """Whether deliveries of records are still on their way, such as after another mapping."""
    return bool(
        connection.execute(
            text(
                """
                select 1 from delivery where connection_id = :id
                  and flow in ('customers', 'orders', 'payments', 'subscriptions')
                  and state = 'due' and due_at <= clock_timestamp() - interval '1 minute' limit 1
                """
            ),
            {"id": link.id},
        ).scalar()
    )


def heard(connection: Connection, link: Link) -> dict[str, timedelta]:
    """How old the last verified event of each side is; a side that sent none is left out.

    What is stored was verified before.
    """
    found = connection.execute(
        text(
            """
            select source, clock_timestamp() - max(at) as age from event
            where source = 'highlevel' and location_id = :location
               or source = 'halo' and connection_id = :id
            group by source
            """
        ),
        {"location": link.location_id, "id": link.id},
    )
    return {row.source: row.age for row in found}


def busiest_day(connection: Connection, link: Link) -> int:
    """How many records HighLevel made on the busiest of the last days, live ones too."""
    return int(
        connection.execute(
            text(
                """
                select coalesce(max(many), 0) from (
                    select count(*) as many from record
                    where place = :place and kind in ('order', 'transaction', 'subscription')
                      and created_at > clock_timestamp() - cast(:busy as interval)
                    group by date_trunc('day', created_at)) days
                """
            ),
            {"place": link.location_place, "busy": BUSY},
        ).scalar_one()
    )


def calls_a_record(connection: Connection, link: Link, key: str) -> float | None:
    """How many calls a side took for each record that was delivered lately; None: none was.

    Of Halo only writes and readings of single rows count, of HighLevel all but lists.
    """
    row = connection.execute(
        text(
            """
            select (
                select count(*) from call
                where quota_key = :key and at > clock_timestamp() - cast(:measured as interval)
                  and connection_id = :id and sent is distinct from false
                  and operation <> all(:cadence)
                  and (starts_with(quota_key, 'highlevel:') or operation like 'get %'
                       or operation like 'POST /%' and operation not in ('POST /Report',
                                                                         'POST /token'))
            ) as calls, (
                select count(distinct source_id) from delivery
                where connection_id = :id and target_id is not null
                  and flow in ('orders', 'payments', 'subscriptions')
                  and confirmed_at > clock_timestamp() - cast(:measured as interval)
            ) as records
            """
        ),
        {"key": key, "id": link.id, "measured": MEASURED, "cadence": list(CADENCE)},
    ).one()
    return row.calls / row.records if row.records else None


def calls_of_others(connection: Connection, link: Link, key: str) -> int:
    """Calls that other connections made with the same key on their busiest day lately."""
    return int(
        connection.execute(
            text(
                """
                select coalesce(max(many), 0) from (
                    select count(*) as many from call
                    where quota_key = :key and at > clock_timestamp() - cast(:measured as interval)
                      and connection_id is distinct from :id and sent is distinct from false
                    group by date_trunc('day', at)) days
                """
            ),
            {"key": key, "id": link.id, "measured": MEASURED},
        ).scalar_one()
    )


def orders_of_ours(connection: Connection, link: Link) -> int:
    """How many orders of Halo are ours, of all connections of the tenant."""
    return int(
        connection.execute(
            text(
                """
                select count(*) from delivery
                where tenant_id = :tenant and target = 'order' and target_id is not null
                """
            ),
            {"tenant": link.tenant},
        ).scalar_one()
    )


def was_adopted(connection: Connection, link: Link) -> bool:
    """Whether an adoption wrote anything down."""
    return bool(
        connection.execute(
            text(
                """
                select exists (select 1 from audit_entry where connection_id = :id
                               and effect = 'command' and starts_with(target, 'adopt'))
                    or exists (select 1 from delivery where connection_id = :id
                               and flow = 'orders' and cause = 'adopt')
                """
            ),
            {"id": link.id},
        ).scalar_one()
    )


@dataclass(frozen=True, slots=True)
class LastReconciliation:
    """The last reconciliation that came to its end, and the differences that are open now.

    Attributes:
        whole: whether it could compare everything.
    """

    number: int
    age: timedelta
    open: int
    whole: bool


def reconciled(connection: Connection, link: Link) -> LastReconciliation | None:
    """How the last comparison of both sides ended; None: there was none."""
    row = connection.execute(
        text(
            """
            select id, clock_timestamp() - coalesce(finished_at, started_at) as age,
                   (select count(*) from discrepancy
                    where connection_id = :id and state = 'open') as open,
                   coalesce(cast(certificate ->> 'compared' as boolean), false) as whole
            from reconciliation where connection_id = :id and state = 'done'
            order by id desc limit 1
            """
        ),
        {"id": link.id},
    ).first()
    return None if row is None else LastReconciliation(*row)


def halo_order(connection: Connection, link: Link, order_id: str) -> int | None:
    """Halo's id of an order of HighLevel, once it was confirmed."""
    found = connection.execute(
        text(
            """
            select target_id from delivery
            where tenant_id = :tenant and flow = 'orders' and source_id = :id and role = 'order'
              and state = 'delivered'
            """
        ),
        {"tenant": link.tenant, "id": order_id},
    ).scalar()
    return None if found is None else int(found)
