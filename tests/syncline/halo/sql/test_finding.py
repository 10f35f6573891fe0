from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from syncline import jsontext
from syncline.errors import Rejected, Unmappable, Unreadable
from syncline.halo.capabilities import FindWay
from syncline.halo.client import HaloClient
from syncline.halo.models import InvoiceRow, PaymentRow, UserRow
from syncline.halo.sql.finding import LookupResult, RowLookup, Target, ways_of
from syncline.halo.sql.queries import Query, ask
from syncline.halo.sql.reports import quoted, report_rows, run_sql
from syncline.transport import Permit
from tests.syncline.halo.conftest import HaloServer


def _drive(lookup: RowLookup, answer: Callable[[Query], Any]) -> tuple[LookupResult, list[Query]]:
    asked = []
    while (query := lookup.pending()) is not None:
        asked.append(query)
        lookup.take(answer(query))
    return lookup.found(), asked


def _ids(found: LookupResult) -> dict[str, list[int]]:
    return {ref: [row.id for row in rows] for ref, rows in found.rows.items()}


def _report(*rows: dict[str, str]) -> list[dict[str, Any]]:
    return [{"id": 0, "report": {"loaded": True, "rows": list(rows), "load_error": None}}]


def test_one_report_finds_all_orders_and_shows_two_rows_as_two() -> None:
    lookup = RowLookup(FindWay.SQL, "order", ["HL-1", "HL-2", "HL-3", "HL-1"])
    answer = _report(
        {"id": "10", "po_number": "HL-1"},
        {"id": "11", "po_number": "HL-1"},
        {"id": "12", "po_number": "HL-2"},
        {"id": "13", "po_number": "HL-22"},
    )
    found, asked = _drive(lookup, lambda _: answer)
    assert _ids(found) == {"HL-1": [10, 11], "HL-2": [12], "HL-3": []}
    assert found.unsure == frozenset()
    (query,) = asked
    assert query.elements[0]["sql"] == (
        "SELECT OHid AS id, OHponumber AS po_number FROM ORDERHEAD"
        " WHERE OHponumber IN (N'HL-1', N'HL-2', N'HL-3')"
    )


def test_users_are_found_by_e_mail_whatever_its_case() -> None:
    lookup = RowLookup(FindWay.SQL, "user", ["Ann@Example.com"])
    found, (query,) = _drive(
        lookup,
        lambda _: _report({"id": "7", "emailaddress": "ann@EXAMPLE.com", "site_id": "3.0"}),
    )
    assert _ids(found) == {"Ann@Example.com": [7]}
    assert UserRow.of(found.rows["Ann@Example.com"][0].row).site_id == 3
    assert "LOWER(uemail) IN (N'ann@example.com')" in query.elements[0]["sql"]


def test_a_report_shows_of_an_invoice_what_is_compared() -> None:
    row = {
        "id": "5",
        "thirdpartyinvoicenumber": "HL-1",
        "client_id": "7",
        "currency_code": "2",
        "total": "11.00000",
    }
    lookup = RowLookup(FindWay.SQL, "invoice", ["HL-1"])
    found, (query,) = _drive(lookup, lambda _: _report(row))
    invoice = InvoiceRow.of(found.rows["HL-1"][0].row)
    assert (invoice.id, invoice.client_id, invoice.currency_code) == (5, 7, 2)
    assert invoice.total == Decimal(11)
    assert query.elements[0]["sql"].endswith("IH3rdPartyInvoiceNumber IN (N'HL-1')")


def test_a_report_shows_of_a_payment_its_invoice_and_amount() -> None:
    row = {"id": "5", "intent_id": "HL-t1", "invoice_id": "3", "amount": "9.99000"}
    lookup = RowLookup(FindWay.SQL, "payment", ["HL-t1"])
    found, (query,) = _drive(lookup, lambda _: _report(row))
    payment = PaymentRow.of(found.rows["HL-t1"][0].row)
    assert (payment.invoice_id, payment.amount) == (3, Decimal("9.99"))
    assert query.elements[0]["sql"].endswith("FROM InvoicePayment WHERE IPIntentID IN (N'HL-t1')")


def test_invoices_and_recurring_invoices_of_one_table_are_told_apart() -> None:
    asked = {}
    targets: tuple[Target, ...] = ("invoice", "credit", "recurring")
    for target in targets:
        _, (query,) = _drive(RowLookup(FindWay.SQL, target, ["HL-1"]), lambda _: _report())
        asked[target] = query.elements[0]["sql"].partition(" WHERE ")[2]
    assert "COALESCE(IHisRecurringInvoice, 0) = 0 AND " in asked["invoice"]
    assert asked["credit"] == asked["invoice"]
    assert "IHisRecurringInvoice = 1 AND " in asked["recurring"]


def test_a_payment_has_no_links_so_they_prove_nothing_about_it() -> None:
    assert FindWay.LINK not in ways_of("payment")
    lookup = RowLookup(FindWay.LINK, "payment", ["HL-t1", "HL-t2"])
    assert lookup.pending() is None
    assert lookup.found() == LookupResult({"HL-t1": [], "HL-t2": []}, frozenset({"HL-t1", "HL-t2"}))


