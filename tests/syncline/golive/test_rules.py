"""What keeps a connection from going live: each line by itself, judged by what was found."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.golive.facts import AcceptedLine, Dump, Facts, Load, Reconciled, Side, Tried
from syncline.golive.rules import NAMES, CheckLine, lines, red
from syncline.mapping.parsing import load
from syncline.mapping.shipped import default_document

DAY = timedelta(days=1)
MAPPING = load(default_document("detail"))
ROOMY = Load(records=200, calls_a_record=3.0, cadence=4_000, others=0, budget=200_000)
GREEN = Facts(
    name="acme",
    state="active",
    document=MAPPING,
    sides=(Side("HighLevel: reading orders", True, True, "12", ""),),
    ways={"order": "sql", "invoice": "sql", "payment": "link"},
    arrays={"order": 5, "invoice": 1},
    known_currencies={"USD", "EUR"},
    used_currencies={"USD"},
    statuses={"succeeded", "failed"},
    is_requested_again=False,
    parked=0,
    parked_events=0,
    refused=(),
    tried=Tried("o1", "t1", "t1", "77", "o1"),
    app=True,
    heard_highlevel=timedelta(hours=3),
    heard_halo=timedelta(hours=3),
    loads={"HighLevel": ROOMY, "Halo": ROOMY},
    reconciled=Reconciled(4, timedelta(hours=1), 0, whole=True),
    told=timedelta(hours=1),
    dump=Dump("/dumps/ledger.dump", timedelta(hours=1)),
    strangers=0,
    adopted=False,
    accepted={},
    within=7 * DAY,
)

RED: list[tuple[str, dict[str, Any], str]] = [
    ("state", {"state": "stopped"}, "connection start acme"),
    ("state", {"state": "rehearsing"}, "connection start acme"),
    ("state", {"is_requested_again": True}, "syncline up"),
    ("scopes", {"sides": (Side("Halo: a token", False, True, "no", "Do it."),)}, "Do it."),
    ("currencies", {"used_currencies": {"USD", "CHF"}}, "connection check acme"),
    ("currencies", {"known_currencies": set(), "used_currencies": set()}, "connection check"),
    ("mapping", {"statuses": {"succeeded", "odd"}}, "set-mapping acme"),
    ("adoption", {"strangers": 3}, "syncline adopt acme"),
    ("adoption", {"strangers": None}, "syncline adopt acme"),
    ("order", {"tried": Tried("o1", "t1", None, "77", "o1")}, "golive test acme"),
    ("shipment", {"tried": Tried("o1", "t1", "t1", "77", None)}, "golive test acme"),
    ("finding", {"ways": {"order": "sql", "invoice": "sql"}}, "golive test acme"),
    ("arrays", {"arrays": {"order": 0}}, "golive test acme"),
    ("parked", {"parked": 2}, "parked list --connection acme"),
    ("parked", {"parked_events": 1}, "events list --state parked"),
    ("parked", {"refused": ["orders of 2026-11-01"]}, "syncline status acme"),
    ("webhooks", {"heard_halo": None}, "halo webhooks install acme"),
    ("webhooks", {"heard_highlevel": 8 * DAY}, "--accept-polling"),
    (
        "highlevel-quota",
        {"loads": {"HighLevel": replace(ROOMY, records=60_000), "Halo": ROOMY}},
        "SYNCLINE_PULL_HOT",
    ),
    (
        "halo-quota",
        {"loads": {"HighLevel": ROOMY, "Halo": replace(ROOMY, others=160_000)}},
        "higher limit",
    ),
    (
        "halo-quota",
        {"loads": {"HighLevel": ROOMY, "Halo": replace(ROOMY, calls_a_record=None)}},
        "golive test acme",
    ),
    ("reconciliation", {"reconciled": None}, "syncline reconcile run acme"),
    (
        "reconciliation",
        {"reconciled": Reconciled(4, DAY, 1, whole=True)},
        "syncline discrepancies list --connection acme",
    ),
    (
        "reconciliation",
        {"reconciled": Reconciled(4, 8 * DAY, 0, whole=True)},
        "syncline reconcile run acme",
    ),
    (
        "reconciliation",
        {"reconciled": Reconciled(4, DAY, 0, whole=False)},
        "syncline reconcile show 4",
    ),
    ("alerts", {"told": None}, "alerts test acme"),
    ("alerts", {"told": 8 * DAY}, "alerts test acme"),
    ("dump", {"dump": None}, "golive dump acme"),
    ("dump", {"dump": Dump("x", 8 * DAY)}, "golive dump acme"),
]


def one(facts: Facts, name: str) -> CheckLine:
    return next(line for line in lines(facts) if line.name == name)


def test_all_is_green_or_not_needed() -> None:
    found = lines(GREEN)
    assert tuple(line.name for line in found) == NAMES
    assert {line.state for line in found} == {"green", "not needed"}
    assert all(line.found for line in found)


@pytest.mark.parametrize(("name", "wrong", "remedy"), RED)
def test_each_line_is_red_alone_and_says_what_mends_it(
    name: str, wrong: dict[str, Any], remedy: str
) -> None:
    facts = replace(GREEN, **wrong)
    assert [line.name for line in red(lines(facts))] == [name]
    assert remedy in one(facts, name).remedy


def test_every_line_can_be_red() -> None:
    assert {name for name, _, _ in RED} == set(NAMES)


def test_what_somebody_accepts_is_neither_red_nor_green_and_names_them() -> None:
    accepted = {name: AcceptedLine("ada", "it is so") for name in NAMES}
    for name, wrong, _ in RED:
        line = one(replace(GREEN, **wrong, accepted=accepted), name)
        assert line.state == "accepted"
        assert "accepted by ada: it is so" in line.found
    assert one(replace(GREEN, accepted=accepted), "dump").state == "green"


def test_what_the_mapping_leaves_out_is_not_asked_for() -> None:
    quiet = load(
        default_document("detail", {"payments": {"into": "none"}, "fulfillments": {"into": "none"}})
    )
    facts = replace(
        GREEN, document=quiet, tried=Tried(order="o1"), ways={"order": "sql"}, statuses={"odd"}
    )
    assert red(lines(facts)) == []
    assert one(facts, "shipment").state == "not needed"


@given(
    records=st.integers(0, 10**6),
    calls=st.floats(0, 20),
    cadence=st.integers(0, 10**5),
    budget=st.integers(1, 10**6),
)
def test_a_day_that_fits_leaves_room(records: int, calls: float, cadence: int, budget: int) -> None:
    load_ = Load(records, calls, cadence, 0, budget)
    line = one(replace(GREEN, loads={"HighLevel": load_, "Halo": ROOMY}), "highlevel-quota")
    assert (line.state == "green") == (load_.expected <= 0.8 * budget)
    assert load_.expected >= cadence
