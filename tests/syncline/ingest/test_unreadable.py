"""What cannot be read is parked alone and told once; its neighbours go on, and it heals itself."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.deliveries import parked, unleased
from syncline.ingest.window_reading import WindowReading
from syncline.sandbox.process import SandboxProcess
from tests.events import order_ids
from tests.spoiling import Spoiler, rows, spoil
from tests.world import World, Worlds, small

LIST = "/payments/orders"
DEEP = "RAW:" + "[" * 5000 + "]" * 5000


@pytest.fixture
def world(worlds: Worlds, sandbox: SandboxProcess) -> World:
    small(sandbox, orders=12, transactions=0, subscriptions=0)
    return worlds()


def reasons(world: World) -> dict[str, str]:
    """What is parked, by the record's id."""
    with world.worker.ledger.begin() as connection:
        return {one.source_id: str(one.reason) for one in parked.listed(connection)}


def in_line(world: World) -> int:
    return world.counts().get(("orders", "delivered"), 0)


def spoil_five(monkeypatch: pytest.MonkeyPatch, ids: list[str]) -> Spoiler:
    bad = {
        ids[0]: lambda row: {**row, "_id": "a" * 9000},
        ids[1]: lambda row: {**row, "amount": "RAW:" + "9" * 5000, "discount": "RAW:1e400"},
        ids[2]: lambda row: {**row, "amount": "RAW:NaN"},
        ids[3]: DEEP,
        ids[4]: None,
    }
    return spoil(monkeypatch, LIST, rows(bad))


