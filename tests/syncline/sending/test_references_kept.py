"""Tenants that keep our reference otherwise than it was sent: no row is made for it twice."""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta

import pytest

from syncline.deliveries import unleased
from syncline.halo.matching import is_like, may_be
from syncline.halo.models import HaloRow
from syncline.sandbox.process import SandboxProcess
from syncline.sending import prove
from tests.tenants import brought_over, parked
from tests.world import World, Worlds, small

WAYS = ("upper", "cut", "renumbered")


@pytest.fixture(autouse=True)
def _looks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is never found is not looked for again and again: only that it is not, counts here."""
    monkeypatch.setattr(prove, "TRIES", 2)
    monkeypatch.setattr(prove, "PAUSE", timedelta(milliseconds=200))


def keep(sandbox: SandboxProcess, how: str) -> None:
    sandbox.post("/halo/keep_references", {"how": how})


def followed(world: World, *, rounds: int = 3) -> None:
    """Follow what is asked for until nothing is in hand or in doubt, and some rounds more."""
    give_up = time.monotonic() + 20
    moving = "select 1 from delivery where state in ('leased', 'sending', 'checking', 'doubtful')"
    while rounds:
        world.do("update delivery set due_at = clock_timestamp() where state = 'due'")
        world.follow_all()
        rounds -= not world.rows(moving)
        assert time.monotonic() < give_up, (world.counts(), world.failures[-3:])


def retried(world: World) -> None:
    with world.worker.ledger.begin() as connection:
        unleased.retry(connection, None)
    followed(world)


def posted(sandbox: SandboxProcess, after: int = 0) -> Counter[str]:
    """How many elements were posted, by path."""
    found: Counter[str] = Counter()
    for call in sandbox.calls("halo", after):
        if call["method"] == "POST":
            found[call["operation"].removeprefix("POST ")] += call["elements"]
    return found


@pytest.mark.parametrize("how", WAYS)
def test_the_first_order_that_comes_back_under_another_reference_is_parked_and_stays_the_only_one(
    worlds: Worlds, sandbox: SandboxProcess, how: str
) -> None:
    small(sandbox, orders=4, customers=1, transactions=0, subscriptions=0, profile="plain")
    world = worlds()
    world.pull()
    give_up = time.monotonic() + 20
    while not posted(sandbox)["/Users"] and time.monotonic() < give_up:
        world.follow_all()
    keep(sandbox, how)
    followed(world)
    [order] = parked(world)
    [row] = sandbox.halo_orders()
    assert order.reason.startswith("Halo keeps our reference HL-")
    assert f"as {row['po_number']}: order {row['id']} " in order.reason
    assert posted(sandbox)["/SalesOrder"] == 1
    retried(world)
    assert [one["id"] for one in sandbox.halo_orders()] == [row["id"]]


@pytest.mark.parametrize("how", WAYS)
def test_the_first_client_that_comes_back_under_another_reference_is_the_only_one(
    worlds: Worlds, sandbox: SandboxProcess, how: str
) -> None:
    small(sandbox, orders=4, customers=4, transactions=0, subscriptions=0, profile="plain")
    keep(sandbox, how)
    world = worlds()
    world.pull()
    followed(world)
    assert posted(sandbox)["/Client"] == 1
    retried(world)
    assert posted(sandbox)["/Client"] <= 2
    assert len(world.rows("select 1 from delivery where target = 'client' and target_id > ''")) == 1


def test_a_lost_answer_to_an_order_whose_reference_was_cut_makes_no_second_one(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = brought_over(worlds, sandbox, orders=3, transactions=0, subscriptions=0)
    keep(sandbox, "cut")
    sandbox.faults(side="halo", operation="POST /SalesOrder", kind="cut_after", next=1)
    sandbox.add_orders(1)
    world.pull()
    world.drive()
    assert len(sandbox.halo_orders()) == 4


def rows(*references: str) -> list[HaloRow]:
    return [HaloRow.of({"id": at, "po_number": one}) for at, one in enumerate(references, 1)]


SENT = [{"po_number": f"HL-6b0a221dd01d23e22a9256a{one}"} for one in "abc"]


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        (["HL-6B0A221DD01D23E22A9256AB"], [[1], [1], [1]]),
        (["ACC-1", "ACC-2", "ACC-3"], [[1], [2], [3]]),
        (["HL-6B0A221DD01D23E22A9256AC", "x", "HL-6B0A221DD01D23E22A9256AA"], [[3], [2], [1]]),
        (["ACC-1", SENT[0]["po_number"]], [[2], [1], [1]]),
    ],
)
def test_an_answer_names_what_may_be_each_element(
    came: list[str], expected: list[list[int]]
) -> None:
    assert may_be(SENT, rows(*came), "po_number") == expected


def test_a_reference_is_like_ours_in_another_case_or_cut_but_not_when_little_is_left() -> None:
    assert is_like("hl-6B0A221DD01D", SENT[0]["po_number"])
    assert not is_like("HL-6b0a", SENT[0]["po_number"])
    assert not is_like("", SENT[0]["po_number"])
