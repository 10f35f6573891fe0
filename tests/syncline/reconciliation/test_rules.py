"""Who moved is told by what was confirmed last, and a certificate says it in words."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.flows.flow import Difference
from syncline.reconciliation import certificate_text
from syncline.reconciliation.rules import (
    Cause,
    ComparedDelivery,
    FieldDifference,
    at_most,
    days_of,
    judge,
    period_in_words,
    so_far,
    undelivered,
)

TEN = {"total": "10.00", "currency_code": "1"}


def row(amount: str | None = "10.00", **fields: Any) -> ComparedDelivery:
    given = {"state": "delivered", "reason": None, "target_id": "7", "delivered": TEN, **fields}
    return ComparedDelivery(amount=None if amount is None else Decimal(amount), **given)


def test_equal_on_all_three_is_no_difference() -> None:
    assert judge(row(), TEN, []) == []


@pytest.mark.parametrize(
    ("amount", "held", "told"),
    [
        (
            "10.00",
            "12.00",
            FieldDifference(Cause.CHANGED_IN_HALO, "total", "10.00", "12.00", "10.00"),
        ),
        (
            "11.00",
            "12.00",
            FieldDifference(Cause.CHANGED_ON_BOTH, "total", "11.00", "12.00", "10.00"),
        ),
        (
            "11.00",
            "10.00",
            FieldDifference(Cause.CHANGED_IN_HIGHLEVEL, "total", "11.00", "10.00", "10.00"),
        ),
        ("12.00", "12.00", None),
    ],
)
def test_who_moved_is_told_by_what_was_confirmed(
    amount: str, held: str, told: FieldDifference | None
) -> None:
    different = [Difference("total", "10.00", held)] if held != "10.00" else []
    found = judge(row(amount), {**TEN, "total": held}, different)
    assert found == ([] if told is None else [told])


def test_a_row_that_is_gone_says_what_stands_in_its_place() -> None:
    [told] = judge(row(), None, [], [9])
    assert told == FieldDifference(Cause.MISSING, "row", "7", "9", "10.00")


def test_copies_and_voided_invoices_are_told_beside_each_other() -> None:
    told = judge(row(), {**TEN, "voided": "yes"}, [], [8, 9])
    assert [(one.cause, one.field, one.theirs) for one in told] == [
        (Cause.DOUBLED, "reference", "7, 8, 9"),
        (Cause.CHANGED_IN_HALO, "voided", "yes"),
    ]


def test_lines_are_one_difference_that_lists_them() -> None:
    lines = [Difference("line Mug: 1 at 5, tax 0", "1", ""), Difference("lines", "2", "1")]
    [told] = judge(row(), TEN, lines)
    assert (told.field, told.ours, told.theirs) == ("lines", "Mug: 1 at 5, tax 0 (1)", "")


def test_what_was_not_delivered_says_its_state_and_reason() -> None:
    told = undelivered(row(state="parked", reason="no currency", target_id=None))
    assert (told.cause, told.theirs) == (Cause.NOT_DELIVERED, "parked: no currency")


@given(st.integers(1, 100_000), st.integers(0, 50))
def test_more_sampled_says_more_and_more_wrong_says_worse(many: int, wrong: int) -> None:
    share = at_most(many, min(wrong, many))
    assert share is not None
    assert min(wrong, many) / many <= share <= 1
    if not wrong:
        assert share <= 3 / many
        assert (1 - share) ** many == pytest.approx(0.05)


def test_the_share_of_a_sample_is_as_statisticians_say() -> None:
    assert at_most(0, 0) is None
    assert at_most(400, 0) == pytest.approx(0.00746, abs=1e-5)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026", date(2026, 1, 1), date(2026, 12, 31)),
        ("2026-02", date(2026, 2, 1), date(2026, 2, 28)),
        ("2024-12", date(2024, 12, 1), date(2024, 12, 31)),
        ("2026-11-05", date(2026, 11, 5), date(2026, 11, 5)),
    ],
)
def test_a_period_is_read_and_said_alike(text: str, first: date, last: date) -> None:
    assert days_of(text) == (first, last)
    assert period_in_words(first, last) == text


@pytest.mark.parametrize("text", ["", "november", "2026-13", "2026-1-1-1", "2026-02-30"])
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        days_of(text)


def side(count: int, total: str | None) -> dict[str, Any]:
    return {"count": count, "total": total}


def certificate(**changed: Any) -> dict[str, Any]:
    same = side(1204, "88120.40")
    orders = {"kind": "orders", "currency": "USD", "highlevel": same, "halo": same}
    return {
        "period": "2026-11",
        "mode": "full",
        "kinds": [{**orders, "differences": 0}],
        "by_cause": {},
        "marked": 0,
        "accepted": 0,
        "left_out": [],
        "on_the_way": 0,
        "unconfirmed": 0,
        "complete": [{"kind": "order", "highlevel": 1204, "ledger": 1204, "equal": True}],
        "statement": None,
        "calls": {"halo": 6, "highlevel": 3},
        "ways": {"order": "report"},
        "seconds": 2.4,
        **changed,
    }


def test_a_clean_certificate_is_one_line_and_what_it_rests_on() -> None:
    assert certificate_text.lines(certificate()) == [
        "2026-11: 1,204 orders, USD 88,120.40 on both sides, 0 differences",
        "HighLevel: as its pulls and events were read, counted by itself",
        "full, 6 calls to Halo (order by report), 3 to HighLevel, 2 s",
    ]
    assert certificate_text.rows(certificate()) == [
        ("2026-11", "orders", "USD", 1204, "88120.40", 1204, "88120.40", 0)
    ]


def test_a_certificate_names_both_sides_and_what_was_left_out() -> None:
    refunds = {"kind": "refunds", "currency": "JPY", "differences": 1}
    refunds |= {"highlevel": side(2, "-0"), "halo": side(1, "1500")}
    parcels = {"kind": "fulfillments", "currency": "", "differences": 0}
    parcels |= {"highlevel": side(1, None), "halo": side(1, None)}
    told = certificate_text.lines(
        certificate(
            kinds=[refunds, parcels],
            by_cause={"missing": 1},
            marked=2,
            left_out=[{"what": "test orders", "count": 12}],
            on_the_way=3,
            unconfirmed=4,
            complete=[
                {"kind": "order", "highlevel": 5, "ledger": 4, "equal": False},
                {"kind": "transaction", "highlevel": None, "ledger": 3, "equal": False},
            ],
        )
    )
    assert told[:9] == [
        "2026-11: HighLevel 2 refunds, JPY -0; Halo 1 refund, JPY 1,500; 1 difference",
        "2026-11: 1 fulfillment on both sides, 0 differences",
        "1 difference: confirmed once, and not there any more",
        "2 differences marked before",
        "12 test orders left out",
        "3 on their way, not compared",
        "4 more seem to differ and were not read again: put right what is listed, and run it again",
        "orders of HighLevel: it has 5, 4 were read",
        "transactions of HighLevel: it does not tell how many it has, 3 were read",
    ]


def test_how_far_a_run_came_is_told_with_rows_of_how_many() -> None:
    listed = {"way": "list", "rows": 7, "list": {"walk": {"counts": [240]}}}
    assert so_far({}) == ""
    assert so_far({"kinds": {"order": {"way": "report", "rows": 5}, "invoice": listed}}) == (
        "Read so far: 5 orders, 7 of 240 invoices."
    )
    by_id = {**listed, "listed": True, "incomplete": [4, 5, 6], "at": 1, "done": False}
    assert so_far({"kinds": {"recurring": by_id}}) == (
        "Read so far: recurring invoices by their ids, 1 of 3."
    )
    assert so_far({"kinds": {"recurring": {**by_id, "done": True}}}) == (
        "Read so far: 7 recurring invoices."
    )
