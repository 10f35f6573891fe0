"""Tenants that differ from what their documents let one hope: all is in line all the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from syncline.calls import capabilities
from syncline.calls.context import Line
from syncline.errors import Again
from syncline.runtime.registry import look_up, send
from syncline.sandbox.process import SandboxProcess
from syncline.sending import completing
from syncline.sending import find as finding
from syncline.sending.in_doubt import looking
from syncline.sending.outcomes import ALONE_AGAIN
from syncline.sending.tenant import by_id
from tests.from_halo import last_call
from tests.spoiling import answered, spoil
from tests.tenants import brought_over, operations, paid_by, parked
from tests.variants import in_turn, mostly
from tests.world import NAME, Worlds, small

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
    assert order.reason == "Halo says: Something went wrong."
    alone = [
        call
        for call in sandbox.calls("halo")
        if call["operation"] == "POST /SalesOrder" and call["status"] == 400
    ]
    assert [call["elements"] for call in alone][-4:] == [1] * (1 + len(ALONE_AGAIN))
    assert len(alone) <= 2 + len(ALONE_AGAIN)


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


@pytest.mark.parametrize(
    ("target", "path", "field"),
    [
        ("user", "/Users", "site_id"),
        ("order", "/SalesOrder", "total"),
        ("invoice", "/Invoice", "total"),
        ("payment", "/InvoicePayment", "invoice_id"),
        ("payment", "/InvoicePayment", "amount"),
        ("recurring", "/RecurringInvoice", "total"),
    ],
)
def test_what_an_answer_lacks_is_read_by_id_and_no_row_is_written_for_it_again(
    worlds: Worlds,
    sandbox: SandboxProcess,
    monkeypatch: pytest.MonkeyPatch,
    target: str,
    path: str,
    field: str,
) -> None:
    def lacking(document: Any) -> Any:
        if not isinstance(document, list):
            return document
        return [{name: row[name] for name in row if name != field} for row in document]

    spoil(monkeypatch, path, lacking)
    world = brought_over(worlds, sandbox, orders=8)
    assert parked(world) == []
    assert sandbox.audit()["clean"]
    calls = sandbox.calls("halo")
    written = sum(one["elements"] for one in calls if one["operation"] == f"POST {path}")
    read = sum(one["operation"] == f"GET {path}/{{id}}" for one in calls)
    [[made]] = world.rows(
        "select count(distinct target_id) from delivery where target = :target", target=target
    )
    assert written == read == made > 1


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

    monkeypatch.setattr(looking, "find", failing)
    world.do("update delivery set due_at = clock_timestamp() where state = 'doubtful'")
    look_up(world.reopened(), "order")
    left = world.rows(f"select source_id, state, failures {owed} and state <> 'due'")
    assert [(row.source_id, row.state) for row in left] == [(bad.source_id, "doubtful")]
    assert left[0].failures > 1


def test_an_order_that_cannot_be_read_before_its_update_holds_up_no_other(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = brought_over(worlds, sandbox, orders=3, transactions=0, subscriptions=0)
    world.do("update delivery set target_meta = target_meta - 'lines' where target = 'order'")
    [bad, *others] = world.rows("select id, source_id from delivery where target = 'order'")
    sandbox.change_orders(ids=[bad.source_id, others[0].source_id], fields="amount")
    plain = by_id.by_id

    def failing(line: Line, api: Any, resource: Any, rows: Mapping[int, Any]) -> dict[int, Any]:
        read = plain(line, api, resource, rows)
        error = Again("Halo answered with 500.")
        return {key: error if key == bad.id else row for key, row in read.items()}

    monkeypatch.setattr(completing, "by_id", failing)
    world.pull()
    owed = "select state, failures, reason from delivery where target = 'order' and id = :id"
    for _ in range(8):
        world.follow_all()
    assert world.rows(owed, id=others[0].id)[0].state == "delivered"
    [left] = world.rows(owed, id=bad.id)
    assert left.reason == "Halo answered with 500."
    assert left.failures > 1
