"""Tenants that keep our reference otherwise than it was sent: no row is made for it twice."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from syncline.calls import capabilities
from syncline.deliveries import unleased
from syncline.halo.capabilities import FindWay
from syncline.halo.entities.resources import ORDER
from syncline.halo.matching import is_like, may_be
from syncline.halo.models import HaloRow
from syncline.sandbox.process import SandboxProcess
from syncline.sending import prove
from syncline.sending.in_doubt import maybe_ours
from tests.references import followed, keep, posted
from tests.tenants import brought_over, parked
from tests.world import ENDED, World, Worlds, small

WAYS = ("upper", "cut", "renumbered")


@pytest.fixture(autouse=True)
def _looks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is never found is not looked for again and again: only that it is not, counts here."""
    monkeypatch.setattr(prove, "TRIES", 2)
    monkeypatch.setattr(prove, "PAUSE", timedelta(milliseconds=200))


def retried(world: World) -> None:
    with world.worker.ledger.begin() as connection:
        unleased.retry(connection, None)
    followed(world)


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


@pytest.mark.parametrize("how", WAYS)
def test_what_an_external_link_finds_is_confirmed_whatever_halo_keeps_of_our_reference(
    worlds: Worlds, sandbox: SandboxProcess, how: str
) -> None:
    world = brought_over(
        worlds, sandbox, orders=3, transactions=0, subscriptions=0, profile="generous"
    )
    keep(sandbox, how)
    sandbox.add_orders(2)
    world.pull()
    world.drive()
    assert not parked(world)
    assert len(sandbox.halo_orders()) == 5
    assert posted(sandbox)["/SalesOrder"] == 5
    assert world.counts()["orders", "delivered"] == 5
    accepted = "select 1 from delivery where target = 'order' and target_meta ? 'accepted'"
    assert len(world.rows(accepted)) == 2


@pytest.mark.parametrize("kind", ["cut_before", "cut_after"])
def test_an_update_in_doubt_does_not_ask_about_a_reference_that_is_left_as_halo_keeps_it(
    worlds: Worlds, sandbox: SandboxProcess, kind: str
) -> None:
    world = brought_over(
        worlds, sandbox, orders=3, transactions=0, subscriptions=0, profile="generous"
    )
    keep(sandbox, "upper")
    new = sandbox.add_orders(1)
    world.pull()
    world.drive()
    sandbox.faults(side="halo", operation="POST /SalesOrder", kind=kind, next=1)
    sandbox.change_orders(ids=new, fields="amount")
    world.pull_whole()
    world.drive()
    assert not parked(world)
    assert sandbox.audit()["counts"]["wrong_amounts"] == 0


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize(
    ("path", "fields", "orders"),
    [
        ("/SalesOrder", ("po_number",), 1),
        ("/Invoice", ("thirdpartyinvoicenumber",), 2),  # one of them is paid
        ("/InvoicePayment", ("intent_id", "thirdpartyid"), 2),
    ],
)
def test_a_row_that_comes_back_under_another_reference_after_its_kind_was_proved_is_made_once(
    worlds: Worlds,
    sandbox: SandboxProcess,
    path: str,
    fields: tuple[str, ...],
    orders: int,
    how: str,
) -> None:
    world = brought_over(
        worlds, sandbox, orders=3, transactions=3, subscriptions=0, profile="plain"
    )
    before = posted(sandbox)[path]
    keep(sandbox, how, *fields)
    sandbox.add_transactions(orders, orders=sandbox.add_orders(orders))
    world.pull()
    world.pull("transaction")
    world.drive(at_rest=(*ENDED, "waiting"))
    waiting = "select target_id, reason from delivery where state = 'parked'"
    [made] = world.rows(waiting)
    assert made.target_id
    assert made.reason.startswith("Halo keeps our reference ")
    assert posted(sandbox)[path] - before == 1
    retried(world)
    [still] = world.rows(waiting)
    assert still.target_id == made.target_id


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


