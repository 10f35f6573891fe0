"""What a tenant holds is read to the cent, by reports as by lists, or it is said that it is not."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from syncline import jsontext
from syncline.errors import Unreadable
from syncline.halo.sql import holdings, invoicing
from syncline.halo.sql.holdings import MOST_USERS, Holding
from syncline.halo.sql.invoicing import InvoiceHolding, PaymentHolding
from syncline.halo.sql.queries import Ask, Query
from tests.syncline.sandbox.tenant_calls import EUR, JPY, KWD, USD, TenantCalls, order, tenant

DIGITS = {USD: 2, EUR: 2, JPY: 0, KWD: 3}
LONG_AGO = date(2020, 1, 1)


def asking(calls: TenantCalls) -> Ask:
    """Calls of a look-up, made to the emulated tenant."""

    def ask(query: Query) -> Any:
        body = json.dumps(list(query.elements)).encode()
        reply = calls.send(query.method, f"/api{query.path}", body=body, query=dict(query.params))
        return jsontext.loads(jsontext.dumps(reply.body))

    return ask


def by_report(ask: Ask, since: date, digits: dict[int, int]) -> list[Holding]:
    return holdings.by_report(ask, since, digits, holdings.people_by_report(ask))


def by_pages(ask: Ask, since: date) -> list[Holding]:
    return holdings.by_pages(ask, since, holdings.people_by_pages(ask))


def told(holding: Holding) -> tuple[Any, ...]:
    row = holding.row
    return (row.id, row.po_number, row.total, row.currency_code, holding.day, holding.emails)


def filled() -> TenantCalls:
    calls = tenant()
    client, user = calls.customer("Ada@Example.com")
    lines = [
        {"name": "a", "quantity": 3, "baseprice": 3.335, "discount_perc": 33, "tax": 0.37},
        {"name": "b", "quantity": 1, "baseprice": 0.105},
    ]
    for at, code in enumerate((USD, EUR, JPY, KWD)):
        extra = {"user_id": user["id"]} if at % 2 else {}
        calls.made(
            "SalesOrder",
            order(f"PO-{at}", client["id"], currency_code=code, lines=lines, **extra)
            | {"date": "2026-02-03T23:30:00.000", "summary": "by hand"},
        )
    calls.made("SalesOrder", order("none", client["id"], lines=[]))
    return calls


def test_reports_and_lists_tell_the_same_in_every_currency() -> None:
    ask = asking(filled())
    reported, listed = by_report(ask, LONG_AGO, DIGITS), by_pages(ask, LONG_AGO)
    assert sorted(map(told, reported)) == sorted(map(told, listed))
    assert [one.row.total for one in reported] == [
        Decimal("7.18"),
        Decimal("7.18"),
        Decimal(7),
        Decimal("7.178"),
        Decimal(0),
    ]
    assert reported[0].day == date(2026, 2, 3)
    assert reported[0].emails == reported[1].emails == {"Ada@Example.com"}
    assert "by hand" in reported[0].texts


def test_a_line_whose_discount_was_never_set_counts_whole() -> None:
    calls = filled()
    [first] = calls.get("SalesOrder", search="PO-0")["salesorders"]
    calls.halo.orders[first["id"]]["lines"][1]["discount_perc"] = None
    reported = {
        one.row.po_number: one.row.total for one in by_report(asking(calls), LONG_AGO, DIGITS)
    }
    assert reported["PO-0"] == Decimal("7.18")


def test_what_is_dated_before_the_first_day_is_left_out() -> None:
    ask = asking(filled())
    for held in (by_report(ask, date(2026, 2, 4), DIGITS), by_pages(ask, date(2026, 2, 4))):
        assert [one.row.po_number for one in held] == ["none"]


def test_a_client_of_very_many_users_tells_nobody() -> None:
    calls = tenant()
    client, user = calls.customer()
    for at in range(MOST_USERS):
        calls.made(
            "Users",
            {"name": "N", "emailaddress": f"{at}@x.com", "site_id": user["site_id"]},
        )
    calls.made("SalesOrder", order("PO-1", client["id"]))
    [held] = by_report(asking(calls), LONG_AGO, DIGITS)
    assert held.emails == frozenset()


def test_a_list_that_does_not_show_all_is_an_error_and_not_a_shorter_list() -> None:
    ask = asking(filled())

    def short(query: Query) -> Any:
        document = ask(query)
        if query.path == "/SalesOrder":
            document["salesorders"] = document["salesorders"][:2]
        return document

    with pytest.raises(Unreadable, match="does not show all"):
        by_pages(short, LONG_AGO)


def billed() -> TenantCalls:
    calls = tenant()
    client, _ = calls.customer("Ada@Example.com")
    for code in (USD, EUR, JPY, KWD):
        invoice = {
            "client_id": client["id"],
            "currency_code": code,
            "invoice_date": "2026-02-03T23:30:00.000",
            "thirdpartyinvoicenumber": f"R-{code}",
            "reference": "by hand",
            "lines": [
                {"item_shortdescription": "a", "qty_order": 3, "unit_price": 3.335}
                | {"tax_amount": 0.37},
                {"item_shortdescription": "b", "qty_order": 1, "unit_price": 0.105},
            ],
            "_dont_fire_automations": True,
        }
        made = calls.made("Invoice", invoice)
        paid = {"invoice_id": made["id"], "amount": 1.1, "date": "2026-02-04T01:00:00.000"}
        calls.made("InvoicePayment", {**paid, "intent_id": f"pi_{code}", "_isimport": True})
        calls.made("RecurringInvoice", {**invoice, "disabled": code != USD})
    credited = {"client_id": client["id"], "creditlinkedtoinvoiceid": made["id"]}
    line = {"item_shortdescription": "back", "qty_order": -1, "unit_price": 2}
    calls.made("Invoice", {**credited, "lines": [line], "_dont_fire_automations": True})
    calls.made("Invoice", {"client_id": client["id"], "lines": [line], "voided": True})
    return calls


def of_invoice(one: InvoiceHolding) -> tuple[Any, ...]:
    row = one.row
    money = (row.total, row.tax_total, row.currency_code)
    return (row.id, row.thirdpartyinvoicenumber, *money, one.day, one.emails, one.is_credit)


def of_payment(one: PaymentHolding) -> tuple[Any, ...]:
    return (one.row.id, one.row.invoice_id, one.row.amount, one.row.intent_id, one.day)


def test_money_is_told_the_same_by_reports_and_by_lists() -> None:
    ask = asking(billed())
    people = holdings.people_by_report(ask)
    reported = invoicing.invoices_by_report(ask, LONG_AGO, DIGITS, people)
    listed = invoicing.invoices_by_pages(ask, LONG_AGO, people)
    assert sorted(map(of_invoice, reported)) == sorted(map(of_invoice, listed))
    assert [one.row.total for one in reported] == [
        Decimal("10.49"),
        Decimal("10.49"),
        Decimal(10),
        Decimal("10.48"),
        Decimal(-2),
    ]
    assert [one.is_credit for one in reported] == [False, False, False, False, True]
    assert "by hand" in reported[0].texts
    assert reported[0].emails == {"Ada@Example.com"}
    paid = [
        sorted(
            (one.row.id, one.row.invoice_id, one.row.amount, one.row.intent_id, one.day)
            for one in rows
        )
        for rows in (
            invoicing.payments_by_report(ask, LONG_AGO),
            invoicing.payments_by_pages(ask, LONG_AGO),
        )
    ]
    assert paid[0] == paid[1]
    assert paid[0][0][2:] == (Decimal("1.1"), "pi_1", date(2026, 2, 4))


def test_recurring_invoices_are_read_whole_where_the_list_is_not() -> None:
    ask = asking(billed())

    def short(query: Query) -> Any:
        document = ask(query)
        if query.path == "/RecurringInvoice":
            document["invoices"] = document["invoices"][:2]
        return document

    people = holdings.people_by_report(ask)
    for templates in (
        invoicing.templates(ask, people),
        invoicing.templates(short, people),
    ):
        assert sorted((one.row.currency_code, one.bills) for one in templates) == [
            (USD, True),
            (EUR, False),
            (JPY, False),
            (KWD, False),
        ]
