"""Differences on the command line: listed, shown, and decided about."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, text

from syncline.deliveries.states import DOUBTED
from syncline.reconciliation import queries
from syncline.reconciliation.found_differences import FoundDifference, write
from tests.syncline.cli.conftest import LedgerScene, Run, document

UNKNOWN = FoundDifference(
    *("orders", "order", "o2", "order", "order", "78", "unknown_in_halo", "reference"),
    *(None, "78", None, None),
)
OWED = FoundDifference(
    *("orders", "order", "o1", "order", "order", None, "not_delivered", "row"),
    *("10.50", "parked: why", None, "USD"),
)


@pytest.fixture
def differing(scene: LedgerScene) -> LedgerScene:
    """An order that is parked, and a row of Halo that nobody knows; both are found by a run."""
    scene.see("o1")
    scene.park(scene.claim(), "why", "total")

    def work(connection: Connection) -> None:
        connection.execute(
            text(
                """
                insert into reconciliation (connection_id, first, last, mode, cause)
                values (:id, '2026-03-01', '2026-03-31', 'full', 'a test')
                """
            ),
            {"id": scene.link.id},
        )
        run = queries.latest(connection, scene.link.id, 1)[0]
        write(connection, run, [OWED, UNKNOWN])

    scene.ledger.run(work)
    return scene


def test_differences_are_listed_with_what_can_be_done(differing: LedgerScene, run: Run) -> None:
    found = document(run("discrepancies", "list", "--connection", "acme", "--json"))
    assert [one["cause"] for one in found["discrepancies"]] == ["not_delivered", "unknown_in_halo"]
    assert (found["more"], len(found["counts"])) == (0, 2)
    first = found["discrepancies"][0]["id"]
    assert document(run("discrepancies", "list", "--limit", "1", "--json"))["more"] == 1
    for chosen in (["--cause", "not_delivered"], ["--flow", "orders"], ["--since", "2026-01-01"]):
        assert str(first) in run("discrepancies", "list", *chosen).stdout
    assert "no such difference" in run("discrepancies", "list", "--state", "healed").stdout
    shown = run("discrepancies", "show", str(first)).stdout
    assert "owed, and not delivered" in shown
    assert "owe again" in shown
    assert document(run("discrepancies", "show", "o2", "--json"))[0]["apply"].startswith("No del")
    assert run("discrepancies", "show", "99").exit_code == 2


def test_applying_says_first_what_it_would_do_and_leaves_what_it_must_not_touch(
    differing: LedgerScene, run: Run
) -> None:
    tried = run("discrepancies", "apply", "--all", "--dry-run", "--json")
    plans = {one["discrepancy"]["cause"]: one for one in document(tried)["plans"]}
    assert tried.exit_code == 1
    assert plans["not_delivered"]["does"] == [
        "POST /SalesOrder HL-o1, unless Halo was confirmed to hold it"
    ]
    assert "adopt NAME" in plans["unknown_in_halo"]["why"]
    number = str(plans["not_delivered"]["discrepancy"]["id"])
    for wrong in (["apply"], ["apply", number], ["apply", number, "--all"], ["mark", "99"]):
        note = ["--note", "x"] if wrong[0] == "mark" else []
        assert run("discrepancies", *wrong, *note).exit_code == 2
    done = run("discrepancies", "apply", number, "--yes")
    assert (done.exit_code, "1 difference are applied" in done.stdout) == (0, False)
    assert "1 difference is applied." in done.stdout
    [lease] = differing.claim()
    assert lease.source_id == "o1"
    assert run("discrepancies", "apply", number, "--yes").exit_code == 2
    assert run("discrepancies", "reopen", number).exit_code == 0


def test_applying_makes_no_second_row_of_what_halo_may_hold_already(
    differing: LedgerScene, run: Run
) -> None:
    doubted = text("update delivery set field = :field where source_id = 'o1'")
    differing.ledger.run(lambda connection: connection.execute(doubted, {"field": DOUBTED}))
    tried = run("discrepancies", "apply", "--all", "--dry-run", "--json")
    plans = {one["discrepancy"]["cause"]: one for one in document(tried)["plans"]}
    assert plans["not_delivered"]["does"] == []
    assert "adopt NAME --take" in plans["not_delivered"]["why"]
    number = str(plans["not_delivered"]["discrepancy"]["id"])
    assert run("discrepancies", "apply", number, "--yes").exit_code == 1
    assert differing.claim() == []


def test_a_known_difference_is_marked_with_a_note_and_an_accepted_one_is_closed(
    differing: LedgerScene, run: Run
) -> None:
    rows = document(run("discrepancies", "list", "--json"))["discrepancies"]
    owed, unknown = (str(one["id"]) for one in rows)
    assert run("discrepancies", "mark", owed, "--note", " ").exit_code == 2
    assert run("discrepancies", "mark", owed, "--note", "next month").exit_code == 0
    [marked] = document(run("discrepancies", "list", "--state", "marked", "--json"))[
        "discrepancies"
    ]
    assert (marked["note"], marked["closed_at"]) == ("next month", None)
    refused = run("discrepancies", "accept", owed, "--yes")
    assert (refused.exit_code, "no value of Halo's" in refused.stdout) == (1, True)
    assert run("discrepancies", "accept", unknown, "--yes").exit_code == 0
    [left] = document(run("discrepancies", "list", "--json"))["discrepancies"]
    assert str(left["id"]) == owed
    again = differing.ledger.run(
        lambda c: write(c, queries.latest(c, differing.link.id, 1)[0], [UNKNOWN])
    )
    assert (again.opened, again.accepted) == (0, 1)


def test_a_parked_delivery_of_which_nothing_stands_in_halo_cannot_be_accepted(
    differing: LedgerScene, run: Run
) -> None:
    refused = run("parked", "accept", "o1", "--dry-run")
    assert refused.exit_code == 1
    assert "Halo holds no row of it" in " ".join(refused.stdout.split())
    assert run("parked", "accept", "o1").exit_code == 2
    assert run("parked", "accept", "nobody", "--yes").exit_code == 2
    [one] = document(run("parked", "accept", "o1", "--yes", "--json"))["deliveries"]
    assert (one["takes"], one["record"]) == ("", "o1")
