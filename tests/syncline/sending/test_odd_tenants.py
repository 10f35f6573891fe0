"""Tenants that differ from what their documents let one hope: all is in line all the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection

from syncline.calls import capabilities
from syncline.calls.calls import halo_calls
from syncline.calls.context import Line
from syncline.engine.failures import PARK_AFTER
from syncline.errors import Again, Rejected, Unmappable
from syncline.halo.entities.resources import CLIENT
from syncline.halo.entities.rows import save_rows
from syncline.ingest.record import record
from syncline.runtime.registry import look_up, send
from syncline.sandbox.process import SandboxProcess
from syncline.sending import find as finding
from syncline.sending import unknown_outcomes
from syncline.sending.outcomes import ALONE_AGAIN
from syncline.sending.tenant import sites
from tests.from_halo import last_call
from tests.in_between import InBetween, QuotaClock, page, said
from tests.spoiling import answered, spoil
from tests.tenants import brought_over, operations, parked
from tests.variants import in_turn, mostly
from tests.world import NAME, World, Worlds, small

DIALS: dict[str, dict[str, Any]] = {
    "published": {"halo_shape": "published"},
    "printed": {"halo_shape": "printed"},
    "spelled otherwise": {"line_spelling": "quote"},
    "no sites": {"clients_without_site": True},
    "no reports": {"reports_refused": True},
    "wrapped lists": {"wrapped_lists": True},
    "short columns": {"column_lengths": True},
}


@pytest.mark.parametrize(("dial", "profile"), in_turn(DIALS))
def test_all_is_in_line_at_a_tenant_of_another_kind(
    worlds: Worlds, sandbox: SandboxProcess, dial: str, profile: str
) -> None:
    world = brought_over(worlds, sandbox, profile=profile, **DIALS[dial])
    assert parked(world) == []
    assert sandbox.audit()["clean"]
    known = capabilities.known(world.worker.open_line(NAME))
    assert known.line_spelling == ("quote" if dial == "spelled otherwise" else "order")
    assert {"row", "quantity", "tax"} <= known.round_trip("order").traits
    made = operations(sandbox)
    assert made["POST /Report"] <= (1 if dial == "no reports" else made["POST /Report"])
    assert made["POST /Site"] == (made["GET /Site"] if dial == "no sites" else 0)


@pytest.mark.parametrize("dial", mostly("published", of=("published", "printed")))
def test_what_an_answer_leaves_out_costs_little_once_the_first_rows_were_read_back(
    worlds: Worlds, sandbox: SandboxProcess, dial: str
) -> None:
    world = brought_over(worlds, sandbox, orders=40, **DIALS[dial])
    assert operations(sandbox)["GET /SalesOrder/{id}"] <= 6
    before = last_call(sandbox)
    sandbox.change_orders(1, fields="amount")
    world.pull()
    world.drive()
    assert sandbox.audit()["clean"]
    assert operations(sandbox, before)["GET /SalesOrder/{id}"] <= 1


def test_one_array_in_ten_that_loses_an_element_or_is_refused_parks_nothing(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    few = {"transactions": 0, "subscriptions": 0, "details": False}
    small(sandbox, orders=300, skipped_elements=0.1, **few)
    world = worlds(style="summary")
    world.pull()
    world.drive()
    assert parked(world) == []
    assert sandbox.audit()["clean"]
    assert operations(sandbox)["POST /SalesOrder"] < 60
    known = capabilities.known(world.worker.open_line(NAME))
    assert known.array_size("order").proved >= 25


def test_a_row_that_is_refused_alone_without_a_field_is_tried_again_before_a_person_is_asked(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=2, customers=1, transactions=0, subscriptions=0)
    bad, _ = sorted(sandbox.get("/state/orders")["ids"])
    sandbox.post("/halo/refuse", {"po_numbers": [f"HL-{bad}"], "text": "Something went wrong."})
    world = worlds()
    world.pull()
    world.drive()
    [order] = parked(world)
    assert order.reason == "Something went wrong."
    alone = [
        call
        for call in sandbox.calls("halo")
        if call["operation"] == "POST /SalesOrder" and call["status"] == 400
    ]
    assert [call["elements"] for call in alone][-4:] == [1] * (1 + len(ALONE_AGAIN))
    assert len(alone) <= 2 + len(ALONE_AGAIN)


def test_a_client_that_gets_no_site_is_parked_at_once_and_never_written_again(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> int:
        raise Rejected("Halo refused a site.", text="No site for you.")

    monkeypatch.setattr(sites, "_make", refused)
    few = {"orders": 3, "customers": 1, "transactions": 0, "subscriptions": 0}
    small(sandbox, clients_without_site=True, **few)
    world = worlds()
    world.pull()
    world.hurry()
    while ("customers", "parked") not in world.counts():
        world.follow_all()
    [client] = [one for one in parked(world) if one.target == "client"]
    assert (client.field, "has no site" in client.reason) == ("main_site_id", True)
    assert operations(sandbox)["POST /Client"] == 1


def test_a_site_that_a_client_has_and_does_not_show_is_found_and_no_second_one_is_made(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hidden(client: Any, permit: Any, resource: Any, *given: Any) -> list[Any]:
        rows = save_rows(client, permit, resource, *given)
        if resource is not CLIENT:
            return rows
        return [row.of({**row.raw, "main_site_id": None}) for row in rows]

    monkeypatch.setattr("syncline.sending.targets.save_rows", hidden)
    world = brought_over(worlds, sandbox, customers=3)
    assert parked(world) == []
    assert sandbox.audit()["clean"]
    made = operations(sandbox)
    assert (made["POST /Site"], made["GET /Site"] > 0) == (0, True)


def test_a_lost_order_is_found_by_the_list_where_reports_run_no_more(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = brought_over(worlds, sandbox, orders=4, transactions=0, subscriptions=0)
    report = {"loaded": False, "load_error": "Invalid object name", "rows": []}
    answered(monkeypatch, "POST /Report", lambda _: (200, [{"report": report}]))
    sandbox.faults(side="halo", operation="POST /SalesOrder", kind="cut_after", next=1)
    sandbox.add_orders(1)
    world.pull()
    world.drive()
    assert parked(world) == []
    assert sandbox.audit()["clean"]


def of_others(page: int) -> list[dict[str, int]]:
    """A page of sites of somebody else, the newest first."""
    return [{"id": 10_000 - 100 * page - at, "client_id": 1} for at in range(100)]


def test_a_site_far_down_the_list_of_everybodys_sites_is_found(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script(params: Mapping[str, str]) -> tuple[int, Any]:
        page = int(params["page_no"])
        return 200, of_others(page) if page < 5 else [{"id": 5, "client_id": 7}]

    small(sandbox, orders=0, transactions=0, subscriptions=0)
    line = worlds().worker.open_line(NAME)
    answered(monkeypatch, "GET /Site", script)
    assert sites.site_of(line, halo_calls(line, line.lane), 7) == 5
    assert operations(sandbox)["POST /Site"] == 0


@pytest.mark.parametrize("commits", [True, False])
def test_a_site_is_audited_once_though_the_ledger_is_away_right_after_the_call(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, *, commits: bool
) -> None:
    small(sandbox, orders=1, transactions=0, subscriptions=0)
    world = worlds()
    line = world.worker.open_line(NAME)
    answered(monkeypatch, "GET /Site", lambda _: (200, []))
    begin, made = world.worker.ledger.begin, last_call(sandbox)
    away = [Again("PostgreSQL is away")] * 2

    @contextmanager
    def broken() -> Iterator[Connection]:
        is_after = away and operations(sandbox, made)["POST /Site"]
        if is_after and not commits:
            raise away.pop()
        with begin() as connection:
            yield connection
        if is_after:
            raise away.pop()  # the commit was made, and its answer is lost

    monkeypatch.setattr(world.worker.ledger, "begin", broken)
    site = sites.site_of(line, halo_calls(line, line.lane), 1)
    monkeypatch.undo()
    entries = world.rows("select target_id, call_id from audit_entry where target = 'site'")
    assert (away, [one.target_id for one in entries]) == ([], [str(site)])


def test_no_site_is_made_where_the_list_does_not_show_that_there_is_none(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(sandbox, orders=0, transactions=0, subscriptions=0)
    line = worlds().worker.open_line(NAME)
    answered(monkeypatch, "GET /Site", lambda _: (200, of_others(1)))
    with pytest.raises(Again, match="does not show whether"):
        sites.site_of(line, halo_calls(line, line.lane), 7)
    assert operations(sandbox)["POST /Site"] == 0


def test_a_site_that_halo_still_makes_is_waited_for_and_not_made_twice(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    few = {"orders": 1, "customers": 1, "transactions": 0, "subscriptions": 0}
    small(sandbox, clients_without_site=True, **few)
    sandbox.faults(side="halo", operation="POST /Site", kind="late", late_seconds=2.5, next=1)
    world = worlds(settle=4)
    world.pull()
    world.drive()
    assert sandbox.audit()["clean"]
    assert operations(sandbox)["POST /Site"] == 1


def test_a_site_that_a_look_up_may_have_made_is_waited_for_as_long(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    few = {"orders": 1, "customers": 1, "transactions": 0, "subscriptions": 0}
    small(sandbox, clients_without_site=True, **few)
    sandbox.faults(
        {"side": "halo", "operation": "POST /Client", "kind": "cut_after", "next": 1},
        {"side": "halo", "operation": "POST /Site", "kind": "cut_before", "next": 1},
    )
    world = worlds(settle=300)
    world.pull_whole()
    line = world.worker.open_line(NAME)
    send(line, "client")
    world.do("update delivery set due_at = clock_timestamp() where state = 'doubtful'")
    look_up(line, "client")
    [(state, seconds)] = world.rows(
        "select state, extract(epoch from due_at - clock_timestamp()) from delivery"
        " where target = 'client'"
    )
    assert (state, seconds > 250) == ("doubtful", True)
    assert operations(sandbox)["POST /Site"] == 1


def test_the_client_of_a_contact_that_was_merged_into_another_is_used(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=0, transactions=0, subscriptions=0)
    world = worlds()
    paid_by(world, "t1", contactId="older", contactEmail="a@example.com")
    merged = {"contactId": "newer", "contactEmail": "b@example.com"}
    paid_by(world, "t2", mergedFromContactId="older", **merged)
    paid_by(world, "t3", mergedFromContactId="newer", contactId="last", contactName="C")
    clients = world.rows("select distinct target_id from delivery where target = 'client'")
    users = world.rows("select distinct target_id from delivery where target = 'user'")
    assert (len(clients), len(users)) == (1, 2)
    assert operations(sandbox)["POST /Client"] == 1
    owners = world.rows(
        "select distinct target_meta ->> 'client_id' from delivery where target = 'invoice'"
    )
    assert [str(owner) for (owner,) in owners] == [clients[0].target_id]


def paid_by(world: World, transaction: str, **contact: str) -> None:
    """A payment without an order comes in, and all that follows from it is done."""
    line = world.worker.open_line(NAME)
    moment = "2026-11-20T10:00:00.000Z"
    row = {
        "_id": transaction, "altId": line.link.location_id, "altType": "location",
        "currency": "USD", "amount": 12.5, "status": "succeeded", "liveMode": False,
        "entityType": "invoice", "entityId": f"of-{transaction}", "entitySourceType": "invoice",
        "createdAt": moment, "updatedAt": moment, "fulfilledAt": moment, **contact,
    }  # fmt: skip
    world.worker.ledger.run(
        lambda c: record(
            c, line.link, line.document, "transaction", "list", {transaction: row}, "a test"
        )
    )
    world.drive()
    assert parked(world) == []


def test_nonsense_in_an_answer_of_halo_is_no_difference_and_is_counted(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = {"summary": {"name": "x"}, "date": "0001-01-01T00:00:00", "note": None}

    def change(document: Any) -> Any:
        return [{**row, **odd} for row in document] if isinstance(document, list) else document

    spoil(monkeypatch, "/SalesOrder", change)
    world = brought_over(worlds, sandbox)
    assert parked(world) == []
    assert sandbox.audit()["clean"]
    counted = world.rows("select kind, path from left_out where side = 'halo'")
    assert [tuple(one) for one in counted] == [("order", "summary")]


ONE_CLIENT = {"orders": 1, "customers": 1, "transactions": 0, "subscriptions": 0}


def _posts_a_site(call: str) -> bool:
    return call.startswith("POST") and call.endswith("/Site")


def looked_up(world: World, target: str, times: int, clock: QuotaClock) -> Any:
    """The one delivery of a target after so many look-ups, a minute apart by the quota's clock."""
    for _ in range(times):
        clock.pass_by(61)
        world.do("update delivery set due_at = clock_timestamp() where state = 'doubtful'")
        look_up(world.reopened(), target)
    [row] = world.rows("select * from delivery where target = :target", target=target)
    return row


