"""An event that cannot be handled is parked alone, and holds up no other."""

from __future__ import annotations

from base64 import b64encode
from random import Random
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.event import listen, remove

from syncline.ingest.record import record as really_record
from syncline.sandbox.process import SandboxProcess
from syncline.webhooks import handling
from tests.events import arrive, event, event_figures, event_states, order_event, order_ids
from tests.world import World


def test_an_event_that_is_no_order_is_parked_and_the_others_are_through(
    world: World, sandbox: SandboxProcess
) -> None:
    [first, second, _] = order_ids(sandbox)
    arrive(
        world,
        order_event(sandbox, first),
        b"\xff{",
        order_event(sandbox, second, amount="a lot"),
        event("OrderCreate", {"_id": 7}),
        b"[]",
    )
    world.drive()
    states = [state for state, _ in event_states(world)]
    assert states == ["done", "parked", "parked", "parked", "parked"]
    assert all(note for state, note in event_states(world) if state == "parked")
    assert world.counts()["orders", "delivered"] == 1


def test_what_postgresql_cannot_hold_is_parked_alone(world: World, sandbox: SandboxProcess) -> None:
    [first, second, _] = order_ids(sandbox)
    body = order_event(sandbox, second, extra="HUGE").replace(b'"HUGE"', b"1e200000")
    arrive(world, body, order_event(sandbox, first))
    world.drive()
    [bad, good] = event_states(world)
    assert (bad[0], good) == ("parked", ("done", None))
    assert "PostgreSQL cannot hold" in str(bad[1])


def test_unknown_types_and_places_are_kept_and_counted(
    world: World, sandbox: SandboxProcess
) -> None:
    [order, *_] = order_ids(sandbox)
    elsewhere = order_event(sandbox, order).replace(b'"locationId"', b'"locationId":"x","was"')
    arrive(world, event("MoonPhaseUpdate", {"_id": "m1"}), event("ProductCreate", {}), elsewhere)
    handling.handle(world.worker)
    assert [state for state, _ in event_states(world)] == ["ignored"] * 3
    assert event_figures(world).ignored == 2


def test_an_event_that_breaks_its_handling_is_parked_and_holds_up_nobody(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    [bad, good, _] = order_ids(sandbox)

    def record(*arguments: Any) -> Any:
        if bad in arguments[5]:
            raise ZeroDivisionError
        return really_record(*arguments)

    monkeypatch.setattr(handling, "record", record)
    arrive(world, order_event(sandbox, bad), order_event(sandbox, good))
    world.drive()
    assert [state for state, _ in event_states(world)] == ["parked", "done"]
    assert "ZeroDivisionError" in str(event_states(world)[0][1])
    assert world.counts()["orders", "delivered"] == 1


def test_half_a_character_in_an_event_holds_up_no_order(
    world: World, sandbox: SandboxProcess
) -> None:
    body = order_event(sandbox, order_ids(sandbox)[0], note="HALF").replace(b"HALF", b"\\ud83d")
    arrive(world, body)
    world.drive()
    assert [state for state, _ in event_states(world)] == ["done"]
    assert world.counts()["orders", "delivered"] == 1


def random_text(length: int) -> str:
    """What no index can make small enough."""
    return b64encode(Random(7).randbytes(length)).decode()


def test_what_is_too_long_for_an_index_is_parked_alone(
    world: World, sandbox: SandboxProcess
) -> None:
    [first, second, _] = order_ids(sandbox)
    arrive(
        world,
        event("InvoicePaid", {"_id": random_text(6000)}),
        order_event(sandbox, first),
        order_event(sandbox, second),
    )
    world.drive()
    assert [state for state, _ in event_states(world)] == ["parked", "done", "done"]


def test_a_location_with_very_many_events_holds_up_no_other(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handling, "BATCH", 10)
    monkeypatch.setattr(handling, "ROUNDS", 4)
    storm = [event("ProductCreate", {}, location="zz-storm") for _ in range(60)]
    storm += [event("ProductCreate", {}, location=None) for _ in range(60)]
    arrive(world, *storm, order_event(sandbox, order_ids(sandbox)[0]))
    arrive(world, b"{}", source="halo")
    assert handling.handle(world.worker) is not None
    assert [state for state, _ in event_states(world)[-2:]] == ["done", "ignored"]
    assert [state for state, _ in event_states(world)].count("new") == 100


def test_only_the_event_that_breaks_its_handling_is_parked_while_another_worker_looks_on(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    [bad, good, _] = order_ids(sandbox)
    engine = world.worker.ledger.engine
    snatcher = engine.connect()

    def snatch(*arguments: Any) -> None:
        # As soon as a savepoint lets go of its locks, somebody else takes what is free.
        if str(arguments[2]).startswith("ROLLBACK TO"):
            snatcher.execute(
                text(
                    "select 1 from event where state = 'new' order by id limit 1"
                    " for update skip locked"
                )
            )

    def record(*arguments: Any) -> Any:
        if bad in arguments[5]:
            raise ZeroDivisionError
        return really_record(*arguments)

    monkeypatch.setattr(handling, "record", record)
    arrive(world, order_event(sandbox, bad), order_event(sandbox, good))
    listen(engine, "after_cursor_execute", snatch)
    try:
        handling.handle(world.worker)
    finally:
        remove(engine, "after_cursor_execute", snatch)
        snatcher.close()
    world.drive()
    assert [state for state, _ in event_states(world)] == ["parked", "done"]
