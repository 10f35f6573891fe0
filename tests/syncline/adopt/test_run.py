"""A tenant that holds the orders already is taken over: nothing doubled, nothing but references."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from syncline.adopt.run import apply_survey, begin, survey
from syncline.adopt.single_rows import ChosenRow, take
from syncline.calls.calls import halo_calls
from syncline.errors import Absent, Again, MissingScope, Refused
from syncline.halo.entities.resources import ORDER
from syncline.halo.entities.rows import read_row
from syncline.queues import Lane
from syncline.sandbox.process import SandboxProcess
from syncline.sending import targets
from tests import world as worlds_of
from tests.adopting import adopted, killed_while_it_applies, posts, quiet, standing, surveyed
from tests.variants import in_turn, mostly
from tests.world import World, Worlds

UNTOUCHED = (
    "client_id",
    "site_id",
    "user_id",
    "currency_code",
    "date",
    "status",
    "note",
    "total",
    "tax_total",
    "accountsref",
    "summary",
    "title",
    "lines",
)


def small(sandbox: SandboxProcess, **config: Any) -> SandboxProcess:
    """Little data, and no money: orders alone are looked at."""
    return worlds_of.small(sandbox, **{"transactions": 0, "subscriptions": 0, **config})


def held(world: World) -> dict[int, dict[str, Any]]:
    """All orders that Halo holds, with lines and links."""
    line = world.worker.open_line("acme")
    api = halo_calls(line, Lane.UPKEEP)
    found: dict[int, dict[str, Any]] = {}
    row = 5001
    while True:
        try:
            found[row] = api.read(
                "look",
                lambda permit: read_row(line.halo, permit, ORDER, row).raw,  # noqa: B023
            )
        except Absent:
            return found
        row += 1


def target_rows(world: World) -> dict[str, int]:
    return {
        row.source_id: int(row.target_id)
        for row in world.rows(
            """select source_id, target_id from delivery
               where flow = 'orders' and target_id is not null"""
        )
    }


@pytest.mark.parametrize(
    ("style", "profile"), in_turn(["summary", "detail"], ("plain", "awkward", "generous"))
)
def test_all_that_halo_holds_is_taken_over_and_only_references_change(
    worlds: Worlds, sandbox: SandboxProcess, profile: str, style: str
) -> None:
    small(sandbox, profile=profile, orders=25)
    truth = sandbox.post("/plant", {"share": 0.8, "near_misses": 0})
    world = standing(worlds, style=style)
    before = held(world)
    done = adopted(world)
    assert done.unwritten == 0
    assert {one.order: one.halo for one in done.found.matched} == truth["matches"]
    assert sorted(done.found.rest) == sorted(truth["absent"])
    assert target_rows(world) == truth["matches"]
    begin(world.reopened())
    world.reopened()
    world.request_pull()
    world.drive()
    after = held(world)
    for order, row in truth["matches"].items():
        assert after[row]["po_number"] == f"HL-{order}"
        assert {key: after[row].get(key) for key in UNTOUCHED} == {
            key: before[row].get(key) for key in UNTOUCHED
        }
        old = before[row]["po_number"]
        if profile != "plain":  # which keeps no links
            [link] = after[row]["external_links"]
            assert old in link["third_party_desc"]
    assert len(after) == 25
    verdict = sandbox.audit()
    assert [verdict["counts"][kind] for kind in ("missing", "duplicates", "automations")] == [0] * 3
    entries = world.rows("select * from audit_entry where cause = 'adopt'")
    assert {one.source_id for one in entries} == set(truth["matches"])
    for one in entries:
        assert one.effect == "update"
        assert one.before["po_number"] == before[int(one.target_id)]["po_number"]


def test_a_change_in_highlevel_updates_an_adopted_order_as_any_other(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=6)
    truth = sandbox.post("/plant", {"near_misses": 0})
    world = standing(worlds)
    adopted(world)
    begin(world.reopened())
    [changed] = sandbox.change_orders(1, fields="amount")
    world.reopened()
    world.request_pull()
    world.drive()
    after = held(world)
    assert len(after) == 6
    row = after[truth["matches"][changed]]
    amount = sandbox.get(f"/state/orders/{changed}")["amount"]
    assert row["total"] == Decimal(str(amount))
    assert "As ordered" not in {line["name"] for line in row["lines"]}


def test_a_survey_writes_nothing_outside_and_settles_nothing(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=10)
    sandbox.post("/plant", {})
    world = standing(worlds)
    found = surveyed(world).found
    assert len(found.matched) + len(found.doubtful) == 10
    assert posts(sandbox) == []
    assert target_rows(world) == {}
    assert not world.rows("select 1 from delivery where state = 'parked'")


def test_doubtful_orders_are_parked_with_their_candidates_and_never_created(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=12)
    truth = sandbox.post("/plant", {"near_misses": 1})
    world = standing(worlds)
    done = adopted(world)
    assert not {one.order for one in done.found.matched} & set(truth["near_misses"])
    begin(world.reopened())
    world.reopened()
    world.drive()
    parked = world.rows("select * from delivery where state = 'parked'")
    assert {row.source_id for row in parked} == {one.order for one in done.found.doubtful}
    for row in parked:
        assert (row.field, row.target_id) == ("adopt", None)
        assert row.reason.startswith("Halo holds an order that may be this one: ")
        assert f"adopt acme --take {row.source_id}=HALO_ID" in row.reason


def test_a_person_decides_which_row_a_doubtful_order_is(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=12)
    sandbox.post("/plant", {"near_misses": 1})
    world = standing(worlds)
    doubt = adopted(world).found.doubtful[0]
    row = doubt.candidates[0].halo
    before = held(world)
    assert take(world.reopened(), {ChosenRow("order", doubt.order): row}, quiet) == 0
    after = held(world)
    assert len(after) == len(before)
    assert after[row]["po_number"] == f"HL-{doubt.order}"
    assert after[row]["total"] == before[row]["total"]
    [delivery] = world.rows(
        "select * from delivery where flow = 'orders' and role = 'order' and source_id = :id",
        id=doubt.order,
    )
    assert (delivery.state, delivery.reason, delivery.field) == ("delivered", None, None)
    with pytest.raises(Refused, match="not open to be adopted"):
        take(world.reopened(), {ChosenRow("order", doubt.order): row}, quiet)


def test_a_row_that_belongs_to_another_order_is_not_taken(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=12)
    truth = sandbox.post("/plant", {"share": 0.5, "near_misses": 0})
    world = standing(worlds)
    adopted(world)
    row = next(iter(truth["matches"].values()))
    with pytest.raises(Refused, match="belongs to "):
        take(world.reopened(), {ChosenRow("order", truth["absent"][0]): row}, quiet)


def test_orders_from_before_the_first_day_are_left_alone_on_both_sides(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=30)
    truth = sandbox.post("/plant", {"share": 0.6, "near_misses": 0})
    world = standing(worlds)
    surveyed(world)  # of the whole month: that history is not wanted is decided later
    before = held(world)
    first = world.worker.now().date() - timedelta(days=9)
    created = {
        order: sandbox.get(f"/state/orders/{order}")["createdAt"][:10]
        for order in (*truth["matches"], *truth["absent"])
    }
    old = {order for order, day in created.items() if day < first.isoformat()}
    line = world.reopened()
    done = apply_survey(line, survey(line, first, quiet), quiet)
    assert done.forgotten == len(old)
    begin(world.reopened())
    assert world.reopened().link.start_from == first
    world.request_pull(days=9)
    world.drive()
    after = held(world)
    assert len(after) == len(before) + len(set(truth["absent"]) - old)
    for order in old & set(truth["matches"]):
        row = truth["matches"][order]
        assert after[row] == before[row]


def test_a_connection_that_is_at_work_is_not_adopted(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox)
    world = worlds()
    with pytest.raises(Refused, match="is at work") as refused:
        surveyed(world)
    assert "syncline connection stop acme" in refused.value.remedy


@pytest.mark.parametrize("point", mostly(5, 13, of=range(1, 17)))
def test_killed_anywhere_it_is_run_again_and_nothing_is_doubled(
    worlds: Worlds, sandbox: SandboxProcess, point: int
) -> None:
    small(sandbox, orders=5, profile=("generous", "awkward")[point // 2 % 2])
    truth = sandbox.post("/plant", {"share": 0.8, "near_misses": 0, "seed": point})
    world = standing(worlds, style="summary")
    seen = surveyed(world)
    killed_while_it_applies(world, seen, lambda number, _: number == point)
    other = worlds(joins=True)
    assert adopted(other).unwritten == 0
    assert target_rows(other) == truth["matches"]
    begin(other.reopened())
    other.reopened()
    other.drive()
    verdict = sandbox.audit()["counts"]
    assert (verdict["missing"], verdict["duplicates"]) == (0, 0)


@pytest.mark.parametrize(("when", "profile"), in_turn(["sent", "taken and not sent"]))
def test_started_by_hand_after_a_death_in_the_middle_nothing_is_doubled(
    worlds: Worlds, sandbox: SandboxProcess, profile: str, when: str
) -> None:
    small(sandbox, profile=profile, orders=5, details=False)
    sandbox.post("/plant", {"near_misses": 0})
    world = standing(worlds, style="summary")
    seen = surveyed(world)
    other = worlds(joins=True)
    state = {"sent": "sending", "taken and not sent": "leased"}[when]
    killed_while_it_applies(
        world,
        seen,
        lambda *_: bool(
            other.rows(
                "select 1 from delivery where state = :state and cause = 'adopt'", state=state
            )
        ),
    )
    begin(other.reopened())
    other.reopened()
    before = len(sandbox.calls())
    other.drive()
    operations = [call["operation"] for call in sandbox.calls("halo", after=before)]
    if WRITE in operations:
        assert READ in operations[: operations.index(WRITE)]
    assert len(held(other)) == 5
    assert sandbox.audit()["clean"]


READ, WRITE = "GET /SalesOrder/{id}", "POST /SalesOrder"


@pytest.mark.parametrize(
    "kind",
    mostly(
        *("500_after", "cut_after", "too_few"),
        of=("429", "500", "500_after", "cut_before", "cut_after", "too_few"),
    ),
)
def test_whatever_goes_wrong_with_a_write_each_reference_comes_once_and_nothing_else(
    worlds: Worlds, sandbox: SandboxProcess, kind: str
) -> None:
    small(sandbox, orders=6, details=False)
    truth = sandbox.post("/plant", {"near_misses": 0})
    world = standing(worlds, style="summary")
    before = held(world)
    seen = surveyed(world)
    sandbox.faults(side="halo", operation=WRITE, kind=kind, skip=1, next=2)
    assert apply_survey(world.reopened(), seen, quiet).unwritten == 0
    assert sandbox.faults()["fired"][kind] == 2
    after = held(world)
    assert len(after) == len(before)
    for order, row in truth["matches"].items():
        assert after[row]["po_number"] == f"HL-{order}"
        assert len(after[row]["external_links"]) == 1
        assert {key: after[row].get(key) for key in UNTOUCHED} == {
            key: before[row].get(key) for key in UNTOUCHED
        }


def test_a_connection_that_is_changed_meanwhile_ends_its_adoption_with_the_reason(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=4, details=False)
    sandbox.post("/plant", {"near_misses": 0})
    world = standing(worlds, style="summary")
    seen = surveyed(world)

    def rehearse(*_: object) -> None:
        world.do("update connection set state = 'rehearsing'")

    with pytest.raises(Again, match="was changed by somebody"):
        apply_survey(world.reopened(), seen, rehearse)
    assert world.rows("select 1 from delivery where state in ('leased', 'sending')") == []


@pytest.mark.parametrize("refused", ["save_rows", "read_row"])
def test_what_halo_refuses_is_told_and_the_adoption_goes_on_when_it_is_run_again(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    small(sandbox, orders=4, details=False)
    truth = sandbox.post("/plant", {"near_misses": 0})
    world = standing(worlds, style="summary")
    seen = surveyed(world)
    if refused == "read_row":
        sandbox.faults(side="halo", operation=WRITE, kind="cut_after", next=1)

    def no(*_: Any) -> Any:
        raise MissingScope("Our application may not.")

    line = world.reopened()
    with monkeypatch.context() as patch:
        patch.setattr(targets, refused, no)
        with pytest.raises(MissingScope, match="may not"):
            apply_survey(line, seen, quiet)
    assert world.rows("select note from connection")[0].note == "adopt first"
    assert adopted(world).unwritten == 0
    assert target_rows(world) == truth["matches"]
    assert all(len(held(world)[row]["external_links"]) == 1 for row in truth["matches"].values())


def test_a_doubtful_order_that_changes_in_highlevel_waits_for_a_person_all_the_same(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=12)
    sandbox.post("/plant", {"near_misses": 1})
    world = standing(worlds, style="summary")
    doubts = [one.order for one in adopted(world).found.doubtful]
    begin(world.reopened())
    sandbox.change_orders(ids=doubts)
    world.reopened()
    world.drive()
    before = len(held(world))
    world.request_pull()
    world.drive()
    assert len(held(world)) == before
    parked = world.rows("select source_id from delivery where state = 'parked'")
    assert {row.source_id for row in parked} == set(doubts)
    world.do(
        "update delivery set state = 'due' where state = 'parked' and source_id = :id",
        id=doubts[0],
    )
    world.drive()
    assert len(held(world)) == before + 1
