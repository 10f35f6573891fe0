"""The first rows of a kind are read back whole, and what does not come back holds up its kind."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from syncline.calls import capabilities
from syncline.connections.run import replace_mapping
from syncline.deliveries import unleased
from syncline.engine.failures import PARK_AFTER
from syncline.errors import Absent, SynclineError, Unreadable
from syncline.halo import lines
from syncline.halo.entities.rows import read_row
from syncline.halo.models import HaloRow
from syncline.halo.round_trip import Mismatch
from syncline.ledger import connections
from syncline.mapping.shipped import default_document
from syncline.sandbox.process import SandboxProcess
from syncline.sending import completing
from syncline.sending.tenant import by_id
from tests.tenants import brought_over, operations, parked
from tests.world import ENDED, INCLUDING_TESTS, NAME, World, Worlds, small

_DUE = """
[[payments.field]]
target = "invoice.duedate"
source = "created_at"
type = "date"
owner = "highlevel"
"""
UNKNOWN = {"quantity": "quantity_unheard", "tax": "tax_unheard"}


def nobody_takes_quantities(monkeypatch: pytest.MonkeyPatch) -> None:
    """No spelling that we know is the tenant's."""
    unheard = dict.fromkeys(lines.SPELLINGS, UNKNOWN)
    monkeypatch.setattr(lines, "_ORDERS", unheard)


def states(world: World, target: str) -> set[str]:
    found = world.rows("select state from delivery where target = :target", target=target)
    return {row.state for row in found}


def held_up(worlds: Worlds, sandbox: SandboxProcess, patched: pytest.MonkeyPatch) -> World:
    """A world whose orders wait, since the first did not come back as it was sent."""
    small(sandbox, orders=12, customers=2, transactions=0, subscriptions=0)
    world = worlds()
    with patched.context() as within:
        nobody_takes_quantities(within)
        world.pull()
        while not parked(world):
            world.follow_all()
        for _ in range(3):
            world.follow_all()
    return world


