"""After an adoption: what is in doubt is made only where a person says so; what is left stays."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from syncline.adopt.run import apply_survey, begin, survey
from syncline.deliveries import unleased
from syncline.ingest.record import record
from syncline.ledger import new_connections
from syncline.reconciliation.due import period_of
from syncline.reconciliation.run import advance
from syncline.reconciliation.run import begin as begin_run
from syncline.sandbox.process import SandboxProcess
from tests.adopting import adopted, money_held, posts, quiet, since, standing, surveyed
from tests.events import arrive, order_event
from tests.variants import mostly
from tests.world import World, Worlds, beside, small

MONEY: dict[str, Any] = {
    "orders": 12,
    "transactions": 20,
    "subscriptions": 0,
    "customers": 6,
    "money": True,
    "details": False,
}


def test_a_retry_of_doubtful_orders_creates_none_until_somebody_says_that_halo_has_none(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=8, transactions=0, subscriptions=0)
    sandbox.post("/plant", {"near_misses": 1})
    world = standing(worlds, style="summary")
    doubts = [one.order for one in adopted(world).found.doubtful]
    begin(world.reopened())
    world.reopened()
    world.drive()
    before = len(sandbox.halo_orders())
    with world.worker.ledger.begin() as connection:
        assert unleased.retry(connection, None, by="ada") == {}
    world.drive()
    assert len(sandbox.halo_orders()) == before
    with world.worker.ledger.begin() as connection:
        again = unleased.retry(connection, None, source_id=doubts[0], by="ada", create=True)
    assert again == {"order": 1}
    world.drive()
    assert len(sandbox.halo_orders()) == before + 1
    causes = world.rows(
        "select cause from audit_entry where source_id = :id order by id", id=doubts[0]
    )
    assert [row.cause for row in causes] == ["parked retry --create by ada"] * 2


def test_what_is_in_doubt_is_looked_up_by_the_adoption_itself(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=6, transactions=0, subscriptions=0)
    world = worlds(style="summary")
    world.pull()
    sandbox.faults(side="halo", operation="POST /SalesOrder", kind="cut_after", next=1)
    while ("orders", "doubtful") not in world.counts():
        world.follow_all()
    world.do("update connection set state = 'stopped', note = 'adopt first'")
    before = len(sandbox.halo_orders())
    seen = surveyed(world)
    assert ("orders", "doubtful") not in world.counts()
    assert (len(sandbox.halo_orders()), seen.known > 0) == (before, True)


def read_all(world: World) -> None:
    """Read and deliver all that there is."""
    world.reopened()
    for kind in ("order", "transaction"):
        world.request_pull(kind)
    world.drive()


def differing(world: World) -> set[tuple[str, str]]:
    """(target, field) of what a comparison of both sides finds."""
    line = world.reopened()
    period = period_of(world.worker, line.link, since(world), None)
    assert begin_run(world.worker, line.link, period, "test") is not None
    while (came := advance(world.reopened(), quiet)) is not None and came.again_after is not None:
        pass
    return {(one.target, one.field) for one in world.rows("select * from discrepancy")}


@pytest.mark.parametrize("profile", mostly("awkward"))
def test_what_an_adoption_leaves_is_wanted_by_comparisons_and_by_later_updates(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    small(sandbox, profile=profile, **MONEY)
    truth = sandbox.post("/plant", {"near_misses": 0, "money": 1})["money"]
    world = standing(worlds, style="summary")
    before = money_held(world)
    adopted(world)
    begin(world.reopened())
    assert {one for one in differing(world) if one[0] == "payment"} == set()
    written = len(posts(sandbox))
    read_all(world)
    assert not [one for one in posts(sandbox)[written:] if "InvoicePayment" in one]
    world.do(
        """
        update delivery set state = 'due', projection = null
        where target = 'payment' and state = 'delivered'
        """
    )
    refunded = sandbox.change_transactions(8, what="refund")
    kept = [
        f"payment {truth['payments'][one]}"
        for one in refunded
        if one in truth["payments"] and before[f"payment {truth['payments'][one]}"]["intent_id"]
    ]
    assert kept
    read_all(world)
    after = money_held(world)
    assert {key: (after[key]["intent_id"], after[key]["date"]) for key in kept} == {
        key: (before[key]["intent_id"], before[key]["date"]) for key in kept
    }
    assert {one for one in differing(world) if one[0] == "payment"} == set()


@pytest.mark.parametrize(
    "dials",
    [
        {"reports_refused": True},
        {"wrapped_lists": True, "profile": "awkward"},
        {"halo_shape": "published"},
        {"halo_shape": "printed"},
    ],
    ids=lambda dials: " ".join(map(str, dials.values())),
)
def test_a_tenant_of_another_kind_is_taken_over_as_any_other(
    worlds: Worlds, sandbox: SandboxProcess, dials: dict[str, Any]
) -> None:
    small(sandbox, **MONEY, **dials)
    truth = sandbox.post("/plant", {"share": 0.8, "near_misses": 0, "money": 0.8})
    world = standing(worlds, style="summary")
    done = adopted(world)
    assert {one.order: one.halo for one in done.found.matched} == truth["matches"]
    matched = done.money.groups["invoices"].matched
    assert {one.source: one.halo for one in matched} == truth["money"]["invoices"]
    begin(world.reopened())
    read_all(world)
    counts = sandbox.audit()["counts"]
    assert {kind: many for kind, many in counts.items() if many and "duplicate" in kind} == {}
    assert (counts["missing"], counts["automations"]) == (0, 0)


def left_behind(
    worlds: Worlds, sandbox: SandboxProcess, style: str = "detail"
) -> tuple[World, list[str]]:
    """A world that keeps the last nine days in line, and knows orders from before; these."""
    small(sandbox, orders=30, customers=30, subscriptions=0, transactions=0, money=True)
    sandbox.post("/plant", {"share": 0.6, "near_misses": 0})
    world = standing(worlds, style=style)
    surveyed(world)  # of the whole month: that history is not wanted is decided later
    line, first = world.reopened(), world.worker.now().date() - timedelta(days=9)
    assert apply_survey(line, survey(line, first, quiet), quiet).forgotten
    begin(world.reopened())
    world.reopened()
    world.drive()
    return world, [
        row.foreign_id
        for row in world.rows(
            """
            select foreign_id from record r where kind = 'order' and not exists (
                select 1 from delivery d where d.flow = 'orders' and d.source_id = r.foreign_id)
            order by created_at
            """
        )
    ]


def test_a_new_mapping_or_mode_asks_for_nothing_of_what_was_left_behind(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world, _ = left_behind(worlds, sandbox)
    before = len(sandbox.halo_orders())
    world.do("update connection set mapping = mapping || chr(10) || '# another one'")
    world.reopened()
    world.follow_all()
    world.drive()
    assert len(sandbox.halo_orders()) == before


def test_a_payment_of_an_order_that_was_left_behind_has_the_order_made_too(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world, [order, *_] = left_behind(worlds, sandbox)
    line = world.reopened()
    known = sandbox.get(f"/state/orders/{order}")
    paid = {
        **{key: known[key] for key in ("altId", "amount", "currency", "contactId")},
        "_id": "paid-late",
        "entityType": "order",
        "entityId": order,
        "status": "succeeded",
        "createdAt": f"{line.worker.now():%FT%T.000Z}",
    }
    with line.worker.ledger.begin() as connection:
        record(connection, line.link, line.document, "transaction", "list", {paid["_id"]: paid}, "")
    world.drive(30)
    assert world.rows("select state from delivery where target = 'payment'")[0].state == "delivered"


def test_a_customer_of_whom_only_old_orders_were_known_is_made_for_a_new_one(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world, left = left_behind(worlds, sandbox, "summary")
    kept = {row.source_id for row in world.rows("select source_id from delivery")}
    found = world.rows(
        "select payload from facet where facet = 'list' and foreign_id = any(:ids)", ids=left
    )
    payloads = [row.payload for row in found]
    bought = next(one for one in payloads if f"email:{one['contactEmail'].lower()}" not in kept)
    line, now = world.reopened(), f"{world.worker.now():%FT%T.000Z}"
    new = {**bought, "_id": "new", "createdAt": now, "updatedAt": now}
    with line.worker.ledger.begin() as connection:
        record(connection, line.link, line.document, "order", "list", {"new": new}, "pull 9")
    world.drive(30)
    [order] = world.rows("select state from delivery where source_id = 'new' and role = 'order'")
    assert order.state == "delivered"


def test_an_event_of_an_order_that_was_left_behind_makes_none_in_halo(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world, [order, *_] = left_behind(worlds, sandbox)
    before = len(sandbox.halo_orders())
    later = f"{world.worker.now():%FT%T.000Z}"
    arrive(world, order_event(sandbox, order, sourceName="elsewhere", updatedAt=later))
    world.drive(30)
    assert len(sandbox.halo_orders()) == before


def test_a_customer_of_another_connection_is_not_left_behind(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=1, customers=1, transactions=0, subscriptions=0)
    world = standing(worlds, style="summary")
    world.pull()
    line, today = world.reopened(), world.worker.now().date()
    [row] = world.rows("select payload from facet where kind = 'order'")
    with line.worker.ledger.begin() as connection:
        other = new_connections.add(connection, beside(line.link, line.link.mapping))
        order = {**row.payload, "_id": "of-another", "altId": other.location_id}
        record(connection, other, line.document, "order", "list", {"of-another": order}, "pull 2")
    made = "select source_id from delivery where flow = 'customers' order by role"
    before = world.rows(made)
    assert before
    assert apply_survey(line, survey(line, today, quiet), quiet).forgotten == 1
    assert world.rows(made) == before