def test_a_site_that_always_fails_asks_a_person_in_the_end(
    worlds: Worlds,
    sandbox: SandboxProcess,
    monkeypatch: pytest.MonkeyPatch,
    quota_clock: QuotaClock,
) -> None:
    small(sandbox, clients_without_site=True, **ONE_CLIENT)
    world = worlds()
    world.pull()
    broken = InBetween(said(500, {"Message": "No."}), lambda call, _: _posts_a_site(call))
    broken.stand(monkeypatch)
    send(world.reopened(), "client")
    world.do("update delivery set failures = :many where target = 'client'", many=PARK_AFTER - 1)
    client = looked_up(world, "client", 2, quota_clock)
    assert client.state == "parked"
    assert client.reason.startswith(f"client {client.target_id} is there, and not whole: Halo")
    assert len(broken.calls) == 3


def test_while_sites_cannot_be_asked_for_a_client_stays_in_doubt_and_nothing_is_counted(
    worlds: Worlds,
    sandbox: SandboxProcess,
    monkeypatch: pytest.MonkeyPatch,
    quota_clock: QuotaClock,
) -> None:
    small(sandbox, clients_without_site=True, **ONE_CLIENT)
    world = worlds()
    world.pull()
    out = InBetween(page(503), lambda call, _: call.startswith("GET") and "/Site" in call)
    out.stand(monkeypatch)
    send(world.reopened(), "client")
    client = looked_up(world, "client", 6, quota_clock)
    assert (client.state, client.failures) == ("doubtful", 1)
    out.answers = None
    world.drive()
    assert sandbox.audit()["clean"]


