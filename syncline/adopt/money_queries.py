"""The ledger's part of an adoption of money: what has no row in Halo yet as far as we know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection

from syncline.adopt.queries import NAMED, UNDECIDED
from syncline.deliveries.pinned import OPEN
from syncline.ledger.connections import Link
from syncline.ledger.database import text

_IN_TIME = f"(r.created_at >= :since or (r.kind = 'order' and {NAMED}))"
_RECORD = """
    r.place = :place and r.kind = d.source_kind and r.foreign_id = d.source_id"""


@dataclass(frozen=True, slots=True)
class OpenMoney:
    """A row that nothing was sent of yet.

    Attributes:
        delivery: its number; None for one that is not requested yet.
        target: invoice, payment, credit or recurring.
        role: the delivery's.
        kind: of the record that it is made from.
        source_id: that record.
        version: the record's.
        canonical: the record as it is known.
        parked: whether an earlier adoption was in doubt about it.
    """

    delivery: int | None
    target: str
    role: str
    kind: str
    source_id: str
    version: int
    canonical: dict[str, Any]
    parked: bool = False


@dataclass(frozen=True, slots=True)
class KnownRow:
    """A row of Halo that is known to be of ours."""

    target: str
    target_id: int
    source_id: str
    role: str


def open_money(connection: Connection, link: Link, since: date) -> list[OpenMoney]:
    """Deliveries of money from a day on that nothing was sent of, doubtful ones included."""
    found = connection.execute(
        text(
            f"""
            select d.id, d.target, d.role, d.source_kind, d.source_id, r.version, r.canonical,
                   d.state = 'parked'
            from delivery d join record r on {_RECORD}
            where d.connection_id = :connection_id
              and d.flow = any(array['payments', 'subscriptions'])
              and {OPEN} and {UNDECIDED} and {_IN_TIME}
            order by d.source_id, d.role
            """  # noqa: S608 - built from constants
        ),
        _given(link, since),
    )
    return [OpenMoney(*row) for row in found]


def unbilled(connection: Connection, link: Link, since: date) -> list[OpenMoney]:
    """Orders from a day on that ask for no invoice yet, since nobody has paid.

    Halo may hold one all the same: others write an invoice before it is paid.
    """
    found = connection.execute(
        text(
            f"""
            select null, 'invoice', 'invoice', r.kind, r.foreign_id, r.version, r.canonical
            from record r
            where r.place = :place and r.kind = 'order' and {_IN_TIME}
              and not exists (
                  select 1 from delivery d
                  where d.tenant_id = :tenant_id and d.flow = 'payments'
                    and d.source_id = r.foreign_id and d.role = 'invoice')
            order by r.foreign_id
            """  # noqa: S608 - built from constants
        ),
        _given(link, since),
    )
    return [OpenMoney(*row) for row in found]


def known_money(connection: Connection, link: Link) -> list[KnownRow]:
    """Rows of money that are known to be of ours, in the whole tenant."""
    found = connection.execute(
        text(
            """
            select target, cast(target_id as bigint), source_id, role from delivery
            where tenant_id = :tenant_id and flow = any(array['payments', 'subscriptions'])
              and target_id is not null
            """
        ),
        {"tenant_id": link.tenant},
    )
    return [KnownRow(*row) for row in found]


def _given(link: Link, since: date) -> Mapping[str, Any]:
    return {
        "connection_id": link.id,
        "tenant_id": link.tenant,
        "place": link.location_place,
        "since": since,
    }
