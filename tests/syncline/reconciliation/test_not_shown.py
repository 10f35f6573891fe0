"""What Halo does not show is neither equal nor different: it is read, or the certificate tells."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from syncline.halo import paging
from syncline.halo.sql.readback import KINDS
from syncline.mapping.parsing import load
from syncline.mapping.shipped import default_document
from syncline.reconciliation import certificate_text, run
from syncline.reconciliation.reading import paced_calls, read_halo
from syncline.reconciliation.reading.read_halo import BY_ID, LIST, SQL, compared
from syncline.sandbox.process import SandboxProcess
from tests.from_halo import last_call, readings
from tests.reconciling import (
    FEW,
    TAMPERED,
    certified,
    in_line,
    pairs,
    reconciled,
    tampered,
)
from tests.spoiling import answered, refused, spoil
from tests.world import Worlds

LISTS = {
    "/SalesOrder": "salesorders",
    "/Invoice": "invoices",
    "/InvoicePayment": "invoicepayments",
    "/RecurringInvoice": "invoices",
}
ORDERS = 14
REFERENCES = ("id", "po_number", "thirdpartyinvoicenumber", "intent_id", "thirdpartyid")


def shows_little(
    monkeypatch: pytest.MonkeyPatch, paths: Mapping[str, str] = LISTS, **hidden: Any
) -> None:
    """Lists show ids and references only; or all, with `hidden` in place of what is there."""
    for path, key in paths.items():
        spoil(monkeypatch, path, partial(_less, key, hidden))


def _less(key: str, hidden: Mapping[str, Any], document: Any) -> Any:
    if not isinstance(document, dict) or key not in document:
        return document
    rows = [
        {**row, **hidden} if hidden else {name: row[name] for name in REFERENCES if name in row}
        for row in document[key]
    ]
    return {**document, key: rows}


@pytest.mark.parametrize(
    ("way", "value", "told"),
    [
        *((SQL, value, told) for value, told in (("", "no"), ("True", "yes"), ("0", "no"))),
        *((LIST, value, told) for value, told in ((None, None), ("n/a", None), (True, "yes"))),
        *((BY_ID, value, told) for value, told in ((None, "no"), ("n/a", None), (False, "no"))),
    ],
)
def test_null_in_a_list_and_nonsense_anywhere_tell_nothing(
    way: str, value: Any, told: str | None
) -> None:
    document = load(default_document("detail"))
    got = compared(document, KINDS["invoice"], {"id": 1, "voided": value}, "USD", way)
    assert got.get("voided") == told
    if way != SQL:
        amounts = {"id": 1, "total": "n/a", "tax_total": "1.0"}
        got = compared(document, KINDS["invoice"], amounts, "USD", way)
        assert got == {"tax_total": "1.00"}


def test_what_lists_do_not_show_is_read_by_id_and_compared(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = in_line(worlds, sandbox, profile="plain")
    shows_little(monkeypatch)
    clean = certified(reconciled(world))
    assert (clean["clean"], clean["unshown"], pairs(world)) == (True, [], set())
    assert all(one["highlevel"] == one["halo"] for one in clean["kinds"])
    done = tampered(sandbox, *TAMPERED)
    assert len(done) >= 13
    assert not certified(reconciled(world))["clean"]
    assert pairs(world) == {(one["source"], TAMPERED[kind]) for kind, one in done.items()}


def test_rows_beyond_those_that_a_run_reads_by_id_are_named_and_heal_nothing(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = in_line(worlds, sandbox, profile="plain")
    dearer = tampered(sandbox, "order_price")["order_price"]["source"]
    assert not certified(reconciled(world))["clean"]
    shows_little(monkeypatch, {"/SalesOrder": "salesorders"}, total="n/a", revenue=None)
    monkeypatch.setattr(read_halo, "MOST_COMPLETED", 0)
    found, before = certified(reconciled(world)), last_call(sandbox)
    [orders] = found["unshown"]
    assert (orders["kind"], orders["count"], orders["fields"]) == ("orders", ORDERS, ["total"])
    assert (found["clean"], found["compared"]) == (False, False)
    assert pairs(world) == {(dearer, "changed_in_halo")}
    told = "\n".join(certificate_text.lines(found))
    assert f"{ORDERS} orders of which Halo does not show total: not compared in that, such" in told
    assert "not everything was compared" in certificate_text.sentence(found)
    monkeypatch.setattr(read_halo, "MOST_COMPLETED", ORDERS)
    assert certified(reconciled(world))["unshown"] == []
    assert readings(sandbox, "halo", before).count("GET /SalesOrder/{id}") == ORDERS + 1
    assert pairs(world) == {(dearer, "changed_in_halo")}


def test_a_row_without_an_id_is_told_also_where_the_reading_was_cut(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = in_line(worlds, sandbox, profile="plain")
    monkeypatch.setattr(paging, "PAGE_SIZE", 5)
    monkeypatch.setattr(paced_calls, "LONGEST_PAUSE", timedelta(0))

    def with_another(document: Any) -> Any:
        rows, many = document["salesorders"], document["record_count"]
        another = [{**rows[0], "id": ""}] * (document["page_no"] == 1)
        return {**document, "salesorders": [*another, *rows], "record_count": many + 1}

    spoiler = spoil(monkeypatch, "/SalesOrder", with_another)
    found = certified(reconciled(world))
    assert found["illegible"] == [{"kind": "orders", "count": 1}]
    assert (found["clean"], found["compared"], pairs(world)) == (False, False, set())
    assert "1 row in Halo's list of orders without an id" in "".join(certificate_text.lines(found))
    spoiler.on = False
    assert certified(reconciled(world))["clean"]


def test_where_a_list_shows_no_references_nobody_can_tell_copies(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = in_line(worlds, sandbox, profile="plain")
    sandbox.tamper("order_doubled", 2)
    shows_little(monkeypatch, {"/SalesOrder": "salesorders"}, po_number=None)
    found = certified(reconciled(world))
    assert found["illegible"] == [{"kind": "orders", "count": 2}]
    assert (found["clean"], found["unshown"], pairs(world)) == (False, [], set())
    [orders] = [one for one in found["kinds"] if one["kind"] == "orders"][:1]
    assert orders["highlevel"] == orders["halo"]


def test_a_refund_that_highlevel_does_not_tell_any_more_is_no_equal_one(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = in_line(worlds, sandbox, profile="plain")
    [refunded, *_] = world.rows(
        "select foreign_id from record where canonical ? 'amount_refunded' order by 1"
    )
    taken = "update record set canonical = canonical - 'amount_refunded' where foreign_id = :i"
    world.do(taken, i=refunded.foreign_id)
    assert not certified(reconciled(world))["clean"]
    assert (refunded.foreign_id, "changed_in_highlevel") in pairs(world)


def test_what_highlevel_does_not_tell_of_a_sampled_record_is_named(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = in_line(worlds, sandbox, profile="plain")
    order = sandbox.get("/state/orders")["ids"][0]
    spoil(monkeypatch, f"/{order}", lambda document: {**document, "amount": None})
    found = certified(reconciled(world, sample=200))
    assert found["unshown"] == [
        {
            "side": "HighLevel",
            "kind": "orders",
            "count": 1,
            "fields": ["amount"],
            "examples": [order],
        }
    ]
    assert (found["clean"], pairs(world)) == (False, set())


@pytest.mark.parametrize(
    "answer", [(500, {"message": "No"}), (422, {"message": "No"}), (200, {"id": 1})]
)
def test_a_row_that_cannot_be_read_by_its_id_stays_unshown_and_all_others_are_compared(
    worlds: Worlds,
    sandbox: SandboxProcess,
    monkeypatch: pytest.MonkeyPatch,
    answer: tuple[int, Any],
) -> None:
    world = in_line(worlds, sandbox, profile="plain", **FEW)
    dearer = tampered(sandbox, "order_price")["order_price"]["source"]
    shows_little(monkeypatch, {"/SalesOrder": "salesorders"}, total=None, revenue=None)
    monkeypatch.setattr(paced_calls, "LONGEST_PAUSE", timedelta(0))
    monkeypatch.setattr(paced_calls.Reader, "rest", lambda _: None)
    [broken] = world.rows(
        "select source_id, target_id from delivery where target = 'order' and source_id <> :s"
        " order by id limit 1",
        s=dearer,
    )
    answered(monkeypatch, f"GET /SalesOrder/{broken.target_id}", lambda _: answer)
    found = certified(reconciled(world))
    [orders] = found["unshown"]
    assert (orders["count"], orders["examples"]) == (1, [broken.source_id])
    assert (found["clean"], found["compared"]) == (False, False)
    assert pairs(world) == {(dearer, "changed_in_halo")}
    sampled = certified(reconciled(world, sample=200))
    assert (sampled["unconfirmed"], sampled["clean"]) == (1, False)
    assert pairs(world) == {(dearer, "changed_in_halo")}
    drawn = sum(one["highlevel"]["count"] for one in sampled["kinds"])
    assert sampled["statement"].startswith(f"1 of {drawn - 1} sampled differ")


def test_rows_after_each_other_that_fail_by_their_ids_stop_no_run(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = in_line(worlds, sandbox, profile="plain", **FEW)
    shows_little(monkeypatch, {"/SalesOrder": "salesorders"}, total=None, revenue=None)
    monkeypatch.setattr(paced_calls, "LONGEST_PAUSE", timedelta(0))
    monkeypatch.setattr(paced_calls.Reader, "rest", lambda _: None)
    monkeypatch.setattr(run, "GIVES_UP", timedelta(seconds=4))
    drawn = world.rows(
        "select source_id, target_id from delivery where target = 'order' order by md5(id || '/0')"
    )
    for broken in drawn[-2:]:
        answered(
            monkeypatch, f"GET /SalesOrder/{broken.target_id}", lambda _: (500, {"message": "No"})
        )
    found = certified(reconciled(world))
    [orders] = found["unshown"]
    assert (orders["count"], set(orders["examples"])) == (2, {one.source_id for one in drawn[-2:]})
    assert (found["clean"], pairs(world)) == (False, set())


@pytest.mark.parametrize("status", [500, 422, 403])
def test_a_sampled_record_that_highlevel_does_not_show_is_named_and_all_others_are_compared(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    world = in_line(worlds, sandbox, profile="plain", **FEW)
    [broken, other, *_] = sandbox.get("/state/orders")["ids"]
    for path in (broken, f"{broken}/fulfillments"):
        refused(monkeypatch, f"/payments/orders/{path}", lambda *_: True, status)
    spoil(monkeypatch, f"/payments/orders/{other}", lambda shown: {**shown, "amount": 1})
    found = certified(reconciled(world, sample=200))
    [orders] = found["unshown"]
    assert (orders["side"], orders["kind"], orders["examples"]) == ("HighLevel", "orders", [broken])
    assert orders["fields"] == ["amount", "currency", "fulfillments", "status"]
    assert (found["clean"], pairs(world)) == (False, {(other, "not_in_ledger")})
