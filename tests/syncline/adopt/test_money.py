"""Money that Halo holds already is taken over: nothing doubled, and only references change."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from syncline.adopt.run import AdoptionResult, apply_survey, begin, survey
from syncline.adopt.single_rows import ChosenRow, take
from syncline.calls.calls import halo_calls
from syncline.errors import Refused
from syncline.halo.entities.resources import INVOICE
from syncline.halo.entities.rows import read_row, save_rows
from syncline.queues import Lane
from syncline.sandbox.location.store import PAID_STATUSES
from syncline.sandbox.process import SandboxProcess
from tests.adopting import (
    adopted,
    killed_while_it_applies,
    money_held,
    posts,
    quiet,
    standing,
    surveyed,
)
from tests.variants import mostly
from tests.world import PROFILES, World, Worlds, small

MONEY: dict[str, Any] = {
    "orders": 16,
    "transactions": 26,
    "subscriptions": 6,
    "customers": 6,
    "money": True,
    "details": False,
}
KINDS = ("order", "transaction", "subscription")
REFERENCES = {
    "thirdpartyinvoicenumber",
    "intent_id",
    "thirdpartyid",
    "external_links",
    "last_modified",
    "payments",
}


def wrong(sandbox: SandboxProcess) -> dict[str, Any]:
    """What is not in line, but for the lines of orders that another tool has summed up."""
    verdict = sandbox.audit()
    kinds = verdict["counts"].keys() - {"wrong_amounts", "wrong_lines"}
    return {kind: verdict[kind] for kind in kinds if verdict["counts"][kind]}


def started(world: World) -> None:
    """Begin, and read and deliver all that there is."""
    begin(world.reopened())
    world.reopened()
    for kind in KINDS:
        world.request_pull(kind)
    world.drive()


def pairs(done: AdoptionResult, group: str) -> set[int]:
    return {one.halo for one in done.money.groups[group].matched}


def assert_only_references_changed(
    before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]
) -> None:
    for key, row in before.items():
        changed = {name for name in {*row, *after[key]} if row.get(name) != after[key].get(name)}
        assert changed <= REFERENCES | SETTLED, (key, changed)


SETTLED = {"amountpaid", "amountdue", "paymentstatus", "datepaid"}
"""What Halo works out anew of an invoice that a further payment is made on."""


@pytest.mark.parametrize("profile", mostly("generous"))
def test_all_money_that_halo_holds_is_taken_over_and_the_rest_is_made(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    small(sandbox, profile=profile, seed=1, **MONEY)
    planting = {"share": 0.8, "near_misses": 0, "money": 0.8, "seed": 1}
    truth = sandbox.post("/plant", planting)["money"]
    assert min(map(len, (truth["invoices"], truth["payments"], truth["subscriptions"]))) > 1
    world = standing(worlds, style="summary")
    before = money_held(world)
    done = adopted(world)
    assert done.unwritten == 0
    assert done.money.doubtful == 0, done.money.groups
    assert {one.source: one.halo for one in done.money.groups["invoices"].matched} == truth[
        "invoices"
    ]
    assert pairs(done, "payments") == set(truth["payments"].values())
    assert pairs(done, "credits") == set(truth["credits"].values())
    assert pairs(done, "subscriptions") == set(truth["subscriptions"].values())
    started(world)
    assert_only_references_changed(before, money_held(world))
    assert wrong(sandbox) == {}
    for currency, sides in sandbox.audit()["sums"].items():
        assert sides["halo"] == sides["highlevel"], currency


def test_a_number_that_stood_there_is_kept_and_a_payment_providers_stays(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, **MONEY)
    truth = sandbox.post("/plant", {"near_misses": 0, "money": 1})["money"]
    world = standing(worlds, style="summary")
    before = money_held(world)
    adopted(world)
    after = money_held(world)
    for source, row in truth["invoices"].items():
        was, now = before[f"invoice {row}"], after[f"invoice {row}"]
        assert now["thirdpartyinvoicenumber"] == f"HL-{source}"
        [link] = now["external_links"]
        assert was["thirdpartyinvoicenumber"] in link["third_party_desc"]
    kept = set()
    for row in truth["payments"].values():
        was, now = before[f"payment {row}"], after[f"payment {row}"]
        assert now["thirdpartyid"].startswith("HL-")
        assert now["intent_id"] == (was["intent_id"] or now["thirdpartyid"])
        kept.add(bool(was["intent_id"]))
    assert kept == {True, False}
    entries = {
        (one.target, one.target_id): one
        for one in world.rows("select * from audit_entry where cause = 'adopt'")
    }
    for row in truth["payments"].values():
        told = entries["payment", str(row)].before
        assert told["thirdpartyid"] == before[f"payment {row}"]["thirdpartyid"]
        assert told["intent_id"] == before[f"payment {row}"]["intent_id"]
    # A payment that keeps its provider's number is not looked for by ours.
    assert "GET /InvoicePayment" not in {call["operation"] for call in sandbox.calls("halo")}


def test_a_payment_providers_number_outlasts_a_refund(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, **MONEY)
    truth = sandbox.post("/plant", {"near_misses": 0, "money": 1})["money"]
    world = standing(worlds, style="summary")
    before = money_held(world)
    adopted(world)
    begin(world.reopened())
    refunded = sandbox.change_transactions(8, what="refund")
    kept = [
        f"payment {truth['payments'][one]}"
        for one in refunded
        if one in truth["payments"] and before[f"payment {truth['payments'][one]}"]["intent_id"]
    ]
    assert kept
    world.reopened()
    for kind in KINDS:
        world.request_pull(kind)
    world.drive()
    after = money_held(world)
    assert {key: after[key]["intent_id"] for key in kept} == {
        key: before[key]["intent_id"] for key in kept
    }
    assert wrong(sandbox) == {}


def test_a_survey_of_money_writes_nothing_outside(worlds: Worlds, sandbox: SandboxProcess) -> None:
    small(sandbox, **MONEY)
    sandbox.post("/plant", {"money": 1, "money_near_misses": 0.3})
    world = standing(worlds, style="summary")
    assert surveyed(world).money.matched > 0
    assert posts(sandbox) == []
    assert not world.rows("select 1 from delivery where target_id is not null")


@pytest.mark.parametrize("seed", mostly(4, of=(3, 4)))
def test_near_misses_of_money_are_parked_and_never_made_a_second_time(
    worlds: Worlds, sandbox: SandboxProcess, seed: int
) -> None:
    small(sandbox, seed=seed, **MONEY)
    planting = {"near_misses": 0, "money": 1, "money_near_misses": 0.5, "seed": seed}
    truth = sandbox.post("/plant", planting)["money"]
    world = standing(worlds, style="summary")
    done = adopted(world)
    asked = {
        f"{name} {one.source}"
        for name, group in (("invoice", "invoices"), ("payment", "payments"), ("credit", "credits"))
        for one in done.money.groups[group].doubtful
    }
    assert set(truth["near_misses"]) <= asked
    for group, kind in (("invoices", "invoices"), ("payments", "payments"), ("credits", "credits")):
        assert pairs(done, group) <= set(truth[kind].values())
    begin(world.reopened())
    world.reopened()
    for _ in range(20):
        world.follow_all()
    parked = world.rows("select * from delivery where state = 'parked'")
    assert {(row.field, row.target_id) for row in parked} == {("adopt", None)}
    assert {(row.source_id, row.role) for row in parked if row.flow == "payments"} == {
        (one.source, one.role)
        for group in done.money.groups.values()
        for one in group.doubtful
        if one.role != "recurring"
    }
    duplicates = sandbox.audit()["counts"]
    twins = [key for key, kind in truth["near_misses"].items() if kind == "twins"]
    assert duplicates["duplicate_payments"] == 0
    assert duplicates["duplicate_invoices"] == 0, twins


def test_a_person_decides_which_invoice_it_is_and_then_what_was_paid_on_it(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, **{**MONEY, "orders": 4, "transactions": 4, "subscriptions": 0})
    sandbox.post("/plant", {"near_misses": 0, "money": 1, "money_near_misses": 1})
    world = standing(worlds, style="summary")
    before = money_held(world)
    doubt = adopted(world).money.groups["invoices"].doubtful[0]
    row = doubt.candidates[0].halo
    wanted = ChosenRow("invoice", doubt.source)
    assert take(world.reopened(), {wanted: row}, quiet) == 0
    after = money_held(world)
    assert len(after) == len(before)
    assert after[f"invoice {row}"]["thirdpartyinvoicenumber"] == f"HL-{doubt.source}"
    assert after[f"invoice {row}"]["total"] == before[f"invoice {row}"]["total"]
    with pytest.raises(Refused, match="not open to be adopted"):
        take(world.reopened(), {wanted: row}, quiet)


def test_a_recurring_invoice_that_bills_by_itself_is_named_and_left_as_it_is(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, **MONEY)
    truth = sandbox.post("/plant", {"near_misses": 0, "money": 1, "billing": 0.5})["money"]
    assert truth["billing"]
    world = standing(worlds, style="summary")
    before = money_held(world)
    done = adopted(world)
    assert list(done.money.billing) == sorted(truth["billing"])
    begin(world.reopened())
    sandbox.change_subscriptions(6, what="amount")
    world.reopened()
    world.request_pull("subscription")
    world.drive()
    after = money_held(world)
    for row in truth["billing"]:
        assert after[f"recurring {row}"] == before[f"recurring {row}"]
    assert sandbox.audit()["counts"]["duplicate_subscriptions"] == 0


def test_an_invoice_that_stands_before_anybody_paid_is_not_made_again_when_somebody_does(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, **{**MONEY, "transactions": 0, "subscriptions": 0})
    truth = sandbox.post("/plant", {"near_misses": 0, "money": 1})["money"]
    world = standing(worlds, style="summary")
    assert pairs(adopted(world), "invoices") == set(truth["invoices"].values())
    sandbox.add_transactions(20)
    started(world)
    assert wrong(sandbox) == {}


@pytest.mark.parametrize("point", mostly(6, 16, of=range(2, 32)))
def test_killed_anywhere_no_money_is_doubled(
    worlds: Worlds, sandbox: SandboxProcess, point: int
) -> None:
    profile = PROFILES[point // 2 % 3]
    few = {"orders": 5, "transactions": 7, "subscriptions": 2, "customers": 3}
    small(sandbox, seed=point, profile=profile, **{**MONEY, **few})
    sandbox.post("/plant", {"share": 0.8, "near_misses": 0, "money": 0.8, "seed": point})
    world = standing(worlds, style="summary")
    seen = surveyed(world)
    killed_while_it_applies(world, seen, lambda number, _: number == point)
    other = worlds(joins=True)
    before = money_held(other)
    assert adopted(other).unwritten == 0
    started(other)
    assert_only_references_changed(before, money_held(other))
    assert wrong(sandbox) == {}


@pytest.mark.parametrize("profile", mostly("plain"))
def test_started_by_hand_after_a_death_in_the_middle_no_money_is_doubled(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    small(sandbox, profile=profile, **{**MONEY, "orders": 5, "transactions": 7})
    sandbox.post("/plant", {"near_misses": 0, "money": 1})
    world = standing(worlds, style="summary")
    seen = surveyed(world)
    killed_while_it_applies(world, seen, lambda _, name: name == "before POST")
    other = worlds(joins=True)
    before = money_held(other)
    started(other)
    assert len(money_held(other)) == len(before)
    assert wrong(sandbox) == {}


def test_an_older_order_that_later_money_belongs_to_is_taken_over_too(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, **{**MONEY, "transactions": 0, "subscriptions": 0})
    truth = sandbox.post("/plant", {"near_misses": 0, "money": 1})
    world = standing(worlds, style="summary")
    today = world.worker.now().date()
    created = {
        order: sandbox.get(f"/state/orders/{order}")["createdAt"][:10] for order in truth["matches"]
    }
    paid = [sandbox.get(f"/state/transactions/{one}") for one in sandbox.add_transactions(9)]
    named = {
        str(one["entityId"])
        for one in paid
        if one["status"] in PAID_STATUSES and one["amount"] and "entityId" in one
    }
    older = {order for order in named & set(created) if created[order] < today.isoformat()}
    assert older
    line = world.reopened()
    done = apply_survey(line, survey(line, today, quiet), quiet)
    matched = {one.order: one.halo for one in done.found.matched}
    assert {order: matched.get(order) for order in older} == {
        order: truth["matches"][order] for order in older
    }
    begin(world.reopened())
    world.reopened()
    for kind in KINDS:
        world.request_pull(kind, days=0)
    world.drive()
    found = wrong(sandbox)
    assert not [kind for kind in found if kind.startswith(("duplicate", "wrong"))], found


def test_money_from_before_the_first_day_is_not_owed_any_more(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, **MONEY)
    sandbox.post("/plant", {"near_misses": 0, "money": 0.5})
    world = standing(worlds, style="summary")
    surveyed(world)
    first = world.worker.now().date() - timedelta(days=9)
    line = world.reopened()
    apply_survey(line, survey(line, first, quiet), quiet)
    old = world.rows(
        """
        select d.flow, d.source_id from delivery d
        join record r on r.place = d.place and r.kind = d.source_kind
                     and r.foreign_id = d.source_id
        where d.flow in ('payments', 'subscriptions', 'orders') and r.created_at < :first
        """,
        first=first,
    )
    assert old == []
    assert world.rows("select 1 from delivery where flow = 'payments'")
    begin(world.reopened())
    world.reopened()
    world.drive()


def test_an_invoice_that_was_changed_meanwhile_is_parked_and_not_overwritten(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, **{**MONEY, "orders": 3, "transactions": 3, "subscriptions": 0})
    truth = sandbox.post("/plant", {"near_misses": 0, "money": 1})["money"]
    world = standing(worlds, style="summary")
    seen = surveyed(world)
    source, row = next(iter(truth["invoices"].items()))
    line = world.reopened()
    api = halo_calls(line, Lane.UPKEEP)
    old = api.read("look", lambda permit: read_row(line.halo, permit, INVOICE, row))
    changed = [{"id": one.id, "name": one.name, "baseprice": 1} for one in old.lines]
    quietly = {"_dont_fire_automations": True}
    api.read(
        "edit",
        lambda permit: save_rows(
            line.halo, permit, INVOICE, [{"id": row, "lines": changed, **quietly}]
        ),
    )
    apply_survey(world.reopened(), seen, quiet)
    [delivery] = world.rows(
        "select * from delivery where role = 'invoice' and source_id = :id", id=source
    )
    assert (delivery.state, delivery.target_id) == ("parked", str(row))
    assert "wanted" in delivery.reason
