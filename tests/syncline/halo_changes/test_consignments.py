"""Consignments that show less than was sent are read again, then a person is asked."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from syncline.deliveries import target_rows
from syncline.engine.failures import PARK_AFTER
from syncline.repair.accept import accept, plan_parked
from syncline.sandbox.process import SandboxProcess
from syncline.transport import Answer
from tests.in_between import InBetween, page, said
from tests.shipping import TRACKED, an_order, fulfillments, hint, posts, shipping, the_row
from tests.spoiling import Spoiler, spoil
from tests.world import World, Worlds


@pytest.fixture
def world(worlds: Worlds, sandbox: SandboxProcess) -> World:
    return shipping(worlds, sandbox, orders=8)


def consigned(sandbox: SandboxProcess) -> tuple[str, int, int]:
    """HighLevel's order, Halo's order and a consignment of it, which nobody has read yet."""
    order_id, order, line = an_order(sandbox)
    return order_id, order["id"], sandbox.consign(order["id"], [(line["id"], 1)], TRACKED)


def follow(world: World, number: int, sweeps: int = 3) -> None:
    hint(world, "consignment", number)
    for _ in range(sweeps):
        world.follow_all()


def reading(world: World) -> Any:
    """The one reading of a consignment."""
    [row] = world.rows("select * from delivery where target = 'halo.consignment'")
    return row


def without(name: str) -> Callable[[Any], Any]:
    """A consignment without a field."""
    return lambda row: {key: value for key, value in row.items() if key != name}


def with_lines(**fields: Any) -> Callable[[Any], Any]:
    """A consignment whose lines hold something else."""
    return lambda row: {**row, "lines": [{**line, **fields} for line in row["lines"]]}


def without_in_lines(name: str) -> Callable[[Any], Any]:
    return lambda row: {**row, "lines": [without(name)(line) for line in row["lines"]]}


ILLEGIBLE = {
    "no lines": (without("lines"), "lines"),
    "lines of null": (lambda row: {**row, "lines": None}, "lines"),
    "a line that is nonsense": (lambda row: {**row, "lines": [*row["lines"], "one"]}, "lines"),
    "no quantity": (without_in_lines("quantity"), "lines.quantity"),
    "a quantity of null": (with_lines(quantity=None), "lines.quantity"),
    "a quantity that is nonsense": (with_lines(quantity="a few"), "lines.quantity"),
    "a return or not, but nonsense": (lambda row: {**row, "is_return": {"is": 1}}, "is_return"),
    "a line of a return or not": (with_lines(is_return="Y"), "lines.is_return"),
    "no order anywhere and no lines": (lambda row: {"id": row["id"]}, "lines"),
}


def spoiled(monkeypatch: pytest.MonkeyPatch, number: int, change: Callable[[Any], Any]) -> Spoiler:
    return spoil(monkeypatch, f"/Consignment/{number}", change)


@pytest.mark.parametrize("kind", ILLEGIBLE)
def test_a_consignment_that_does_not_show_what_was_sent_is_read_again_and_posted_when_it_does(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    change, field = ILLEGIBLE[kind]
    order_id, _, number = consigned(sandbox)
    spoiler = spoiled(monkeypatch, number, change)
    follow(world, number)
    row = reading(world)
    assert (row.state, row.failures) == ("due", row.attempt)
    assert row.reason == f"Halo does not show {field} of consignment {number}, read by its id."
    assert posts(sandbox) == 0
    spoiler.on = False
    world.drive()
    [made] = fulfillments(sandbox, order_id)
    assert the_row(world).target_id == made["_id"]


def test_a_consignment_that_stays_illegible_is_parked_with_its_field_and_posted_after_a_retry(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id, _, number = consigned(sandbox)
    spoiler = spoiled(monkeypatch, number, without("lines"))
    hint(world, "consignment", number)
    world.drive()
    row = reading(world)
    assert (row.state, row.field, row.attempt) == ("parked", "lines", PARK_AFTER + 1)
    assert "Give our application leave to see all of such rows" in row.reason
    spoiler.on = False
    follow(world, number)
    world.drive()
    assert len(fulfillments(sandbox, order_id)) == 1


def test_an_answer_with_another_row_is_not_taken_for_it_also_after_failures_of_another_kind(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id, _, number = consigned(sandbox)
    spoiler = spoiled(monkeypatch, number, lambda row: {**row, "id": row["id"] + 1})
    follow(world, number)
    world.do("update delivery set failures = 6 where target = 'halo.consignment'")
    world.follow_all()
    row = reading(world)
    assert (row.state, row.failures) == ("due", 7)
    assert f"/Consignment/{number} with the row {number + 1}" in row.reason
    spoiler.on = False
    world.drive()
    assert len(fulfillments(sandbox, order_id)) == 1


@pytest.mark.parametrize("answer", [said(500, {"message": "Object reference."}), page()])
@pytest.mark.parametrize("failing", ["Consignment", "SalesOrder"])
def test_a_consignment_that_alone_or_whose_order_alone_fails_again_and_again_asks_a_person(
    world: World, sandbox: SandboxProcess, in_between: InBetween, answer: Answer, failing: str
) -> None:
    _, halo_id, number = consigned(sandbox)
    path = f"/{failing}/{number if failing == 'Consignment' else halo_id}"
    in_between.answers = answer
    in_between.wanted = lambda call, _: call.startswith("GET") and path in call
    follow(world, number)
    world.do(
        "update delivery set failures = :many where target = 'halo.consignment'", many=PARK_AFTER
    )
    world.follow_all()
    row = reading(world)
    assert row.state == "parked"
    assert f"in vain, {PARK_AFTER} times in a row" in row.reason


def test_a_shipment_that_was_posted_is_not_taken_for_changed_by_an_illegible_reading(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, number = consigned(sandbox)
    hint(world, "consignment", number)
    world.drive()
    spoiled(monkeypatch, number, lambda row: {"id": row["id"], "lines": []})
    hint(world, "consignment", number)
    world.drive()
    assert (the_row(world).state, the_row(world).wanted_version) == ("delivered", 1)
    assert (reading(world).state, reading(world).field) == ("parked", "salesorder_id")


def test_a_return_that_only_a_line_tells_is_parked_as_one_and_not_posted(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, order, line = an_order(sandbox)
    number = sandbox.consign(order["id"], [(line["id"], 1)], TRACKED)

    def with_one_back(row: Any) -> Any:
        [sent] = row["lines"]
        return {**row, "lines": [sent, {**sent, "id": sent["id"] + 1, "is_return": True}]}

    spoiled(monkeypatch, number, with_one_back)
    hint(world, "consignment", number)
    world.drive()
    row = the_row(world)
    assert (row.state, row.field, posts(sandbox)) == ("parked", "is_return", 0)
    assert "beside a shipment of 1" in row.reason


@pytest.mark.parametrize("told", [{}, {"salesorder_id": None}, {"salesorder_id": 0}])
def test_the_order_is_taken_from_the_lines_where_the_header_does_not_tell_it(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, told: dict[str, Any]
) -> None:
    order_id, _, number = consigned(sandbox)
    spoiled(monkeypatch, number, lambda row: {**without("salesorder_id")(row), **told})
    hint(world, "consignment", number)
    world.drive()
    assert len(fulfillments(sandbox, order_id)) == 1


@pytest.mark.parametrize("lines", [[], [{"id": 1, "salesorder_line": 1}]])
def test_a_consignment_of_really_no_order_is_done_with(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, lines: list[Any]
) -> None:
    _, _, number = consigned(sandbox)
    spoiled(monkeypatch, number, lambda row: {"id": row["id"], "lines": lines})
    hint(world, "consignment", number)
    world.drive()
    assert (reading(world).state, reading(world).attempt) == ("delivered", 1)


DENYING = {
    "no lines": (lambda row: {**row, "lines": []}, "which shows none of its goods."),
    "no quantities": (with_lines(quantity=0), "which shows none of its goods."),
    "no order": (
        lambda row: {**without_in_lines("salesorder_id")(row), "salesorder_id": None},
        "which shows no order.",
    ),
}


@pytest.mark.parametrize("kind", DENYING)
def test_a_consignment_that_shows_nothing_of_what_its_order_says_is_read_again(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    change, says = DENYING[kind]
    order_id, halo_id, number = consigned(sandbox)
    spoiler = spoiled(monkeypatch, number, change)
    hint(world, "salesorder", halo_id)
    for _ in range(3):
        world.follow_all()
    row = reading(world)
    assert row.state == "due"
    assert row.reason == f"Halo's order {halo_id} names consignment {number}, {says}"
    spoiler.on = False
    world.drive()
    assert len(fulfillments(sandbox, order_id)) == 1


def test_a_consignment_that_an_order_names_and_halo_says_is_not_there_is_read_again(
    world: World, sandbox: SandboxProcess, in_between: InBetween
) -> None:
    order_id, halo_id, number = consigned(sandbox)
    in_between.answers = said(404, {"Message": "Consignment was not found."})
    in_between.wanted = lambda call, _: call.startswith("GET") and f"/Consignment/{number}" in call
    hint(world, "salesorder", halo_id)
    for _ in range(3):
        world.follow_all()
    # What its own event asks for forgets nothing of what the order says.
    hint(world, "consignment", number)
    for _ in range(2):
        world.follow_all()
    assert reading(world).state == "due"
    assert "which Halo says is not there" in reading(world).reason
    in_between.answers = None
    world.drive()
    assert len(fulfillments(sandbox, order_id)) == 1


def test_a_consignment_that_was_seen_and_is_deleted_is_not_said_to_be_hidden(
    world: World, sandbox: SandboxProcess, in_between: InBetween
) -> None:
    _, halo_id, number = consigned(sandbox)
    hint(world, "salesorder", halo_id)
    world.drive()
    world.do("delete from delivery where flow = 'fulfillments'")  # as where none is wanted
    in_between.answers = said(404, {"Message": "Consignment was not found."})
    in_between.wanted = lambda call, _: call.startswith("GET") and f"/Consignment/{number}" in call
    follow(world, number)
    assert reading(world).state == "delivered"


@pytest.mark.parametrize("header", [True, False])
def test_a_consignment_of_several_orders_asks_a_person_at_once_if_one_of_them_is_ours(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, header: bool
) -> None:
    _, halo_id, number = consigned(sandbox)
    told = {"salesorder_id": halo_id} if header else {}
    ids = [halo_id, 0, 999_001]
    lines = [{"id": at, "quantity": 1, "salesorder_id": one} for at, one in enumerate(ids)]
    of_strangers = [{**line, "salesorder_id": 999_000 + at} for at, line in enumerate(lines)]
    spoiler = spoiled(monkeypatch, number, lambda row: {"id": row["id"], "lines": of_strangers})
    hint(world, "consignment", number)
    world.drive()
    assert reading(world).state == "delivered"
    spoiler.change = lambda row: {"id": row["id"], "lines": lines, **told}
    hint(world, "consignment", number)
    world.drive()
    row = reading(world)
    assert (row.state, row.field, row.attempt) == ("parked", "salesorder_id", 2)
    assert f"several orders of Halo, {halo_id} and 999001," in row.reason
    assert posts(sandbox) == 0


@pytest.mark.parametrize("change", [with_lines(quantity=0), lambda row: {**row, "lines": []}])
def test_a_consignment_that_really_holds_nothing_settles_without_a_post(
    world: World,
    sandbox: SandboxProcess,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Any], Any],
) -> None:
    _, halo_id, number = consigned(sandbox)
    spoiled(monkeypatch, number, change)
    spoil(monkeypatch, f"/SalesOrder/{halo_id}", with_lines(consignment_ids=[]))
    hint(world, "consignment", number)
    world.drive()
    assert (the_row(world).state, reading(world).state) == ("delivered", "delivered")
    assert posts(sandbox) == 0


def no_order(in_between: InBetween, halo_id: int) -> None:
    """Halo says that it has no such order."""
    in_between.answers = said(404, {"Message": "SalesOrder was not found."})
    in_between.wanted = lambda call, _: call.startswith("GET") and f"/SalesOrder/{halo_id}" in call


def test_a_consignment_whose_order_of_ours_is_not_shown_for_once_is_posted_all_the_same(
    world: World, sandbox: SandboxProcess, in_between: InBetween
) -> None:
    order_id, halo_id, number = consigned(sandbox)
    no_order(in_between, halo_id)
    follow(world, number)
    assert reading(world).state == "due"
    in_between.answers = None
    world.drive()
    assert len(fulfillments(sandbox, order_id)) == 1


def test_a_consignment_whose_order_of_ours_is_never_shown_is_parked_and_can_be_left_so(
    world: World, sandbox: SandboxProcess, in_between: InBetween
) -> None:
    order_id, halo_id, number = consigned(sandbox)
    no_order(in_between, halo_id)
    hint(world, "consignment", number)
    world.drive()
    row = reading(world)
    assert (row.state, row.field) == ("parked", "salesorder_id")
    assert f"does not show the order {halo_id} of consignment {number}, which is {order_id}" in (
        row.reason
    )
    line = world.reopened()
    known = world.worker.ledger.run(partial(target_rows.of_ids, ids=[row.id]))
    plans = plan_parked(line, list(known.values()))
    assert accept(line, plans, "parked accept", "ada") == plans
    assert (reading(world).state, reading(world).reason) == ("delivered", None)
    # Said once more, it is not told once more; read as it should be, it is as any other.
    hint(world, "consignment", number)
    world.drive()
    assert reading(world).state == "delivered"
    in_between.answers = None
    hint(world, "consignment", number)
    world.drive()
    assert len(fulfillments(sandbox, order_id)) == 1
    assert reading(world).target_meta == {}
