"""Invoices, credits, payments and recurring invoices: lines translated, rows saved and found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from syncline import jsontext
from syncline.errors import Absent, Doubtful, Rejected
from syncline.halo.capabilities import FindWay
from syncline.halo.client import HaloClient
from syncline.halo.entities.currencies import currency_ids, currency_rates
from syncline.halo.entities.resources import CLIENT, CURRENCY, INVOICE, ORDER, PAYMENT, RECURRING
from syncline.halo.entities.rows import delete_row, list_rows, read_row, save_rows
from syncline.halo.lines import from_halo, to_halo
from syncline.halo.matching import match
from syncline.halo.models import CurrencyRow, InvoiceRow, PaymentRow, RecurringRow
from syncline.halo.sql.finding import LookupResult, RowLookup, Target
from syncline.halo.sql.queries import ask
from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.process import SandboxProcess
from syncline.transport import Permit, Transport
from tests.syncline.halo.conftest import HaloServer, MemoryTokens, sign_in

SMALL = {"orders": 1, "transactions": 0, "subscriptions": 0, "customers": 1, "link_delay": 0}

_OURS = ("id", "name", "item_external_reference", "quantity", "baseprice", "tax", "net_total")
_HALOS = (
    "id",
    "item_shortdescription",
    "item_external_reference",
    "qty_order",
    "unit_price",
    "tax_amount",
    "net_amount",
    "net_total",
    "total_price",
    "baseprice",
    "nominal_code",
)
_VALUES = st.none() | st.text(max_size=5) | st.integers() | st.decimals(allow_nan=False)


def _lines(names: tuple[str, ...]) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(st.dictionaries(st.sampled_from(names), _VALUES), max_size=4)


@given(_lines(_OURS))
def test_lines_come_back_from_halo_as_they_were_sent(lines: list[dict[str, Any]]) -> None:
    element = {"client_id": 1, "lines": lines}
    posted = to_halo(element, "invoice")
    assert from_halo(posted, "invoice") == element
    assert all(not {"name", "quantity", "tax"} & line.keys() for line in posted["lines"])


@given(_lines(_HALOS))
def test_a_row_that_is_translated_already_stays_the_same(lines: list[dict[str, Any]]) -> None:
    once = from_halo({"id": 1, "lines": lines}, "invoice")
    assert from_halo(once, "invoice") == once
    assert InvoiceRow.of(once).raw == InvoiceRow.of({"id": 1, "lines": lines}).raw


def test_what_halo_charged_wins_over_its_own_fields_of_our_names() -> None:
    line = {"unit_price": 3, "baseprice": 9, "net_amount": 6, "net_total": 0, "nominal_code": "4"}
    (ours,) = from_halo({"lines": [line]}, "invoice")["lines"]
    assert ours == {"baseprice": 3, "net_total": 6, "nominal_code": "4"}


@pytest.mark.parametrize("invoice", [{"id": 1}, {"id": 1, "lines": None}, {"id": 1, "lines": "x"}])
def test_an_invoice_without_lines_is_left_as_it_is(invoice: dict[str, Any]) -> None:
    assert to_halo(invoice, "invoice") == from_halo(invoice, "invoice") == invoice
    assert InvoiceRow.of(invoice).lines == []


def test_translation_changes_nothing_that_was_handed_in() -> None:
    element = {"lines": [{"name": "Tea"}]}
    to_halo(element, "invoice")["lines"].append("changed")
    assert element == {"lines": [{"name": "Tea"}]}


def test_loosely_typed_rows_are_read() -> None:
    line = {"id": 4, "qty_order": "2", "unit_price": 1.5, "tax_amount": None}
    invoice = InvoiceRow.of({"id": "7", "total": "-3.50", "sitenumber": 12.0, "lines": [line, 1]})
    assert (invoice.id, invoice.total, invoice.sitenumber) == (7, Decimal("-3.50"), 12)
    assert [(one.quantity, one.baseprice) for one in invoice.lines] == [
        (Decimal(2), Decimal("1.5"))
    ]
    payment = PaymentRow.of({"id": 1, "amount": 9.99, "invoice_id": "7", "intent_id": None})
    assert (payment.amount, payment.invoice_id, payment.intent_id) == (Decimal("9.99"), 7, "")
    assert RecurringRow.of({"id": 1, "disabled": True, "startdate": None}).disabled is True


def test_an_invoice_goes_out_in_halos_words(
    server: HaloServer, client: HaloClient, permit: Permit
) -> None:
    server.on("POST /api/Invoice", lambda call: (201, {**jsontext.loads(call.body)[0], "id": 5}))
    (row,) = save_rows(client, permit, INVOICE, [{"lines": [{"name": "Tea", "tax": 1}]}])
    (call,) = server.to("/api/Invoice")
    assert jsontext.loads(call.body) == [
        {"lines": [{"item_shortdescription": "Tea", "tax_amount": 1}]}
    ]
    assert row.raw["lines"] == [{"name": "Tea", "tax": 1}]


def test_a_saved_invoice_that_cannot_be_read_is_doubtful(
    server: HaloServer, client: HaloClient, permit: Permit
) -> None:
    server.on("POST /api/Invoice", lambda _: (201, [{"thirdpartyinvoicenumber": "HL-1"}]))
    with pytest.raises(Doubtful):
        save_rows(client, permit, INVOICE, [{"thirdpartyinvoicenumber": "HL-1"}])


def test_a_rate_is_that_of_the_row_whose_id_is_taken() -> None:
    rows = CurrencyRow.all_of(
        [
            {"id": 1, "code": "USD", "conversion_rate": 1},
            {"id": 2, "name": "eur", "conversion_rate": "0.91"},
            {"id": 3, "code": "EUR", "conversion_rate": 7},
            {"id": 4, "code": "KWD", "conversion_rate": None},
        ]
    )
    assert currency_ids(rows) == {"USD": 1, "EUR": 2, "KWD": 4}
    assert currency_rates(rows) == {"USD": Decimal(1), "EUR": Decimal("0.91")}


@dataclass(frozen=True, slots=True)
class Tenant:
    """An emulated tenant with one customer, called by the client under test."""

    halo: HaloClient
    permit: Permit
    client_id: int
    site_id: int
    usd: int

    def head(self, reference: str) -> dict[str, Any]:
        link = {"third_party_id": reference, "third_party_type": "syncline"}
        return {
            "thirdpartyinvoicenumber": reference,
            "client_id": self.client_id,
            "sitenumber": self.site_id,
            "currency_code": self.usd,
            "new_external_link": link,
            "_dont_fire_automations": True,
            "_isimport": True,
        }

    def invoice(self, reference: str, **given: Any) -> dict[str, Any]:
        line = {"name": "Tea", "item_external_reference": "p1", "quantity": 1}
        line |= {"baseprice": Decimal("9.99"), "tax": Decimal("1.01")}
        return {**self.head(reference), "lines": [line], **given}

    def credit(self, reference: str, invoice_id: int) -> dict[str, Any]:
        line = {"name": "Refund", "quantity": -1, "baseprice": Decimal("3.50"), "tax": 0}
        return self.invoice(
            reference,
            lines=[line],
            creditlinkedtoinvoiceid=invoice_id,
            mark_credit_as_used=True,
        )

    def payment(self, reference: str, invoice_id: int) -> dict[str, Any]:
        return {
            "intent_id": reference,
            "thirdpartyid": reference,
            "invoice_id": invoice_id,
            "amount": Decimal("11.00"),
            "date": "2026-03-01T00:00:00Z",
            "_isimport": True,
        }

    def subscription(self, reference: str) -> dict[str, Any]:
        still = {"include_in_autopay": False, "take_auto_payment": False}
        schedule = {"startdate": "2026-01-01T00:00:00Z", "period": 1}
        given = {"is_recurring_invoice": True, "disabled": True, **still, **schedule}
        return self.invoice(reference, **given)

    def found(self, way: FindWay, target: Target, reference: str) -> tuple[list[int], bool]:
        """The ids found, and whether the absence of another reference was proved."""
        lookup = RowLookup(way, target, [reference, "HL-nothing"])
        while (query := lookup.pending()) is not None:
            lookup.take(ask(self.halo, self.permit, query))
        found: LookupResult = lookup.found()
        assert found.rows["HL-nothing"] == []
        return [row.id for row in found.rows[reference]], "HL-nothing" not in found.unsure


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    with SandboxProcess(**SMALL) as started:
        yield started


def _tenant(process: SandboxProcess, transport: Transport, permit: Permit, profile: str) -> Tenant:
    def now() -> datetime:
        return datetime.now(UTC)

    process.reset(**SMALL, profile=profile)
    config = SandboxConfig()
    halo = HaloClient(
        transport,
        base_url=process.halo_url,
        tenant=None,
        client_id=config.halo_client_id,
        client_secret=SecretStr(config.halo_client_secret),
        scope="all",
        tokens=MemoryTokens(now),
        now=now,
    )
    sign_in(halo, permit)
    (row,) = save_rows(
        halo, permit, CLIENT, [{"name": "Acme", "ref": "HL-acme", "_dont_fire_automations": True}]
    )
    usd = currency_ids(list_rows(halo, permit, CURRENCY))["USD"]
    assert row.main_site_id is not None
    return Tenant(halo, permit, row.id, row.main_site_id, usd)


@pytest.fixture(params=["generous", "plain", "awkward"])
def tenant(
    process: SandboxProcess, transport: Transport, permit: Permit, request: pytest.FixtureRequest
) -> Tenant:
    return _tenant(process, transport, permit, request.param)


@pytest.fixture
def generous(process: SandboxProcess, transport: Transport, permit: Permit) -> Tenant:
    return _tenant(process, transport, permit, "generous")


def _saved_invoice(tenant: Tenant, reference: str = "HL-o1") -> InvoiceRow:
    sent = [tenant.invoice(reference)]
    outcome = match(sent, save_rows(tenant.halo, tenant.permit, INVOICE, sent), INVOICE.reference)
    assert outcome.clean
    return outcome.found[reference]


def test_an_invoice_is_saved_and_read_to_the_cent(tenant: Tenant) -> None:
    saved = _saved_invoice(tenant)
    read = read_row(tenant.halo, tenant.permit, INVOICE, saved.id)
    assert (read.total, read.tax_total) == (Decimal("11.00"), Decimal("1.01"))
    assert (read.client_id, read.sitenumber) == (tenant.client_id, tenant.site_id)
    (line,) = read.lines
    assert (line.name, line.item_external_reference) == ("Tea", "p1")
    assert (line.quantity, line.baseprice, line.tax) == (
        Decimal(1),
        Decimal("9.99"),
        Decimal("1.01"),
    )
    assert (line.net_total, line.total_price) == (Decimal("9.99"), Decimal("11.00"))
    assert read.raw["lines"][0]["baseprice"] == Decimal("9.99")


def test_an_invoices_line_is_changed_by_its_id(tenant: Tenant) -> None:
    saved = _saved_invoice(tenant)
    line = {"id": saved.lines[0].id, "name": "Tea", "quantity": 2, "baseprice": 5, "tax": 0}
    (row,) = save_rows(
        tenant.halo,
        tenant.permit,
        INVOICE,
        [{**tenant.head("HL-o1"), "id": saved.id, "lines": [line]}],
    )
    assert (row.id, row.total) == (saved.id, Decimal(10))
    assert [one.id for one in row.lines] == [saved.lines[0].id]


def test_an_invoice_is_paid_and_credited_and_all_add_up(tenant: Tenant) -> None:
    invoice = _saved_invoice(tenant)
    (payment,) = save_rows(
        tenant.halo, tenant.permit, PAYMENT, [tenant.payment("HL-t1", invoice.id)]
    )
    (credit,) = save_rows(
        tenant.halo, tenant.permit, INVOICE, [tenant.credit("HL-t1-R3.50", invoice.id)]
    )
    read = read_row(tenant.halo, tenant.permit, PAYMENT, payment.id)
    assert (read.invoice_id, read.client_id) == (invoice.id, tenant.client_id)
    assert (read.amount, read.thirdpartyid) == (Decimal("11.00"), "HL-t1")
    assert (credit.total, credit.creditlinkedtoinvoiceid) == (Decimal("-3.50"), invoice.id)
    paid = read_row(tenant.halo, tenant.permit, INVOICE, invoice.id)
    assert (paid.amountpaid, paid.amountdue) == (Decimal(11), Decimal(0))


def test_a_subscription_stands_as_a_template_that_makes_nothing(tenant: Tenant) -> None:
    (saved,) = save_rows(tenant.halo, tenant.permit, RECURRING, [tenant.subscription("HL-s1")])
    read = read_row(tenant.halo, tenant.permit, RECURRING, saved.id)
    assert (read.disabled, read.include_in_autopay) == (True, False)
    assert (read.total, read.startdate[:10]) == (Decimal("11.00"), "2026-01-01")
    assert [line.name for line in read.lines] == ["Tea"]
    assert tenant.found(FindWay.PAGES, "invoice", "HL-s1") == ([], True)


_TARGETS: dict[Target, str] = {
    "invoice": "HL-o1",
    "credit": "HL-t1-R3.50",
    "payment": "HL-t1",
    "recurring": "HL-s1",
}


def _all_saved(tenant: Tenant) -> dict[Target, int]:
    halo, permit = tenant.halo, tenant.permit
    invoice = _saved_invoice(tenant)
    (credit,) = save_rows(halo, permit, INVOICE, [tenant.credit("HL-t1-R3.50", invoice.id)])
    (payment,) = save_rows(halo, permit, PAYMENT, [tenant.payment("HL-t1", invoice.id)])
    (template,) = save_rows(halo, permit, RECURRING, [tenant.subscription("HL-s1")])
    return {
        "invoice": invoice.id,
        "credit": credit.id,
        "payment": payment.id,
        "recurring": template.id,
    }


def test_what_is_written_mails_collects_and_generates_nothing(
    tenant: Tenant, process: SandboxProcess
) -> None:
    _all_saved(tenant)
    found = process.audit()
    kinds = ("mailed", "collected", "generated", "automations")
    assert {kind: found[kind] for kind in kinds} == {kind: [] for kind in kinds}


def test_each_kind_of_row_is_found_by_list_and_its_absence_proved(tenant: Tenant) -> None:
    ids = _all_saved(tenant)
    for way in (FindWay.SEARCH, FindWay.PAGES):
        for target, reference in _TARGETS.items():
            assert tenant.found(way, target, reference) == ([ids[target]], True), (way, target)


@pytest.mark.parametrize("profile", ["generous", "awkward"])
def test_each_kind_of_row_is_found_by_report_and_by_link(
    process: SandboxProcess, transport: Transport, permit: Permit, profile: str
) -> None:
    tenant = _tenant(process, transport, permit, profile)
    ids = _all_saved(tenant)
    for target, reference in _TARGETS.items():
        assert tenant.found(FindWay.SQL, target, reference) == ([ids[target]], True), target
    for target in ("invoice", "credit", "recurring"):
        found, _ = tenant.found(FindWay.LINK, target, _TARGETS[target])
        assert found == [ids[target]], target


def test_a_report_shows_what_is_compared(generous: Tenant) -> None:
    ids = _all_saved(generous)
    shown = {}
    for target, reference in _TARGETS.items():
        lookup = RowLookup(FindWay.SQL, target, [reference])
        query = lookup.pending()
        assert query is not None
        lookup.take(ask(generous.halo, generous.permit, query))
        ((row,),) = lookup.found().rows.values()
        shown[target] = row.row
    invoice = InvoiceRow.of(shown["invoice"])
    assert (invoice.client_id, invoice.currency_code) == (generous.client_id, generous.usd)
    assert (invoice.total, invoice.sitenumber) == (Decimal("11.00"), generous.site_id)
    credit = InvoiceRow.of(shown["credit"])
    assert (credit.total, credit.creditlinkedtoinvoiceid) == (Decimal("-3.50"), ids["invoice"])
    payment = PaymentRow.of(shown["payment"])
    assert (payment.invoice_id, payment.amount) == (ids["invoice"], Decimal(11))
    assert RecurringRow.of(shown["recurring"]).total == Decimal("11.00")


def test_a_deleted_row_is_gone(generous: Tenant) -> None:
    halo, permit = generous.halo, generous.permit
    ids = _all_saved(generous)
    with pytest.raises(Rejected):
        delete_row(halo, permit, INVOICE, ids["invoice"])
    delete_row(halo, permit, PAYMENT, ids["payment"])
    delete_row(halo, permit, RECURRING, ids["recurring"])
    for name in ("credit", "invoice"):
        delete_row(halo, permit, INVOICE, ids[name])
    for target, reference in _TARGETS.items():
        assert generous.found(FindWay.SEARCH, target, reference) == ([], True)
    with pytest.raises(Absent):
        read_row(halo, permit, PAYMENT, ids["payment"])


def test_an_invoice_of_an_order_names_it(generous: Tenant) -> None:
    head = {"po_number": "HL-o1", "client_id": generous.client_id, "lines": []}
    (order,) = save_rows(
        generous.halo, generous.permit, ORDER, [{**head, "_dont_fire_automations": True}]
    )
    (row,) = save_rows(
        generous.halo, generous.permit, INVOICE, [generous.invoice("HL-o1", salesorder_id=order.id)]
    )
    assert row.salesorder_id == order.id