def test_every_other_target_can_be_found_in_every_way_best_first() -> None:
    targets: tuple[Target, ...] = ("client", "user", "order", "invoice", "credit", "recurring")
    for target in targets:
        assert ways_of(target) == tuple(FindWay)
    assert ways_of("payment") == (FindWay.SQL, FindWay.SEARCH, FindWay.PAGES)


def test_a_payment_is_searched_by_its_intent_whatever_the_list_is_called() -> None:
    rows = [{"id": 1, "intent_id": "HL-t12"}, {"id": 2, "intent_id": "HL-t1"}]
    found, (query,) = _drive(
        RowLookup(FindWay.SEARCH, "payment", ["HL-t1"]),
        lambda _: {"record_count": 2, "payments": rows},
    )
    assert _ids(found) == {"HL-t1": [2]}
    assert (query.path, query.params["intent_id"]) == ("/InvoicePayment", "HL-t1")
    assert "search" not in query.params


@pytest.mark.parametrize("way", [FindWay.SEARCH, FindWay.PAGES])
def test_credits_are_asked_for_where_lists_keep_them_back(way: FindWay) -> None:
    targets: tuple[Target, ...] = ("invoice", "credit")
    for target in targets:
        query = RowLookup(way, target, ["HL-1"]).pending()
        assert query is not None
        assert query.params["includecredits"] == query.params["includeinvoices"] == "true"


def test_lines_that_a_list_shows_are_found_in_our_words() -> None:
    line = {"id": 4, "item_shortdescription": "Tea", "qty_order": 2, "unit_price": 3}
    row = {"id": 1, "thirdpartyinvoicenumber": "HL-1", "lines": [line]}
    found, _ = _drive(
        RowLookup(FindWay.SEARCH, "recurring", ["HL-1"]),
        lambda _: {"record_count": 1, "invoices": [row]},
    )
    (shown,) = found.rows["HL-1"]
    assert shown.row["lines"] == [{"id": 4, "name": "Tea", "quantity": 2, "baseprice": 3}]


def test_thousands_of_references_go_in_lists_that_the_server_bears() -> None:
    references = [f"HL-{at}" for at in range(4_500)]
    found, asked = _drive(RowLookup(FindWay.SQL, "client", references), lambda _: _report())
    assert len(asked) == 3
    assert len(found.rows) == 4_500


def test_a_reference_that_cannot_stand_in_sql_is_unsure_and_harms_no_other() -> None:
    lookup = RowLookup(FindWay.SQL, "user", ["a\x00@example.com", "", "o'neill@example.com"])
    found, (query,) = _drive(
        lookup, lambda _: _report({"id": "1", "emailaddress": "o'neill@example.com"})
    )
    assert found.unsure == {"a\x00@example.com", ""}
    assert _ids(found)["o'neill@example.com"] == [1]
    assert "N'o''neill@example.com'" in query.elements[0]["sql"]


def test_links_count_only_for_the_exact_reference_and_table() -> None:
    links = [
        {"id": 1, "table_id": 996, "halo_id": 50, "third_party_id": "HL-1"},
        {"id": 2, "table_id": 996, "halo_id": 50, "third_party_id": "HL-1"},
        {"id": 3, "table_id": 2, "halo_id": 51, "third_party_id": "HL-1"},
        {"id": 4, "table_id": 996, "halo_id": 52, "third_party_id": "HL-10"},
    ]
    found, asked = _drive(
        RowLookup(FindWay.LINK, "order", ["HL-1", "HL-2"]),
        lambda _: {"record_count": 4, "links": links},
    )
    assert _ids(found) == {"HL-1": [50], "HL-2": []}
    assert found.unsure == frozenset()
    assert [query.params["third_party_id"] for query in asked] == ["HL-1", "HL-2"]
    assert {query.path for query in asked} == {"/ExternalLink"}


@pytest.mark.parametrize("way", [FindWay.LINK, FindWay.SEARCH])
def test_absence_is_not_believed_from_a_list_that_shows_only_a_part(way: FindWay) -> None:
    """Filter and page number are ignored: the same 100 rows of 500 each time."""
    rows = [
        {"id": at, "halo_id": at, "table_id": 996, "third_party_id": f"X-{at}", "po_number": "X"}
        for at in range(100)
    ]
    found, _ = _drive(
        RowLookup(way, "order", ["HL-1"]), lambda _: {"record_count": 500, "salesorders": rows}
    )
    assert _ids(found) == {"HL-1": []}
    assert found.unsure == {"HL-1"}


def test_a_search_counts_only_for_the_exact_reference() -> None:
    rows = [
        {"id": 1, "po_number": "HL-12"},
        {"id": 2, "po_number": " HL-1 "},
        {"id": 3, "po_number": None},
    ]
    found, (query,) = _drive(
        RowLookup(FindWay.SEARCH, "order", ["HL-1"]),
        lambda _: {"record_count": 3, "salesorders": rows},
    )
    assert _ids(found) == {"HL-1": [2]}
    assert (query.path, query.params["search"]) == ("/SalesOrder", "HL-1")


