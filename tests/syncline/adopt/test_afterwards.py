"""After an adoption: what is in doubt is made only where a person says so; what is left stays."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.adopt.run import begin
from syncline.deliveries import unleased
from syncline.reconciliation.due import period_of
from syncline.reconciliation.run import advance
from syncline.reconciliation.run import begin as begin_run
from syncline.sandbox.process import SandboxProcess
from tests.adopting import adopted, money_held, posts, quiet, since, standing, surveyed
from tests.variants import mostly
from tests.world import World, Worlds, small

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
