from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline import jsontext
from syncline.halo.capabilities import LADDER, ArraySize, Capabilities, FindProof, FindWay

AT = datetime(2026, 3, 1, tzinfo=UTC)


def test_arrays_grow_rung_by_rung_after_each_proof() -> None:
    size, sent = ArraySize(), []
    for _ in range(9):
        sent.append(size.next())
        size = size.matched(size.next())
    assert sent == [1, 2, 5, 10, 25, 50, 100, 100, 100]


@given(limit=st.integers(1, 120))
def test_a_tenant_with_a_hidden_limit_ends_on_the_highest_rung_below_it(limit: int) -> None:
    size = ArraySize()
    for _ in range(20):
        size = size.matched(size.next()) if size.next() <= limit else size.doubted(size.next())
    assert size.next() == max(rung for rung in LADDER if rung <= limit)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 100)), max_size=40))
def test_no_size_is_sent_that_reaches_the_ceiling(news: list[tuple[bool, int]]) -> None:
    size = ArraySize()
    for good, sent in news:
        size = size.matched(sent) if good else size.doubted(sent)
        assert 1 <= size.next() <= 100
        assert size.ceiling is None or size.next() < size.ceiling
        assert size.next() > size.proved or size.next() == max(size.proved, 1)


def test_a_doubt_steps_back_to_the_rung_below_and_is_remembered() -> None:
    assert ArraySize(25).doubted(10) == ArraySize(5, ceiling=10)
    assert ArraySize(2).doubted(5) == ArraySize(2, ceiling=5)
    assert ArraySize(5, ceiling=10).matched(25) == ArraySize(5, ceiling=10)


def test_a_doubt_about_one_element_says_nothing_about_arrays() -> None:
    assert ArraySize(50).doubted(1) == ArraySize(50)


def test_nothing_is_known_of_a_new_tenant() -> None:
    nothing = Capabilities()
    assert nothing.array_size("order") == ArraySize()
    assert nothing.find_way("order") is None
    assert nothing.change_seq_enforced is None
    assert nothing.lines_on_update is None
    assert nothing.currencies == {}
    assert nothing.currency_rates == {}


def test_the_best_proved_way_is_taken() -> None:
    capabilities = Capabilities()
    for way, proved in ((FindWay.PAGES, True), (FindWay.SEARCH, True), (FindWay.SQL, False)):
        proof = FindProof(proved, timedelta(seconds=2))
        capabilities = capabilities.with_find_proof("order", way, proof, found_at=AT, how="probe")
    assert capabilities.find_way("order") is FindWay.SEARCH
    assert capabilities.find_way("client") is None


@pytest.mark.parametrize("enforced", [True, False])
def test_findings_come_back_from_rows_of_json(enforced: bool) -> None:
    proof = FindProof(proved=True, lag=timedelta(seconds=1.5))
    capabilities = (
        Capabilities()
        .with_array_size("order", ArraySize(5, ceiling=10), found_at=AT, how="orders saved")
        .with_find_proof("order", FindWay.SQL, proof, found_at=AT, how="probe")
        .with_change_seq_enforced(enforced=enforced, found_at=AT, how="probe")
        .with_lines_on_update("merge", found_at=AT, how="probe")
        .with_currencies({"USD": 1}, found_at=AT, how="GET /Currency")
    )
    rows = [{**row, "found_at": row["found_at"].isoformat()} for row in capabilities.to_rows()]
    again = Capabilities.from_rows(jsontext.loads(jsontext.dumps(rows)))
    assert again == capabilities == Capabilities.from_rows(capabilities.to_rows())
    assert again.array_size("order") == ArraySize(5, ceiling=10)
    assert again.find_proof("order", FindWay.SQL) == proof
    assert again.change_seq_enforced is enforced
    assert again.lines_on_update == "merge"
    assert again.currencies == {"USD": 1}


def test_conversion_rates_are_kept_exactly_through_json() -> None:
    rates = {"USD": Decimal(1), "EUR": Decimal("0.9137000001"), "JPY": Decimal("1E-7")}
    ids = {"USD": 1, "EUR": 2, "JPY": 3, "KWD": 4}
    known = Capabilities().with_currencies(ids, rates=rates, found_at=AT, how="GET /Currency")
    again = Capabilities.from_rows(jsontext.loads(jsontext.dumps(known.to_rows())))
    assert again.currency_rates == rates
    assert again.currencies == ids


def test_currencies_read_without_rates_leave_those_that_are_known() -> None:
    known = (
        Capabilities()
        .with_currencies({"USD": 1}, rates={"USD": Decimal(1)}, found_at=AT, how="GET /Currency")
        .with_currencies({"USD": 1, "EUR": 2}, found_at=AT, how="GET /Currency")
    )
    assert known.currencies == {"USD": 1, "EUR": 2}
    assert known.currency_rates == {"USD": Decimal(1)}