def test_an_order_that_comes_back_in_no_spelling_is_parked_with_both_values_and_holds_up_its_kind(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = held_up(worlds, sandbox, monkeypatch)
    [order] = parked(world)
    assert order.reason.startswith(f"{order.field}: wanted ")
    assert states(world, "order") == {"parked", "due"}
    assert len(sandbox.halo_orders()) == 1
    assert operations(sandbox)["POST /SalesOrder"] == len(lines.SPELLINGS)
    known = capabilities.known(world.worker.open_line(NAME))
    failed = known.round_trip("order").failed
    assert isinstance(failed, Mismatch)
    assert f"wanted {failed.wanted}, Halo holds {failed.got}" in order.reason


def test_once_a_person_has_put_it_right_the_kind_goes_on(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = held_up(worlds, sandbox, monkeypatch)
    with world.worker.ledger.begin() as connection:
        unleased.retry(connection, None)
    world.drive()
    assert states(world, "order") == {"delivered"}
    assert sandbox.audit()["clean"]


@pytest.mark.parametrize("target", ["order", "invoice", "payment"])
def test_the_first_of_a_kind_is_alone_until_it_was_read_back(
    worlds: Worlds, sandbox: SandboxProcess, target: str
) -> None:
    world = brought_over(worlds, sandbox, currencies=("USD",))
    path = {"order": "/SalesOrder", "invoice": "/Invoice", "payment": "/InvoicePayment"}[target]
    wrote, read = f"POST {path}", f"GET {path}/{{id}}"
    made = [call for call in sandbox.calls("halo") if call["operation"] in {wrote, read}]
    assert [made[0]["elements"], made[1]["operation"]] == [1, read]
    traits = capabilities.known(world.worker.open_line(NAME)).round_trip(target).traits
    assert {"row"} <= traits
    assert sum(call["operation"] == read for call in made) <= 4


@pytest.mark.parametrize(
    ("target", "field"),
    [
        *(("order", name) for name in ("currency_code", "total", "tax_total", "client_id")),
        *(("invoice", name) for name in ("currency_code", "total", "tax_total")),
        *(("payment", name) for name in ("amount", "invoice_id")),
    ],
)
def test_what_is_kept_otherwise_than_it_was_answered_holds_up_its_kind(
    worlds: Worlds,
    sandbox: SandboxProcess,
    monkeypatch: pytest.MonkeyPatch,
    target: str,
    field: str,
) -> None:
    def with_more(*given: Any) -> HaloRow:
        row: HaloRow = read_row(*given)
        value = row.raw.get(field)
        if given[2].name != target or value is None:
            return row
        return row.of({**row.raw, field: value + 1})

    monkeypatch.setattr(by_id, "read_row", with_more)
    monkeypatch.setattr("syncline.sending.targets.read_row", with_more)
    small(sandbox, orders=4, customers=2, transactions=6, subscriptions=0, money=True)
    world = worlds()
    for kind in ("order", "transaction"):
        world.pull(kind)
    while not parked(world):
        world.follow_all()
    for _ in range(4):
        world.follow_all()
    # A credit note is an invoice too.
    [row] = [one for one in parked(world) if one.target == target]
    assert row.field == field
    assert "delivered" not in states(world, target)
    assert row.reason.startswith(f"{field}: wanted ")


@pytest.mark.parametrize("error", [Absent, Unreadable])
def test_one_answer_that_is_no_row_proves_nothing_of_its_kind(
    worlds: Worlds,
    sandbox: SandboxProcess,
    monkeypatch: pytest.MonkeyPatch,
    error: type[SynclineError],
) -> None:
    asked: list[int] = []

    def later(*given: Any) -> HaloRow:
        row: HaloRow = read_row(*given)
        if given[2].name != "order":
            return row
        asked.append(row.id)
        if len(asked) == 1:
            raise error("Halo answered GET /SalesOrder with something else.")
        return row.of({**row.raw, "currency_code": 99})

    monkeypatch.setattr(by_id, "read_row", later)
    monkeypatch.setattr("syncline.sending.targets.read_row", later)
    monkeypatch.setattr(completing, "LATE_PAUSE", timedelta(0))
    small(sandbox, orders=4, customers=2, transactions=0, subscriptions=0)
    world = worlds()
    world.pull()
    while not parked(world):
        world.follow_all()
    [order] = parked(world)
    assert (order.target, order.field) == ("order", "currency_code")
    assert "delivered" not in states(world, "order")
    assert operations(sandbox)["POST /SalesOrder"] == 1


@pytest.mark.parametrize("kept", [None, "", "0001-01-01T00:00:00", "2001-02-03T00:00:00"])
def test_a_due_date_that_is_not_kept_holds_up_the_invoices(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, kept: str | None
) -> None:
    def with_another(*given: Any) -> HaloRow:
        row: HaloRow = read_row(*given)
        return row.of({**row.raw, "duedate": kept}) if "duedate" in row.raw else row

    monkeypatch.setattr(by_id, "read_row", with_another)
    monkeypatch.setattr("syncline.sending.targets.read_row", with_another)
    world = with_due_dates(worlds, sandbox)
    while not parked(world):
        world.follow_all()
    world.drive(at_rest=("due", "waiting", *ENDED))
    [invoice] = parked(world)
    assert (invoice.target, invoice.field) == ("invoice", "duedate")
    assert states(world, "invoice") == {"parked", "due"}
    assert operations(sandbox)["POST /Invoice"] == 1


def test_a_due_date_that_is_not_kept_is_found_though_the_answer_was_lost(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(*given: Any) -> HaloRow:
        row: HaloRow = read_row(*given)
        return row.of({**row.raw, "duedate": None}) if "duedate" in row.raw else row

    monkeypatch.setattr(by_id, "read_row", without)
    monkeypatch.setattr("syncline.sending.targets.read_row", without)
    world = with_due_dates(worlds, sandbox)
    sandbox.faults(side="halo", operation="POST /Invoice", kind="cut_after", next=1)
    while not parked(world):
        world.follow_all()
    [invoice] = parked(world)
    assert (invoice.target, invoice.field) == ("invoice", "duedate")
    assert "delivered" not in states(world, "invoice")


def test_a_due_date_that_is_kept_is_read_back_once(worlds: Worlds, sandbox: SandboxProcess) -> None:
    world = with_due_dates(worlds, sandbox)
    world.drive()
    assert parked(world) == []
    known = capabilities.known(world.worker.open_line(NAME))
    assert "due date" in known.round_trip("invoice").traits
    assert operations(sandbox)["GET /Invoice/{id}"] <= 4
    assert sandbox.audit()["clean"]


def with_due_dates(worlds: Worlds, sandbox: SandboxProcess) -> World:
    """A world whose mapping dates invoices, with orders and their money read."""
    small(sandbox, orders=4, customers=2, transactions=6, subscriptions=0, money=True)
    world = worlds()
    text = default_document("detail", INCLUDING_TESTS) + _DUE
    with world.worker.ledger.begin() as connection:
        replace_mapping(connection, connections.by_name(connection, NAME).id, text)
    world.reopened()
    world.follow_all()
    for kind in ("order", "transaction"):
        world.pull(kind)
    return world


@pytest.mark.parametrize("shown", [None, "many", [None, 7]])
@pytest.mark.parametrize("in_doubt", [False, True])
def test_a_row_that_shows_no_lines_even_by_its_id_is_parked_after_few_looks_and_one_write(
    worlds: Worlds,
    sandbox: SandboxProcess,
    monkeypatch: pytest.MonkeyPatch,
    shown: Any,
    *,
    in_doubt: bool,
) -> None:
    def without_lines(*given: Any) -> HaloRow:
        row: HaloRow = read_row(*given)
        return row.of({**row.raw, "lines": shown}) if "lines" in row.raw else row

    monkeypatch.setattr(by_id, "read_row", without_lines)
    monkeypatch.setattr("syncline.sending.targets.read_row", without_lines)
    small(sandbox, orders=2, customers=1, transactions=0, subscriptions=0, halo_shape="printed")
    if in_doubt:
        sandbox.faults(side="halo", operation="POST /SalesOrder", kind="cut_after", next=1)
    world = worlds()
    world.pull()
    while not parked(world):
        world.follow_all()
    [order] = parked(world)
    assert "does not show lines of order" in order.reason
    made = operations(sandbox)
    assert made["POST /SalesOrder"] == 1
    assert made["GET /SalesOrder/{id}"] <= PARK_AFTER + 2
    assert made.total() < 60
    cut = [one for one in sandbox.calls("halo") if one["fault"] == "cut_after"]
    assert bool(cut) == in_doubt
    assert world.failures == []