@pytest.mark.parametrize("way", [FindWay.SQL, FindWay.LINK])
def test_a_link_that_leads_to_another_records_row_is_asked_about_and_can_be_passed_over(
    worlds: Worlds, sandbox: SandboxProcess, way: FindWay
) -> None:
    """As where two rows were merged in Halo, and their links with them."""
    small(sandbox, orders=3, transactions=0, subscriptions=0, profile="generous")
    world = worlds()
    if way is FindWay.LINK:
        refuse_reports(world)
    world.pull()
    world.drive()
    assert capabilities.known(world.reopened()).find_way("order") is way
    sandbox.faults(side="halo", operation="POST /SalesOrder", kind="cut_before", next=1)
    [new] = sandbox.add_orders(1)
    world.pull()
    while not world.rows("select 1 from delivery where target = 'order' and state = 'doubtful'"):
        world.follow_all()
    before = sandbox.halo_orders()
    link = {"table_id": ORDER.links, "halo_id": before[0]["id"], "third_party_id": f"HL-{new}"}
    sandbox.post("/halo/save", {"path": "/ExternalLink", "elements": [link]})
    world.drive()
    [order] = parked(world)
    assert f"leads to order {before[0]['id']}, which is another record's" in order.reason
    assert sandbox.halo_orders() == before
    with world.worker.ledger.begin() as connection:
        unleased.retry(connection, None, source_id=new, create=True)
    world.drive()
    assert (parked(world), len(sandbox.halo_orders())) == ([], 4)


def refuse_reports(world: World) -> None:
    now = world.worker.now()
    capabilities.teach(
        world.reopened(),
        lambda known: known.with_reports_refused(
            until=now + timedelta(days=1), found_at=now, how="a test"
        ),
    )


def rows(*references: str) -> list[HaloRow]:
    return [HaloRow.of({"id": at, "po_number": one}) for at, one in enumerate(references, 1)]


SENT = [{"po_number": f"HL-6b0a221dd01d23e22a9256a{one}"} for one in "abc"]


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        (["HL-6B0A221DD01D23E22A9256AB"], [[1], [1], [1]]),
        (["ACC-1", "ACC-2", "ACC-3"], [[1, 2, 3], [2, 1, 3], [3, 1, 2]]),
        (["ACC-1", "ACC-2"], [[1, 2], [1, 2], [1, 2]]),
        (["HL-6b0a221dd01d23e22"] * 3, [[1, 2, 3], [2, 1, 3], [3, 1, 2]]),
        (
            ["HL-6B0A221DD01D23E22A9256AC", "x", "HL-6B0A221DD01D23E22A9256AA"],
            [[3], [2, 1, 3], [1]],
        ),
        (["ACC-1", SENT[0]["po_number"]], [[2], [1], [1]]),
    ],
)
def test_an_answer_names_what_may_be_each_element(
    came: list[str], expected: list[list[int]]
) -> None:
    assert may_be(SENT, rows(*came), "po_number") == expected


def test_what_is_no_row_of_an_answer_is_not_remembered() -> None:
    echoed = HaloRow.of({"id": 0, "po_number": "ACC-1"})
    assert may_be(SENT[:1], [echoed], "po_number") == [[]]


def test_a_reference_is_like_ours_in_another_case_or_cut_but_not_when_little_is_left() -> None:
    assert is_like("hl-6B0A221DD01D", SENT[0]["po_number"])
    assert not is_like("HL-6b0a", SENT[0]["po_number"])
    assert not is_like("", SENT[0]["po_number"])


def test_of_many_rows_that_may_be_ours_some_are_read_each_time_and_each_has_its_turn() -> None:
    many = list(range(1, 26))
    read = [maybe_ours._in_turn(many, failures)[0] for failures in range(3)]
    assert {len(one) for one in read} == {maybe_ours.MOST_READ}
    assert {row_id for one in read for row_id in one} == set(many)
    assert maybe_ours._in_turn([7], 3) == ([7], 0)
    assert maybe_ours._in_turn([], 3) == ([], 0)