def test_a_list_that_does_not_show_the_reference_proves_no_absence() -> None:
    found, _ = _drive(
        RowLookup(FindWay.SEARCH, "client", ["HL-1"]),
        lambda _: {"record_count": 1, "clients": [{"id": 1, "name": "HL-1"}]},
    )
    assert found.unsure == {"HL-1"}


def test_a_row_of_ours_without_an_id_leaves_that_reference_unsure_and_harms_no_other() -> None:
    lookup = RowLookup(FindWay.PAGES, "user", ["a@example.com", "b@example.com", "c@example.com"])
    rows = [
        {"emailaddress": "a@example.com"},
        {"emailaddress": "of@nobody.example"},
        {"id": 7, "emailaddress": "b@example.com"},
    ]
    found, _ = _drive(lookup, lambda _: {"record_count": 3, "users": rows})
    assert _ids(found) == {"a@example.com": [], "b@example.com": [7], "c@example.com": []}
    assert found.unsure == {"a@example.com"}


def test_pages_are_read_to_the_end_newest_first() -> None:
    rows = [{"id": at, "po_number": f"HL-{at % 4}"} for at in range(6, 0, -1)]

    def answer(query: Query) -> Any:
        start = (int(query.params["page_no"]) - 1) * 2
        return {"record_count": 6, "salesorders": rows[start : start + 2]}

    found, asked = _drive(RowLookup(FindWay.PAGES, "order", ["HL-2", "HL-9"]), answer)
    assert _ids(found) == {"HL-2": [6, 2], "HL-9": []}
    assert found.unsure == frozenset()
    assert len(asked) == 3
    assert asked[0].params["orderdesc"] == "true"


def test_what_was_not_asked_yet_is_unsure() -> None:
    lookup = RowLookup(FindWay.SEARCH, "order", ["HL-1", "HL-2"])
    lookup.take({"record_count": 0, "salesorders": []})
    assert lookup.found().unsure == {"HL-2"}


def test_an_answer_without_a_list_proves_no_absence() -> None:
    for document in ({"record_count": 0, "salesorders": None}, {"record_count": 0}):
        lookup = RowLookup(FindWay.SEARCH, "order", ["HL-1"])
        lookup.take(document)
        assert lookup.pending() is None
        assert lookup.found().unsure == {"HL-1"}


def test_nothing_to_find_needs_no_call() -> None:
    for way in FindWay:
        assert RowLookup(way, "order", []).pending() is None


def test_a_report_runs_over_http_and_null_is_empty_text(
    server: HaloServer, client: HaloClient, permit: Permit
) -> None:
    report = {"report": {"rows": [{"id": "1", "n": None, "x": 2}], "load_error": ""}}
    server.on("POST /api/Report", lambda _: (201, report))
    assert run_sql(client, permit, "SELECT 1") == [{"id": "1", "n": "", "x": "2"}]
    [posted] = jsontext.loads(server.to("/api/Report")[0].body)
    assert posted == {
        "id": 0,
        "name": "",
        "apiquery_id": 0,
        "sql": "SELECT 1",
        "_testonly": False,
        "_loadreportonly": True,
    }


def test_a_look_up_asks_over_http(server: HaloServer, client: HaloClient, permit: Permit) -> None:
    server.on("POST /api/Report", lambda _: (200, _report({"id": "1", "po_number": "HL-1"})))
    server.on("GET /api/Users", lambda _: (200, {"record_count": 0, "users": []}))
    found, _ = _drive(
        RowLookup(FindWay.SQL, "order", ["HL-1"]), lambda query: ask(client, permit, query)
    )
    assert _ids(found) == {"HL-1": [1]}
    _drive(RowLookup(FindWay.SEARCH, "user", ["a@b.c"]), lambda query: ask(client, permit, query))
    assert server.to("/api/Users")[0].query["search"] == "a@b.c"
    assert server.to("/api/Users")[0].query["includeinactive"] == "true"


def test_a_report_that_failed_with_status_200_is_rejected_with_halos_text() -> None:
    with pytest.raises(Rejected) as caught:
        report_rows([{"report": {"loaded": False, "load_error": "Invalid column name 'x'"}}])
    assert caught.value.text == "Invalid column name 'x'"


@pytest.mark.parametrize(
    "document",
    [[], {"id": 1}, {"report": {"loaded": False, "rows": []}}, {"report": {"rows": None}}],
)
def test_an_answer_without_a_report_is_unreadable(document: Any) -> None:
    with pytest.raises(Unreadable):
        report_rows(document)


def test_a_report_as_long_as_the_cap_is_not_taken_for_whole() -> None:
    with pytest.raises(Unreadable, match="fewer at a time"):
        report_rows({"report": {"rows": [{"id": "1"}] * 50_000}})


def test_text_is_quoted_exactly_or_refused() -> None:
    assert quoted("O'Neill -- ü") == "N'O''Neill -- ü'"
    for bad in ("a\nb", "\x00", "\ud800"):
        with pytest.raises(Unmappable):
            quoted(bad)