def test_a_bad_row_is_parked_with_its_place_and_everything_else_goes_on(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = order_ids(sandbox)
    spoiler = spoil_five(monkeypatch, ids)
    finished = world.pull()
    assert (finished.new, finished.states) == (7, ("provisional",))
    [pull] = world.rows("select seen, total, unreadable, rereads from pull")
    assert tuple(pull) == (12, 12, 5, 0)
    world.drive()
    assert in_line(world) == 7
    told = reasons(world)
    assert sum(one.startswith("?") for one in told) == 3
    assert "amount: " in told[ids[1]]
    for reason in told.values():
        assert reason.startswith("Row ")
        assert " of the orders created from " in reason
        assert "Correct the record in HighLevel" in reason

    before = world.rows("select id, xmin::text, reason from delivery order by id")
    sandbox.add_orders(1)
    assert world.pull().new == 1
    after = world.rows("select id, xmin::text, reason from delivery order by id")
    assert [one for one in after if one in before] == before
    world.drive()
    assert (in_line(world), reasons(world)) == (8, told)

    spoiler.on = False
    assert world.pull().new == 5
    world.drive()
    assert (in_line(world), reasons(world)) == (13, {})
    assert sandbox.audit()["clean"]


def test_a_row_without_an_id_cannot_be_tried_and_stops_nothing(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = order_ids(sandbox)
    spoil(monkeypatch, LIST, rows({ids[0]: lambda row: {**row, "_id": ["x"]}}))
    world.pull()
    [nameless] = reasons(world)
    with world.worker.ledger.begin() as connection:
        unleased.retry(connection, None)
    world.drive()
    assert "no id by which it could be read" in reasons(world)[nameless]
    assert world.rows("select state from connection")[0].state == "active"


def test_a_row_is_read_by_its_id_when_it_is_retried_and_not_told_again(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = order_ids(sandbox)
    spoil(monkeypatch, LIST, rows({ids[0]: lambda row: {**row, "amount": "much"}}))
    world.pull()
    assert list(reasons(world)) == [ids[0]]
    with world.worker.ledger.begin() as connection:
        unleased.retry(connection, None, source_id=ids[0])
    world.drive()
    assert (in_line(world), reasons(world)) == (12, {})
    world.pull()
    world.drive()
    assert reasons(world) == {}
    assert sandbox.audit()["clean"]


def test_a_row_that_heals_and_spoils_again_is_told_again(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = order_ids(sandbox)
    spoiler = spoil(monkeypatch, LIST, rows({ids[0]: lambda row: {**row, "amount": "much"}}))
    for on, told in ((True, [ids[0]]), (False, []), (True, [ids[0]])):
        spoiler.on = on
        world.pull()
        assert list(reasons(world)) == told


def test_something_stored_that_is_not_read_any_more_parks_its_record_until_it_is_retried(
    world: World, sandbox: SandboxProcess
) -> None:
    world.request_pull()
    world.drive()
    [first, second, *_] = order_ids(sandbox)
    world.do(
        """
        update facet set payload = jsonb_set(payload, '{amount}', '"much"')
        where facet = 'detail' and foreign_id = :id
        """,
        id=first,
    )
    sandbox.change_orders(ids=[first, second])
    finished = world.pull()
    assert (finished.changed, finished.states) == (1, ("provisional",))
    [(record, reason)] = reasons(world).items()
    assert record == first
    assert "Its detail was stored, and is not as it is read now: " in reason
    assert "amount: " in reason
    with world.worker.ledger.begin() as connection:
        unleased.retry(connection, None)
    world.drive()
    world.request_pull()
    world.drive()
    assert reasons(world) == {}
    assert sandbox.audit()["clean"]


@pytest.mark.parametrize(
    ("facet", "later", "asks"),
    [
        ("list", "0", False),
        ("event", "0", False),
        ("event", "1 day", True),
        ("fulfillments", None, False),
    ],
)
def test_whatever_is_stored_and_not_read_any_more_asks_only_where_it_would_decide(
    world: World, sandbox: SandboxProcess, facet: str, later: str | None, *, asks: bool
) -> None:
    world.request_pull()
    world.drive()
    [first, second, *_] = order_ids(sandbox)
    spoiled = '{"data": [{"_id": ["f"]}]}' if facet == "fulfillments" else '{"_id": ["o"]}'
    world.do(
        """
        insert into facet (place, kind, foreign_id, facet, payload, fingerprint, updated_at)
        select place, kind, foreign_id, cast(:facet as text), cast(:payload as jsonb), '\\x00',
               updated_at + cast(:later as interval)
        from facet where facet = 'detail' and foreign_id = :id
        on conflict (place, kind, foreign_id, facet) do update
        set payload = excluded.payload, fingerprint = excluded.fingerprint
        """,
        facet=facet,
        payload=spoiled,
        id=first,
        later=later,
    )
    sandbox.change_orders(ids=[first, second])
    sandbox.add_orders(1)
    finished = world.pull()
    assert (finished.new, finished.states) == (1, ("provisional",))
    told = reasons(world)
    assert list(told) == ([first] if asks else [])
    assert all(f"Its {facet} was stored, and is not" in reason for reason in told.values())
    with world.worker.ledger.begin() as connection:
        unleased.retry(connection, None)
    world.drive()
    assert (in_line(world), reasons(world)) == (13, {})
    assert sandbox.audit()["clean"]


def test_one_bad_transaction_of_an_order_holds_up_no_other(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(sandbox, orders=2, transactions=0, subscriptions=0)
    world = worlds()
    [order, _] = order_ids(sandbox)
    [good, bad] = sandbox.add_transactions(2, orders=[order, order])
    world.request_pull()
    world.drive()
    path = "/payments/transactions"
    spoiler = spoil(monkeypatch, path, rows({bad: lambda row: {**row, "entityId": [order]}}))
    world.request_pull("transaction")
    world.drive()
    told = reasons(world)
    assert list(told) == [bad]
    assert "entityId: " in told[bad]
    spoiler.on = False
    world.request_pull("transaction")
    world.drive()
    assert reasons(world) == {}
    assert sandbox.audit()["clean"]
    assert good != bad


NONSENSE: dict[str, Any] = {
    "updatedAt": "",
    "createdAt": "2099-12-31T00:00:00Z",
    "contactName": ["Ada"],
    "subtotal": "n/a",
    "sourceType": {"of": "x"},
    "fulfillmentStatus": True,
}


def test_fields_that_are_nonsense_are_counted_once_and_their_orders_are_in_line(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = order_ids(sandbox)[:4]
    spoil(monkeypatch, LIST, rows(dict.fromkeys(ids, lambda row: {**row, **NONSENSE})))
    for _ in range(2):
        world.request_pull()
        world.drive()
        counted = world.rows("select * from left_out order by path")
        assert {(one.side, one.kind, one.path, one.count) for one in counted} == {
            ("highlevel", "order", path, 4) for path in NONSENSE
        }
        assert {one.example for one in counted} <= set(ids)
    assert (in_line(world), reasons(world)) == (12, {})
    assert sandbox.audit()["clean"]


def test_a_worker_that_has_lost_its_window_heals_nothing_by_pages_that_are_gone(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = order_ids(sandbox)
    spoil(monkeypatch, LIST, rows({ids[0]: lambda row: {**row, "_id": ["x"]}}))
    world.pull()
    told = reasons(world)
    certified = WindowReading._certified

    def late(reading: WindowReading) -> str:
        world.do("update pull set owner = null where state = 'running'")
        world.do("delete from pull_page")  # whoever has it by now reads it anew
        return certified(reading)

    monkeypatch.setattr(WindowReading, "_certified", late)
    world.pull()
    assert told
    assert reasons(world) == told
