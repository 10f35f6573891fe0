"""Beside an empty answer stands what keeps it from meaning that all is well."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Connection, text

from syncline.ledger import calls, connections
from syncline.terminal.caveats import NO_CONNECTION, NO_WORKER
from tests.syncline.cli.conftest import LedgerScene, Run

EMPTY = ("parked list", "discrepancies list", "alerts list", "events list", "dry-run acme")

UNCOMPARED = (
    "acme was never compared with Halo to the end, so its differences are not known. Compare it "
    "with: syncline reconcile run acme"
)

an_empty_answer = pytest.mark.parametrize("line", EMPTY)


def remarks(run: Run, line: str) -> list[str]:
    """What stands on standard error beside an answer that is whole on standard output."""
    answer = run(*line.split())
    assert answer.exit_code == 0
    assert answer.stdout
    return [one.removeprefix("note: ") for one in answer.stderr.splitlines()]


def read_all(connection: Connection, link_id: int) -> None:
    connection.execute(
        text(
            """
            insert into pull (connection_id, kind, first, last, state, finished_at)
            select :id, kind, current_date, current_date, 'certified', now()
            from unnest(array['order', 'transaction', 'subscription']) as kind
            """
        ),
        {"id": link_id},
    )


@pytest.mark.parametrize("line", EMPTY[:-1])
def test_of_no_connection_nothing_is_well(run: Run, line: str) -> None:
    assert remarks(run, line) == [NO_CONNECTION]


@an_empty_answer
def test_what_was_never_read_is_not_in_line(scene: LedgerScene, run: Run, line: str) -> None:
    assert remarks(run, line) == [
        "acme has read nothing from HighLevel yet, so what is owed is not known.",
        *([UNCOMPARED] if line == "discrepancies list" else []),
    ]


@an_empty_answer
def test_an_empty_answer_of_a_connection_at_work_is_said_plainly(
    scene: LedgerScene, run: Run, line: str
) -> None:
    scene.ledger.run(lambda c: read_all(c, scene.link.id))
    compare(scene, "done")
    assert remarks(run, line) == []


def compare(scene: LedgerScene, state: str) -> None:
    """A comparison came to this."""
    scene.ledger.run(
        lambda c: c.execute(
            text(
                """
                insert into reconciliation (connection_id, first, last, mode, cause, state)
                values (:id, current_date, current_date, 'full', 'a test', :state)
                """
            ),
            {"id": scene.link.id, "state": state},
        )
    )


@pytest.mark.parametrize("line", ["discrepancies list", "discrepancies list --connection acme"])
def test_what_was_never_compared_to_the_end_is_not_said_to_agree(
    scene: LedgerScene, run: Run, line: str
) -> None:
    scene.ledger.run(lambda c: read_all(c, scene.link.id))
    assert remarks(run, line) == [UNCOMPARED]
    compare(scene, "failed")
    compare(scene, "running")
    assert remarks(run, line) == [UNCOMPARED]


@pytest.mark.parametrize(("refused", "failures"), [(True, 0), (False, 3)])
def test_days_that_cannot_be_read_and_webhooks_that_are_parked_are_told(
    scene: LedgerScene, run: Run, *, refused: bool, failures: int
) -> None:
    def work(connection: Connection) -> None:
        read_all(connection, scene.link.id)
        connection.execute(
            text(
                """
                insert into pull (connection_id, kind, first, last, refused, failures)
                values (:id, 'order', '2026-01-01', '2026-01-01', :refused, :failures)
                """
            ),
            {"id": scene.link.id, "refused": refused, "failures": failures},
        )
        connection.execute(
            text(
                """
                insert into event (at, source, body, state)
                values (clock_timestamp() - interval '3 days', 'highlevel', '[]', 'parked')
                """
            )
        )

    scene.ledger.run(work)
    unread, parked = remarks(run, "parked list")
    assert unread.startswith("acme could not read 1 window of HighLevel's lists")
    assert "syncline status" in unread
    assert parked.startswith("Webhooks that could not be understood are parked: 1.")
    assert "syncline events list --state parked" in parked


def test_a_connection_that_stands_still_a_silent_side_and_no_worker_are_told(
    scene: LedgerScene, run: Run
) -> None:
    row = calls.CallRow(uuid4(), f"halo:{scene.link.tenant}", scene.link.id, "GET /SalesOrder", 0)

    def work(connection: Connection) -> None:
        read_all(connection, scene.link.id)
        calls.begin(connection, scene.session, [row], timedelta(seconds=5))
        calls.end(connection, [calls.CallEnd(row.id, sent=True, status=None, error="It was cut.")])
        connections.stop(connection, scene.link, "The token is wrong.")
        connection.execute(text("update session set ended_at = now()"))

    scene.ledger.run(work)
    assert remarks(run, "parked list") == [
        "acme is stopped: The token is wrong.",
        "Halo has answered acme nothing within a day: It was cut.",
        NO_WORKER,
    ]


def test_what_a_worker_is_to_do_is_said_to_wait_for_one(scene: LedgerScene, run: Run) -> None:
    scene.ledger.run(lambda c: c.execute(text("update session set ended_at = now()")))
    assert run("connection", "start", "acme").stderr == f"note: {NO_WORKER}\n"


def test_status_says_first_that_nothing_was_read(scene: LedgerScene, run: Run) -> None:
    shown = run("status").stdout
    assert shown.startswith("acme has read nothing from HighLevel yet")
    scene.ledger.run(lambda c: read_all(c, scene.link.id))
    assert "has read nothing" not in run("status").stdout
