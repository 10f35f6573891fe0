"""An event that cannot be handled is parked alone, and holds up no other."""

from __future__ import annotations

import json
from base64 import b64encode
from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection, text
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


def test_what_postgresql_cannot_hold_is_parked_alone(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    [good, bad, _] = order_ids(sandbox)

    def record(connection: Connection, *arguments: Any) -> Any:
        if bad in arguments[4]:
            connection.execute(text("select cast('1e200000' as numeric)"))
        return really_record(connection, *arguments)

    monkeypatch.setattr(handling, "record", record)
    arrive(world, order_event(sandbox, bad), order_event(sandbox, good))
    world.drive()
    [spoiled, whole] = event_states(world)
    assert (spoiled[0], whole) == ("parked", ("done", None))
    assert "PostgreSQL cannot hold" in str(spoiled[1])


@pytest.mark.parametrize(
    "nonsense",
    [
        b"1e200000",
        b"9" * 5000,
        b'"a\\u0000b"',
        b'["one"]',
        b'"9999-12-31T00:00:00Z"',
    ],
)
def test_nonsense_beside_what_is_indispensable_parks_nothing(
    world: World, sandbox: SandboxProcess, nonsense: bytes
) -> None:
    [order, *_] = order_ids(sandbox)
    fields = {"updatedAt": "N", "coupon": "N", "fulfilledAt": "N", "extra": "N"}
    arrive(world, order_event(sandbox, order, **fields).replace(b'"N"', nonsense))
    world.drive()
    assert event_states(world) == [("done", None)]
    assert world.counts()["orders", "delivered"] == 1
    counted = world.rows("select side, kind, path, count, example from left_out order by path")
    assert {tuple(one) for one in counted} == {
        ("highlevel", "order", path, 1, order) for path in ("coupon", "updatedAt")
    }


def test_an_event_of_another_location_than_it_was_sent_for_is_parked(
    world: World, sandbox: SandboxProcess
) -> None:
    [order, *_] = order_ids(sandbox)
    arrive(world, order_event(sandbox, order, altId="other"))
    arrive(world, event("InvoicePaid", {"_id": "i1", "altId": "other", "altType": "location"}))
    world.drive()
    assert event_states(world) == [("parked", "it names two locations")] * 2


def test_an_event_without_its_name_is_known_by_its_shape(
    world: World, sandbox: SandboxProcess
) -> None:
    [first, *_] = order_ids(sandbox)
    invoice = {"_id": "i1", "invoiceNumber": "19", "invoiceItems": [], "status": "partially_paid"}
    nameless = [
        json.loads(order_event(sandbox, first)),
        *(json.loads(event("", {**invoice, "status": s})) for s in ("partially_paid", "sent")),
    ]
    for document in nameless:
        del document["type"]
    arrive(world, *(json.dumps(document).encode() for document in nameless))
    world.drive()
    assert [state for state, _ in event_states(world)] == ["done", "done", "ignored"]
    assert world.counts()["orders", "delivered"] == 1
    [kinds] = world.rows("select array_agg(kind order by id) from event where state = 'done'")
    assert kinds[0] == ["order", "invoice"]


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
