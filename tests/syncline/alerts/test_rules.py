"""When people are told, and of which new orders: pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.alerts import signals
from syncline.alerts.rules import (
    SEVERITY,
    Notice,
    StoredAlert,
    is_quiet,
    matching_rule,
    new_order,
    quiet_ends,
    telling,
)
from syncline.alerts.tickets import (
    ACTION,
    INTEGRATION_ERROR,
    TICKET,
    TicketSettings,
    action_role,
    reference,
    render,
)
from syncline.deliveries.parked import ParkedCause
from syncline.errors import BadDocument, Unmappable
from syncline.flows.texts.fitting import units
from syncline.ledger.calls import Fault, FaultyOperation, LastAnswer
from syncline.mapping.options import AlertOptions, NewOrderRule
from syncline.mapping.parsing import load
from syncline.mapping.shipped import default_document
from syncline.operations import without_elements

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
OPTIONS = AlertOptions()
OPEN = StoredAlert("parked", "warning", "open", 3, NOW)

CLOCKS = st.times(timezones=st.none()).map(lambda at: at.replace(second=0, microsecond=0))
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=700)).map(lambda after: NOW + after)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"])


@given(MOMENTS, CLOCKS, CLOCKS, ZONES)
def test_quiet_hours_end_at_their_end_and_hold_back_only_what_lies_in_them(
    now: datetime, begin: time, end: time, zone: str
) -> None:
    if begin == end:
        return
    options = AlertOptions(quiet=f"{begin:%H:%M}-{end:%H:%M}", time_zone=zone)
    there = now.astimezone(ZoneInfo(zone)).time()
    within = begin <= there < end if begin < end else there >= begin or there < end
    ends = quiet_ends(now, options)
    assert (ends is not None) == within
    if ends is not None:
        assert ends.astimezone(ZoneInfo(zone)).time().replace(second=0) == end or _skipped(
            ends, zone, end
        )
        assert timedelta(0) <= ends - now <= timedelta(hours=26)
    assert is_quiet(now, "warning", options) == within
    assert not is_quiet(now, "critical", options)
    assert is_quiet(now, "critical", options.model_copy(update={"quiet_except": "nothing"})) == (
        within
    )


def _skipped(ends: datetime, zone: str, end: time) -> bool:
    """Whether there is no such hour on that day: summer time begins in it."""
    local = ends.astimezone(ZoneInfo(zone))
    return (
        local.replace(hour=end.hour, minute=end.minute).astimezone(UTC) == ends.astimezone(UTC)
        or local.utcoffset() != (local - timedelta(hours=3)).utcoffset()
    )


@pytest.mark.parametrize(
    ("changed", "after", "told"),
    [
        ({}, timedelta(0), Notice.OPENED),
        ({"kind": "silent"}, timedelta(minutes=9), None),
        ({"kind": "silent"}, timedelta(minutes=10), Notice.OPENED),
        ({"acknowledged_at": NOW}, timedelta(days=3), None),
        ({"told_at": NOW, "told_count": 2}, timedelta(hours=23), None),
        ({"told_at": NOW, "told_count": 1}, timedelta(minutes=9), None),
        ({"told_at": NOW, "told_count": 1}, timedelta(minutes=10), Notice.GREW),
        ({"told_at": NOW, "told_count": 3}, timedelta(days=1), Notice.STILL),
        ({"state": "closed"}, timedelta(0), None),
        ({"state": "closed", "told_state": "open"}, timedelta(0), Notice.CLOSED),
        ({"state": "notice", "ready": False}, timedelta(minutes=9), None),
        ({"state": "notice", "ready": False}, timedelta(minutes=10), Notice.NOTICE),
        ({"state": "notice"}, timedelta(0), Notice.NOTICE),
        ({"state": "notice", "told_at": NOW}, timedelta(days=3), None),
    ],
)
def test_an_alert_is_told_when_it_is_due(
    changed: dict[str, object], after: timedelta, told: Notice | None
) -> None:
    alert = replace(OPEN, **changed)  # type: ignore[arg-type]  # the parameters say which fields
    assert telling(alert, NOW + after, OPTIONS) == told


def test_thresholds_and_quiet_hours_put_a_telling_off() -> None:
    assert telling(OPEN, NOW, AlertOptions(parked_at_least=4)) is None
    assert telling(OPEN, NOW, AlertOptions(parked_for="1 hour")) is None
    quiet = AlertOptions(quiet="11:00-13:00")
    assert telling(OPEN, NOW, quiet) is None
    assert telling(OPEN, NOW + timedelta(hours=1), quiet) is Notice.OPENED
    assert telling(replace(OPEN, kind="test", severity="info"), NOW, quiet) is Notice.OPENED


ORDER = {
    "id": "o1",
    "amount": "500.00",
    "currency": "USD",
    "items": [{"name": "Chair", "product_id": "p1", "sku": "C-1", "qty": 2}],
}


@pytest.mark.parametrize(
    ("rule", "is_first", "matches"),
    [
        (NewOrderRule(), False, True),
        (NewOrderRule(at_least=Decimal(500), currency="USD"), False, True),
        (NewOrderRule(at_least=Decimal("500.01"), currency="USD"), False, False),
        (NewOrderRule(at_least=Decimal(1), currency="EUR"), True, False),
        (NewOrderRule(product="chair"), False, True),
        (NewOrderRule(product="p1"), False, True),
        (NewOrderRule(product="Table"), False, False),
        (NewOrderRule(sku="c-1"), False, True),
        (NewOrderRule(sku="p1"), False, False),
        (NewOrderRule(first=True), False, False),
        (NewOrderRule(first=True, sku="C-1"), True, True),
    ],
)
def test_a_rule_matches_orders_that_satisfy_all_it_says(
    rule: NewOrderRule, *, is_first: bool, matches: bool
) -> None:
    assert (matching_rule(ORDER, [rule], is_first=is_first) is rule) == matches
    unreadable = {"id": "o2", "amount": None, "items": [None]}
    assert matching_rule(unreadable, [NewOrderRule(at_least=Decimal(0))], is_first=True) is None


@pytest.mark.parametrize(
    ("written", "line", "said"),
    [
        ('[[alerts.new_order]]\nat_leest = "5"', 2, "did you mean at_least"),
        ('[[alerts.new_order]]\ncurrency = "usd"', 2, "currency"),
        ('[alerts]\nquiet = "25:00-07:00"', 2, "22:00-07:00"),
        ('[alerts]\ntime_zone = "Mars"', 2, "Europe/Berlin"),
        ('[alerts]\nkinds = ["weather"]', 2, "kinds"),
        ('[[alerts.field]]\ntarget = "user_id"\nsource = "id"', 2, "nobody is mailed"),
    ],
)
def test_what_is_wrong_in_the_section_is_said_with_its_line(
    written: str, line: int, said: str
) -> None:
    with pytest.raises(BadDocument, match=said) as wrong:
        load(written)
    assert wrong.value.line == line


def _alert(**changed: object) -> dict[str, object]:
    return {
        "id": "alert-1",
        "number": 7,
        "connection": "acme",
        "kind": "parked",
        "severity": "warning",
        "title": "Deliveries are parked",
        "text": "Why",
        "count": 2,
        "state": "open",
        "first_at": NOW.isoformat(),
        "last_at": NOW.isoformat(),
        "closed_at": None,
        "news": "grew",
        **changed,
    }


def test_a_ticket_mails_nobody_closes_with_its_status_and_is_not_made_for_what_healed() -> None:
    text = default_document("detail") + (
        '[[alerts.field]]\ntarget = "category_1"\nsource = "kind"\n'
        '[[alerts.field]]\ntarget = "customfields.CFCount"\nsource = "count"\n'
    )
    document, endpoint = load(text), TicketSettings(4, 24, frozenset({24}))
    made = render(_alert(), TICKET, TICKET, document, endpoint, exists=False).for_create()
    assert made["tickettype_id"] == 4
    assert made["category_1"] == "parked"
    assert made["customfields"] == [{"name": "CFCount", "value": "2"}]
    assert made["sendack"] is False
    assert made["_dont_fire_automations"] is made["dont_do_rules"] is True
    assert "status_id" not in made
    assert "user_id" not in made
    closed = _alert(state="closed", closed_at=NOW.isoformat())
    assert not render(closed, TICKET, TICKET, document, endpoint, exists=False).body
    body = render(closed, TICKET, TICKET, document, endpoint, exists=True).for_update(9)
    assert (body["id"], body["status_id"]) == (9, 24)
    by_hand = _alert(closed_by_hand=True)
    assert not render(by_hand, TICKET, TICKET, document, endpoint, exists=True).body
    with pytest.raises(Unmappable, match="closed_status"):
        render(closed, TICKET, TICKET, document, TicketSettings(), exists=True)
    action = render(_alert(), action_role(2, "9"), ACTION, document, endpoint, exists=False).body
    assert action["ticket_id"] == 9
    assert action["outcome"] == reference("alert-1", action_role(2, "9")) == "alert-1.2.9"
    assert (action["hiddenfromuser"], action["sendemail"]) == (True, False)


def test_texts_of_an_alert_end_where_halos_columns_end_and_stand_whole_in_the_details() -> None:
    text = default_document("detail") + (
        '[[alerts.field]]\ntarget = "client_reference"\nsource = "title"\n'
        '[[alerts.field]]\ntarget = "category_1"\nsource = "text"\n'
    )
    title, long = "Deliveries are parked " * 8, "\N{PACKAGE} Why " * 1000
    alert, document = _alert(title=title.strip(), text=long), load(text)
    made = render(alert, TICKET, TICKET, document, TicketSettings(4), exists=False).for_create()
    assert (len(made["client_reference"]), units(made["category_1"])) == (50, 4000)
    assert f"client_reference: {title.strip()}" in made["details"]
    assert f"category_1: {long.strip()}" in made["details"]
    shown = render(alert, "error", INTEGRATION_ERROR, document, TicketSettings(), exists=False).body
    assert units(shown["error"]) <= 2000
    assert shown["error"].endswith(f"…\nIn full: syncline alerts show {alert['number']}")
    assert shown["error"].startswith(title.strip())


def test_a_title_that_a_summary_is_too_short_for_stands_whole_in_the_details() -> None:
    def ticket(title: str) -> dict[str, Any]:
        document = load(default_document("detail"))
        alert = _alert(title=title)
        return render(alert, TICKET, TICKET, document, TicketSettings(4), exists=True).body

    long = ticket("Parked " * 50 + "!")
    assert (len(long["summary"]), long["summary"].endswith("… (2)")) == (250, True)
    assert long["details"].startswith("[")
    assert "Parked " * 50 + "!" in long["details"]
    short = ticket("Parked")
    assert "…" not in short["summary"]
    assert "Parked" not in short["details"].split("\n")[0]


def failed(
    fault: Fault, *, many: int = 1, seconds: float = 0, operation: str = "", strangers: int = 0
) -> LastAnswer:
    """The answer of a side that has failed so often, since so long."""
    since = NOW - timedelta(seconds=seconds)
    faulty = FaultyOperation(operation, fault, many, since, NOW, "why", "a page (403)")
    return LastAnswer(3, NOW, (faulty,), strangers, "a page (403)")


def answered(strangers: int = 0) -> LastAnswer:
    return LastAnswer(3, NOW, (), strangers, "a page (403)" if strangers else None)


def told(answer: LastAnswer) -> dict[str, str]:
    """Cause → kind of what is told of a side."""
    return {one.cause: one.kind for one in signals.of_side("halo", answer, "acme")}


def test_how_a_side_fails_and_who_answers_in_its_place_is_told() -> None:
    assert told(failed(Fault.FAILING)) == {"failing halo": "failing"}
    assert told(failed(Fault.SUSPENDED)) == {"suspended halo": "suspended"}
    # One page of somebody else is passing.
    assert told(failed(Fault.FOREIGN, many=2, seconds=5)) == {}
    assert told(failed(Fault.FOREIGN, many=2, seconds=40)) == {"foreign halo": "foreign"}
    assert told(failed(Fault.FOREIGN, many=5, seconds=2)) == {"foreign halo": "foreign"}
    assert told(answered(strangers=4)) == {}
    assert told(answered(strangers=5)) == {"foreign halo": "foreign"}
    token = failed(Fault.FAILING, operation="POST /token")
    assert told(token) == {"failing halo POST /token": "failing"}
    report = failed(Fault.FOREIGN, operation="POST /Report", many=4)
    assert told(report) == {}
    [signal] = signals.of_side("halo", failed(Fault.FOREIGN, many=9), "acme")
    assert "a page (403)" in signal.text
    assert (signal.severity, signal.count, signal.since) == ("critical", 9, NOW)


def test_an_endpoint_that_fails_is_told_with_the_records_at_which_it_may() -> None:
    orders = failed(Fault.FAILING, operation="POST /SalesOrder", many=7)
    [of_many] = signals.of_side("halo", orders, "acme")
    assert "smaller sets are tried" in of_many.text
    assert "goes by itself" not in of_many.text
    alone = {"POST /SalesOrder": ["o1", "o2", "o3", "o4"], "POST /Client": ["c1"]}
    [of_one] = signals.of_side("halo", orders, "acme", alone)
    assert "alone in the call: o1, o2, o3, …." in of_one.text
    for other in ("GET /SalesOrder", "POST /token"):
        [signal] = signals.of_side("halo", failed(Fault.FAILING, many=7, operation=other), "acme")
        assert "record" not in signal.text
    asked = failed(Fault.FAILING, many=7, operation=without_elements("/SalesOrder"))
    assert told(asked) == {}


def test_signals_are_there_only_while_it_is_so() -> None:
    assert told(answered()) == {}
    assert told(failed(Fault.SILENT)) == {"silent halo": "silent"}
    assert signals.quota("halo", None, None, "acme") is None
    assert signals.quota("highlevel", 5, None, "acme") is None
    spent = signals.quota("highlevel", 0, None, "acme")
    assert spent is not None
    assert spent.kind in SEVERITY
    frozen = signals.quota("halo", None, NOW, "acme")
    assert frozen is not None
    assert "2026-11-28 12:00:00 UTC" in frozen.text


def test_more_causes_than_people_can_look_at_are_one_alert() -> None:
    causes = [
        ParkedCause(
            id=f"c{at}",
            records=100 - at,
            since=NOW,
            latest=NOW + timedelta(minutes=at),
            flow="orders",
            target="order",
            field=None,
            reason=f"No. {at} " + "x" * 5000,
            connections=["acme"],
            example=at,
            example_record=f"o{at}",
            example_reason=None,
        )
        for at in range(signals.MOST_CAUSES + 3)
    ]
    *told, rest = signals.parked(causes, "acme")
    assert [one.cause for one in told] == [f"parked c{at}" for at in range(50)]
    assert max(len(one.text) for one in told) < 1300
    assert (rest.kind, rest.count, rest.latest) == ("parked", 50 + 49 + 48, causes[-1].latest)
    assert sum(one.count for one in (*told, rest)) == sum(cause.records for cause in causes)
    assert len(list(signals.parked(causes[:50], "acme"))) == 50
    order = {**ORDER, "items": [{"name": "x" * 5000, "qty": 1}] * 500}
    assert len(new_order("o1", order, NewOrderRule()).text) < 3000
