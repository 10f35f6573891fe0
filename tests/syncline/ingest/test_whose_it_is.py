"""A customer is requested from all that is known of a record, never from a part of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import pytest

from syncline.calls.context import Line
from syncline.connections.run import replace_mapping
from syncline.deliveries import requests
from syncline.deliveries.delivery import Lease
from syncline.highlevel.records import get_record
from syncline.ingest.by_id import readings
from syncline.ingest.mapping_changed import request_again
from syncline.ingest.requests import request_customers
from syncline.ingest.rereading import reading_request, reread
from syncline.mapping.shipped import default_document
from syncline.runtime.registry import send
from syncline.sandbox.process import SandboxProcess
from syncline.webhooks.handling import handle
from tests.events import arrive, order_event
from tests.spoiling import rows, spoil
from tests.world import INCLUDING_TESTS, NAME, World, Worlds, small

OTHER = "other.address@example.com"
BUYER = "buyer@example.com"
Row = dict[str, Any]


def without(*names: str) -> Callable[[Row], Row]:
    return lambda row: {name: value for name, value in row.items() if name not in names}


def with_address(row: Row) -> Row:
    return {**row, "contactEmail": OTHER}


def shop(
    worlds: Worlds, sandbox: SandboxProcess, kind: str = "order", style: str = "detail"
) -> tuple[World, str]:
    """A world whose location holds one record; its id."""
    many = {"orders": 0, "transactions": 0, "subscriptions": 0, f"{kind}s": 1}
    small(sandbox, customers=1, details=style == "detail", **many)
    [record] = sandbox.get(f"/state/{kind}s")["ids"]
    return worlds(style=style), record


def clients(world: World) -> list[str]:
    """The customers for whom Halo shall have a client."""
    found = world.rows("select source_id from delivery where target = 'client' order by 1")
    return [row.source_id for row in found]


def whose(sandbox: SandboxProcess, order: str) -> str:
    """The customer whom the detail of an order names."""
    snapshot = sandbox.get(f"/state/orders/{order}")["contactSnapshot"]
    return f"email:{snapshot['email'].strip().lower()}"


@pytest.mark.parametrize(
    ("kind", "listed"),
    [
        ("order", with_address),
        ("order", without("contactEmail")),
        ("order", without("contactId", "contactName", "contactEmail")),
        ("subscription", with_address),
    ],
    ids=["another address", "no address", "no contact", "a subscription"],
)
def test_where_list_and_detail_name_different_customers_that_of_the_detail_is_made(
    worlds: Worlds,
    sandbox: SandboxProcess,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    listed: Callable[[Row], Row],
) -> None:
    world, record = shop(worlds, sandbox, kind)
    snapped = {"contactSnapshot": {"email": BUYER}}
    spoil(monkeypatch, f"/payments/{kind}s", rows({record: listed}))
    spoil(monkeypatch, f"/payments/{kind}s/{record}", lambda detail: {**detail, **snapped})
    assert world.pull(kind).new == 1
    assert clients(world) == []
    world.drive()
    assert clients(world) == [f"email:{BUYER}"]
    assert {state for _, state in world.counts()} == {"delivered"}


def test_where_no_detail_is_read_the_list_names_the_customer_at_once(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, order = shop(worlds, sandbox, style="summary")
    spoil(monkeypatch, "/payments/orders", rows({order: with_address}))
    world.pull()
    assert clients(world) == [f"email:{OTHER}"]


def test_a_detail_that_tells_nothing_new_has_the_customer_made_all_the_same(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, order = shop(worlds, sandbox)
    of_the_list = ("_id", "altId", "currency", "amount", "status", "createdAt", "updatedAt")
    spoil(
        monkeypatch,
        f"/payments/orders/{order}",
        lambda detail: {name: detail[name] for name in of_the_list},
    )
    world.request_pull()
    world.drive()
    assert world.rows("select version from record where kind = 'order'")[0].version == 1
    assert len(clients(world)) == 1
    # And when it is read again, as it was, after the list has named somebody else.
    spoil(monkeypatch, "/payments/orders", rows({order: with_address}))
    world.request_pull()
    world.drive()
    assert f"email:{OTHER}" in clients(world)


def test_an_event_that_comes_while_the_detail_is_read_leaves_no_order_without_its_customer(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, order = shop(worlds, sandbox)

    def meanwhile(*arguments: Any) -> Any:
        monkeypatch.setattr(readings, "get_record", get_record)
        arrive(world, order_event(sandbox, order))
        handle(world.worker)
        assert clients(world) == []  # a worker is reading it
        return get_record(*arguments)

    monkeypatch.setattr(readings, "get_record", meanwhile)
    world.request_pull()
    world.drive()
    assert clients(world) == [whose(sandbox, order)]


def test_an_order_that_an_event_tells_has_its_customer_made_without_a_reading(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world, order = shop(worlds, sandbox)
    world.pull()
    arrive(world, order_event(sandbox, order))
    handle(world.worker)
    assert clients(world) == [whose(sandbox, order)]


def test_a_changed_mapping_makes_no_customer_of_what_is_still_to_be_read(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, order = shop(worlds, sandbox)
    spoil(monkeypatch, "/payments/orders", rows({order: with_address}))
    world.pull()
    world.do("update connection set mapping = mapping || chr(10) || '# another one'")
    request_again(world.reopened())
    assert clients(world) == []
    world.drive()
    assert clients(world) == [whose(sandbox, order)]


def test_a_reading_by_an_old_mapping_leaves_no_order_without_the_customer_of_the_new_one(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, order = shop(worlds, sandbox)
    bare = {"contactSnapshot": {"firstName": "Somebody"}}
    spoil(monkeypatch, "/payments/orders", rows({order: without("contactEmail")}))
    spoil(monkeypatch, f"/payments/orders/{order}", lambda detail: {**detail, **bare})
    follow(world, "park")
    world.request_pull()
    world.drive()
    assert (clients(world), world.counts()["orders", "parked"]) == ([], 1)
    old = world.reopened()
    with world.worker.ledger.begin() as connection:
        reread(connection, old.link, [order], ["detail"], "somebody asks")
    follow(world, "own-client")
    send(old, "highlevel.order")
    world.drive()
    assert len(clients(world)) == 1


def follow(world: World, without_email: str) -> None:
    options = {**INCLUDING_TESTS, "customers": {"without_email": without_email}}
    with world.worker.ledger.begin() as connection:
        replace_mapping(connection, world.reopened().link.id, default_document("detail", options))
    request_again(world.reopened())


def test_two_events_that_come_while_an_order_was_to_be_read_leave_it_not_without_its_customer(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, order = shop(worlds, sandbox)
    other = worlds(joins=True)
    later: dict[str, Any] = {
        "contactSnapshot": {"email": BUYER},
        "updatedAt": f"{datetime.now(UTC):%FT%T.000Z}",
    }
    second = Thread(target=handle, args=[other.worker])

    def first_event(_: Line, leases: list[Lease]) -> list[Lease]:
        arrive(world, order_event(sandbox, order))
        handle(world.worker)
        return leases

    def second_event(*given: Any, **named: Any) -> frozenset[str]:
        monkeypatch.setattr(readings, "request_customers", request_customers)
        arrive(other, order_event(sandbox, order, **later))
        second.start()
        second.join(1)  # until it waits for this transaction
        return request_customers(*given, **named)

    monkeypatch.setattr(readings, "_named", first_event)
    monkeypatch.setattr(readings, "request_customers", second_event)
    link = world.worker.open_line(NAME).link
    with world.worker.ledger.begin() as connection:
        wanted = [reading_request(link, order, "detail", 0)]
        requests.enqueue(connection, link.id, link.tenant, wanted, "a payment")
    send(world.worker.open_line(NAME), "highlevel.order")
    second.join()
    assert f"email:{BUYER}" in clients(world)
