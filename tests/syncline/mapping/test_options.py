from __future__ import annotations

from typing import Any

import pytest

from syncline.errors import BadDocument
from syncline.mapping.apply import apply
from syncline.mapping.parsing import load, problems
from syncline.mapping.shipped import default_document

TRANSACTION: dict[str, Any] = {
    "id": "t1",
    "currency": "USD",
    "amount": "12.50",
    "status": "succeeded",
    "provider": "stripe",
    "charge_id": "ch_1",
    "created_at": "2026-03-01T09:30:00.000Z",
    "updated_at": "2026-03-09T09:30:00.000Z",
}


def test_an_older_document_without_money_goes_on_to_work() -> None:
    document = load('[orders]\nlines = "summary"\n')
    assert document.payments.into == "invoice"
    assert document.subscriptions.into == "recurring-invoice"
    assert document.rows["payments.payment"] == document.rows["subscriptions"] == ()


def test_options_for_money_are_written_over_the_shipped_ones() -> None:
    text = default_document(
        "detail",
        {
            "payments": {"refund_tax": "none", "paid": ["Paid"]},
            "subscriptions": {"into": "none"},
        },
    )
    document = load(text)
    assert (document.payments.refund_tax, document.payments.paid) == ("none", ["paid"])
    assert document.subscriptions.into == "none"
    assert text.count("#") == default_document("detail").count("#")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[payments]\npaid = ["Pending"]', 2),
        ('[payments]\npaid = ["ok"]\nunpaid = ["bad", "OK "]', 3),
        ('[payments]\n\nunpaid = ["succeeded"]', 3),
    ],
)
def test_a_status_that_is_paid_and_unpaid_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(BadDocument, match="both paid and unpaid") as raised:
        load(text)
    assert raised.value.line == line


def row(section: str, target: str, source: str) -> str:
    return f'[[{section}.field]]\ntarget = "{target}"\nsource = "{source}"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (row("payments", "invoice.notes_1", "charge_id"), "no 'charge_id'"),
        (row("payments", "payment.sage50_reference", "refund.amount"), "no 'refund'"),
        (row("payments", "payment.amount", "amount"), "gross"),
        (row("payments", "payment.customfields.CFx", "id"), "no field"),
        (row("payments", "customfields.CFx", "id"), "no field"),
        (row("payments", "notes_1", "id"), "no field"),
        (row("payments", "credit.mark_credit_as_used", "id"), "gone back"),
        (row("subscriptions", "disabled", "live_mode"), "never generates"),
        (row("subscriptions", "notes_1", "schedule.every"), "no 'every'"),
    ],
)
def test_a_row_reads_and_sets_only_what_its_part_of_the_flow_has(text: str, says: str) -> None:
    with pytest.raises(BadDocument, match=says):
        load(text)


def test_each_part_of_the_payments_reads_its_own_source() -> None:
    document = load(
        row("payments", "invoice.notes_1", "source.name")
        + row("payments", "payment.sage50_reference", "charge_id")
        + row("payments", "credit.customfields.CFSoFar", "refund.cumulative")
    )
    targets = {key: [one.target for one in rows] for key, rows in document.rows.items() if rows}
    assert targets == {
        "payments.invoice": ["notes_1"],
        "payments.payment": ["sage50_reference"],
        "payments.credit": ["customfields.CFSoFar"],
    }


def test_the_shipped_document_dates_a_payment_by_when_the_money_came_in() -> None:
    rows = load(default_document("detail")).rows["payments.payment"]
    fulfilled = {**TRANSACTION, "fulfilled_at": "2026-03-03T00:00:00.000Z"}
    assert apply(rows, fulfilled, "USD").always == {"date": "2026-03-03T00:00:00Z"}
    assert apply(rows, TRANSACTION, "USD").always == {"date": "2026-03-01T09:30:00Z"}


def test_a_later_change_of_a_transaction_rewrites_no_credit_note() -> None:
    rows = load(default_document("detail")).rows["payments.credit"]
    refund = {"amount": "2.50", "cumulative": "2.50"}
    first = {**TRANSACTION, "refund": refund, "refunded_at": TRANSACTION["updated_at"]}
    later = {**first, "status": "refunded", "refunded_at": "2026-04-01T00:00:00Z"}
    assert apply(rows, first, "USD").always == apply(rows, later, "USD").always
    assert apply(rows, first, "USD").at_create == {"invoice_date": "2026-03-09T09:30:00Z"}


def test_every_problem_is_found_and_not_only_the_first() -> None:
    text = """[orders]
lines = "lots"
adjustmnt = "line"
[customers]
without_email = "default-client"
[[orders.field]]
target = "note"
source = ["id", "statu"]
transform = "shout"
wat = 1
[[orders.field]]
source = "id"
[payments]
paid = "yes"
field = 3
[tables.words]
a = [1]
[order]
"""
    found = problems(text)
    assert [one.line for one in found] == [2, 3, 5, 8, 8, 9, 10, 11, 14, 15, 17, 18]
    assert all(one.what and one.remedy.endswith(".") for one in found)


@pytest.mark.parametrize(
    "text",
    [
        "orders = 3",
        "[[orders]]\nlines = 'x'",
        '[orders]\nfield = ["row"]',
        "[orders.field]\ntarget = 'note'",
        "tables = []",
        "x = " + "[" * 5000,
    ],
)
def test_what_is_no_section_or_no_row_is_a_problem_and_no_crash(text: str) -> None:
    assert problems(text)


def test_what_an_unreadable_key_would_have_said_is_no_second_problem() -> None:
    text = '[[orders.field]]\ntarget = "note"\nsource = 3'
    assert [one.line for one in problems(text)] == [3]


def test_a_document_without_problems_has_none() -> None:
    assert problems(default_document("summary")) == []
