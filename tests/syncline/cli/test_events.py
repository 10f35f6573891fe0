"""Webhooks as the command line shows them."""

from __future__ import annotations

from sqlalchemy import Connection

from syncline.webhooks import events
from syncline.webhooks import queue as event_queue
from syncline.webhooks.events import Arrived
from syncline.webhooks.queue import Handled
from tests.syncline.cli.conftest import LedgerScene, Run, document


def came(
    scene: LedgerScene, body: bytes, state: str | None = None, note: str | None = None
) -> None:
    """A webhook is stored and, with a state, handled."""

    def work(connection: Connection) -> None:
        events.store(connection, [Arrived("highlevel", body, type="OrderCreate")])
        if state is not None:
            [*_, taken] = event_queue.take(connection, 100)
            event_queue.close(connection, [Handled(taken, state, note=note)])  # type: ignore[arg-type]  # a test names a state

    scene.ledger.run(work)


def test_events_are_listed_newest_first_with_what_became_of_them(
    scene: LedgerScene, run: Run
) -> None:
    came(scene, b"{}", "parked", "the event names no order")
    came(scene, b"{}")
    found = document(run("events", "list", "--json"))["events"]
    assert [one["state"] for one in found] == ["new", "parked"]
    parked = document(run("events", "list", "--state", "parked", "--json"))["events"]
    assert [one["note"] for one in parked] == ["the event names no order"]
    assert "the event names no order" in run("events", "list").stdout
    assert document(run("events", "list", "--type", "PriceUpdate", "--json"))["events"] == []


def test_an_event_is_shown_with_its_body_whatever_it_holds(scene: LedgerScene, run: Run) -> None:
    came(scene, b'{"name": "\xff\x1b[31m"}', "parked")
    [one] = document(run("events", "list", "--json"))["events"]
    shown = run("events", "show", str(one["id"]))
    assert '"name"' in shown.stdout
    assert "\x1b" not in shown.stdout
    assert run("events", "show", "99999").exit_code == 2


def test_a_parked_event_is_handled_again_and_a_done_one_is_not(
    scene: LedgerScene, run: Run
) -> None:
    came(scene, b"{}", "parked")
    came(scene, b"{}", "done")
    assert "1 event is handled again" in run("events", "retry").stdout
    states = [one["state"] for one in document(run("events", "list", "--json"))["events"]]
    assert states == ["done", "new"]
    [done, _] = document(run("events", "list", "--json"))["events"]
    assert run("events", "retry", str(done["id"])).exit_code == 2


def test_a_parked_event_is_set_aside_and_waits_for_nobody_any_more(
    scene: LedgerScene, run: Run
) -> None:
    came(scene, b"[]", "parked", "its body is no object")
    came(scene, b"{}", "done")
    [done, parked] = document(run("events", "list", "--json"))["events"]
    assert "1 event would be set aside" in run("events", "ignore", "--dry-run").stdout
    assert run("events", "ignore", str(done["id"])).exit_code == 2
    assert "1 event is set aside" in run("events", "ignore", str(parked["id"])).stdout
    assert document(run("events", "list", "--state", "parked", "--json"))["events"] == []
    [_, kept] = document(run("events", "list", "--json"))["events"]
    assert (kept["state"], kept["note"]) == ("ignored", "its body is no object")
    assert "events ignore" in run("audit", "list").stdout