def test_a_site_of_which_the_list_does_not_say_whose_it_is_is_read_by_its_id(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(sandbox, orders=0, transactions=0, subscriptions=0)
    line = worlds().worker.open_line(NAME)
    answered(monkeypatch, "GET /Site", lambda _: (200, [{"id": 5}, {"id": 4, "client_id": 1}]))
    whose = {"client_id": 7}
    answered(monkeypatch, "GET /Site/5", lambda _: (200, {"id": 5, **whose}))
    assert sites.site_of(line, halo_calls(line, line.lane), 7) == 5
    whose.clear()
    with pytest.raises(Unmappable, match="does not say whose"):
        sites.site_of(line, halo_calls(line, line.lane), 7)
    assert operations(sandbox)["POST /Site"] == 0


def test_one_search_that_always_fails_keeps_no_other_row_in_doubt(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = brought_over(
        worlds, sandbox, profile="plain", orders=8, transactions=0, subscriptions=0
    )
    sandbox.add_orders(3)
    sandbox.faults(side="halo", operation="POST /SalesOrder", kind="cut_after", next=3)
    world.pull()
    owed = "from delivery where target = 'order' and state <> 'delivered'"
    while {row.state for row in world.rows(f"select state {owed}")} != {"doubtful"}:
        for target in ("highlevel.order", "client", "user", "order"):
            send(world.reopened(), target)
    [bad, *_] = world.rows(f"select source_id {owed} order by id")
    plain = finding.find

    def failing(line: Line, api: Any, target: Any, way: Any, references: Sequence[str]) -> Any:
        if any(bad.source_id in one for one in references):
            raise Again("Halo answered GET /SalesOrder with 500: No.", status=500)
        return plain(line, api, target, way, references)

    monkeypatch.setattr(unknown_outcomes, "find", failing)
    world.do("update delivery set due_at = clock_timestamp() where state = 'doubtful'")
    look_up(world.reopened(), "order")
    left = world.rows(f"select source_id, state, failures {owed} and state <> 'due'")
    assert [(row.source_id, row.state) for row in left] == [(bad.source_id, "doubtful")]
    assert left[0].failures > 1
