"""What `syncline show order` tells of one order."""

from __future__ import annotations

from syncline.cli.show import FieldPair, beside
from tests.syncline.cli.conftest import LedgerScene, Run, document

CONFIRMED = {
    "po_number": "HL-o1",
    "client_id": "5",
    "currency_code": "1",
    "total": "10.5",
    "lines": "1",
    "line Order HL-o1: 1 at 10.5, tax 0": "1",
    "note": "Status: completed",
}


def test_both_sides_stand_beside_each_other() -> None:
    canonical = {"id": "o1", "amount": "10.50", "currency": "USD", "contact": {"name": "Ada"}}
    pairs = {pair.field: pair for pair in beside(canonical, CONFIRMED, {1: "USD"})}
    assert pairs["reference"] == FieldPair("reference", "HL-o1", "HL-o1")
    assert pairs["currency"] == FieldPair("currency", "USD", "USD")
    assert pairs["total"] == FieldPair("total", "10.50", "10.5")
    assert pairs["customer"] == FieldPair("customer", "Ada", "5")
    assert pairs["note"] == FieldPair("note", None, "Status: completed")
    assert not any(name.startswith("line ") for name in pairs)


def test_what_halo_has_not_confirmed_is_left_open() -> None:
    pairs = beside({"id": "o1", "amount": "10.50"}, None, {})
    assert {pair.halo for pair in pairs} == {None}


def test_the_items_of_an_order_are_told_with_what_else_becomes_a_line() -> None:
    canonical = {"id": "o1", "items": [{}, {}], "shipping": "4.99", "discount": "0.00"}
    [lines] = [pair for pair in beside(canonical, None, {}) if pair.field == "lines"]
    assert lines.highlevel == "2 items, shipping"


def test_an_order_is_shown_with_its_changes_deliveries_and_effects(
    scene: LedgerScene, run: Run
) -> None:
    scene.see("o1")
    [lease] = scene.claim()
    scene.deliver(lease, **CONFIRMED)
    scene.see("o1", status="refunded", subtotal=10.5)
    shown = document(run("show", "order", "o1", "--json"))
    [side] = shown["sides"]
    assert (side["connection"], side["state"], side["target_id"]) == ("acme", "due", "77")
    history = shown["history"]
    assert [change["version"] for change in history["changes"]] == [1, 2]
    assert history["changes"][1]["fields"]["status"] == ["completed", "refunded"]
    [effect] = history["audit"]
    assert (effect["effect"], effect["target_id"], effect["cause"]) == ("create", "77", "pull 1")
    table = run("show", "order", "o1").stdout
    assert "status: completed → refunded" in table
    assert "nothing → " in table
    assert "None" not in table
    assert "Halo's order 77" in table


def test_an_order_that_the_mapping_leaves_out_says_so(scene: LedgerScene, run: Run) -> None:
    scene.see("o1", liveMode=False)
    assert "the mapping leaves it out" in run("show", "order", "o1").stdout


def test_an_order_that_was_never_seen_says_how_to_read_it(scene: LedgerScene, run: Run) -> None:
    result = run("show", "order", "nothing")
    assert result.exit_code == 2
    assert "syncline enqueue pull-orders" in result.stderr
