from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from syncline import jsontext
from syncline.halo.array_size import ArraySize
from syncline.halo.capabilities import Capabilities, FindProof, FindWay
from syncline.halo.round_trip import Mismatch, RoundTrip

AT = datetime(2026, 3, 1, tzinfo=UTC)
RESTING = ArraySize(5, ceiling=10, falls=3, rests_until=AT + timedelta(minutes=2))
SEEN = RoundTrip(frozenset({"row", "tax"}), Mismatch(7, "41", "total", "12.10", "10.00"))


def test_nothing_is_known_of_a_new_tenant() -> None:
    nothing = Capabilities()
    assert nothing.array_size("order") == ArraySize()
    assert nothing.find_way("order") is None
    assert nothing.change_seq_enforced is None
    assert nothing.lines_on_update is None
    assert nothing.currencies == {}
    assert nothing.currency_rates == {}


def test_large_arrays_of_one_kind_embolden_all_others_that_never_failed() -> None:
    known = (
        Capabilities()
        .with_array_size("client", ArraySize(50), found_at=AT, how="clients saved")
        .with_array_size("order", RESTING, found_at=AT, how="orders saved")
    )
    assert known.array_size("invoice").next() == 1
    assert known.array_size("invoice").came(1, 1, AT).next() == 10
    assert known.array_size("order") == RESTING
    assert known.to_rows()[0]["value"]["proved"] == 50


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
        .with_array_size("order", RESTING, found_at=AT, how="orders saved")
        .with_find_proof("order", FindWay.SQL, proof, found_at=AT, how="probe")
        .with_change_seq_enforced(enforced=enforced, found_at=AT, how="probe")
        .with_lines_on_update("merge", found_at=AT, how="probe")
        .with_currencies({"USD": 1}, found_at=AT, how="GET /Currency")
        .with_line_spelling("quote", found_at=AT, how="round trip")
        .with_round_trip("order", SEEN, found_at=AT, how="round trip")
    )
    rows = [{**row, "found_at": row["found_at"].isoformat()} for row in capabilities.to_rows()]
    again = Capabilities.from_rows(jsontext.loads(jsontext.dumps(rows)))
    assert again == capabilities == Capabilities.from_rows(capabilities.to_rows())
    assert again.array_size("order") == RESTING
    assert again.find_proof("order", FindWay.SQL) == proof
    assert again.change_seq_enforced is enforced
    assert again.lines_on_update == "merge"
    assert again.currencies == {"USD": 1}
    assert again.line_spelling == "quote"
    assert again.round_trip("order") == SEEN
    assert again.round_trip("invoice") == RoundTrip()


def test_what_has_rested_is_tried_again() -> None:
    later = AT + timedelta(days=1)
    proof = FindProof(proved=True, lag=timedelta(0))
    refused = (
        Capabilities()
        .with_find_proof("order", FindWay.SQL, proof, found_at=AT, how="probe")
        .with_array_size("order", RESTING, found_at=AT, how="orders saved")
        .with_reports_refused(until=later, found_at=AT, how="POST /Report")
    )
    before, after = refused.as_of(AT), refused.as_of(later)
    assert before == refused
    assert (before.refuses_reports, before.find_way("order")) == (True, None)
    assert (after.refuses_reports, after.find_way("order")) == (False, FindWay.SQL)
    assert (before.array_size("order").next(), after.array_size("order").next()) == (5, 10)


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
