"""A delivery moved by hand, as the tests of its moves need it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from syncline.deliveries import leased, requests
from syncline.deliveries.delivery import Confirmation, Departure, Lease
from syncline.deliveries.requests import DeliveryRequest
from syncline.deliveries.states import State
from syncline.ledger.connections import Link
from syncline.ledger.database import Ledger


def request(
    source: str, version: int = 1, flow: str = "orders", role: str = "order"
) -> DeliveryRequest:
    return DeliveryRequest(flow, "order", source, role, role, "location:1", version)


def enqueue(ledger: Ledger, link: Link, *asked: DeliveryRequest) -> None:
    ledger.run(lambda c: requests.enqueue(c, link.id, link.tenant, asked, "pull 1"))


def enqueue_again(ledger: Ledger, link: Link, *asked: DeliveryRequest) -> None:
    """As another mapping asks for them, in the versions that they have."""
    ledger.run(lambda c: requests.enqueue(c, link.id, link.tenant, asked, "mapping 2", again=True))


def claim(
    ledger: Ledger, link: Link, session: UUID, target: str = "order", state: State = State.DUE
) -> list[Lease]:
    return ledger.run(lambda c: leased.claim(c, link.id, target, session, 100, state))


def depart(ledger: Ledger, *leases: Lease) -> set[int]:
    return ledger.run(
        lambda c: leased.depart(c, [Departure(lease, uuid4(), {"total": "1"}) for lease in leases])
    )


def confirmation(lease: Lease, target_id: str = "77") -> Confirmation:
    return Confirmation(lease, target_id, {"change_seq": 1}, {"total": "1"})


def confirm(ledger: Ledger, lease: Lease, *, sent: int | None = None) -> set[int]:
    told = replace(lease, sent_version=sent if sent is not None else lease.wanted_version)
    return ledger.run(lambda c: leased.confirm(c, [confirmation(told)], wrote=True))


def row(ledger: Ledger, source: str) -> Any:
    return ledger.run(
        lambda c: c.execute(
            text("select * from delivery where source_id = :source"), {"source": source}
        ).one()
    )
