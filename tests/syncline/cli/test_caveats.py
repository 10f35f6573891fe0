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
        "acme has read nothing from HighLevel yet, so what is owed is not known."
    ]


@an_empty_answer
def test_an_empty_answer_of_a_connection_at_work_is_said_plainly(
    scene: LedgerScene, run: Run, line: str
) -> None:
    scene.ledger.run(lambda c: read_all(c, scene.link.id))
    assert remarks(run, line) == []


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
