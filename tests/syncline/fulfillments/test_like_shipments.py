"""Two shipments of one order that are alike never take the same fulfillment for theirs."""

from __future__ import annotations

import time
from threading import Event, Thread
from typing import Any

import pytest

from syncline.fulfillments import queries
from syncline.runtime.registry import look_up, send
from syncline.sandbox.process import SandboxProcess
from syncline.transport import Answer, Transport
from tests.shipping import TRACKED, an_order, fulfillments, hint, noticed, shipping
from tests.world import World, Worlds

POST = "POST /payments/orders/{id}/fulfillments"
TARGET = "fulfillment"


@pytest.fixture
def world(worlds: Worlds, sandbox: SandboxProcess) -> World:
    return shipping(worlds, sandbox)


def alike(world: World, sandbox: SandboxProcess) -> str:
    """Two consignments of the same goods in the same parcel; the first was sent in vain."""
    order_id, order, line = an_order(sandbox)
    for _ in range(2):
        hint(world, "consignment", sandbox.consign(order["id"], [(line["id"], 1)], TRACKED))
    noticed(world)
    put(world, 1, "waiting")
    sandbox.faults(side="highlevel", operation=POST, kind="cut_before", next=1)
    send(world.reopened(), TARGET)
    put(world, 0, "parked")
    put(world, 1, "due")
    return order_id


def put(world: World, at: int, state: str) -> None:
    """Put one of the two into a state, as the sweep or a person would."""
    world.do(
        """
        update delivery set state = :state, due_at = clock_timestamp() where id = (
            select id from delivery where flow = 'fulfillments' order by id offset :at limit 1
        )
        """,
        state=state,
        at=at,
    )


def both_are_made(world: World, sandbox: SandboxProcess, order_id: str) -> None:
    world.drive()
    rows = world.rows("select state, target_id from delivery where flow = 'fulfillments'")
    made = {one["_id"] for one in fulfillments(sandbox, order_id)}
    assert ({row.state for row in rows}, len(made)) == ({"delivered"}, 2)
    assert {row.target_id for row in rows} == made


def is_of_fulfillments(method: str, url: str, wanted: str) -> bool:
    return method == wanted and url.endswith("/fulfillments")


def test_what_is_just_being_made_is_not_found_by_a_look_up_of_another(
    world: World, worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id, other = alike(world, sandbox), worlds(joins=True)
    plain = Transport.send

    def answered_late(transport: Transport, method: str, url: str, **given: Any) -> Answer:
        answer = plain(transport, method, url, **given)
        if is_of_fulfillments(method, url, "POST"):
            put(other, 0, "doubtful")
            look_up(other.reopened(), TARGET)
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(Transport, "send", answered_late)
        send(world.reopened(), TARGET)
    both_are_made(world, sandbox, order_id)


def test_what_is_just_being_made_is_not_taken_for_an_earlier_attempt_of_another(
    world: World, worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id, other = alike(world, sandbox), worlds(joins=True)
    put(world, 1, "parked")
    put(world, 0, "due")
    plain, made, seen = Transport.send, Event(), Event()

    def send_the_second() -> None:
        put(other, 1, "due")
        send(other.reopened(), TARGET)

    sending = Thread(target=send_the_second)

    def interlaced(transport: Transport, method: str, url: str, **given: Any) -> Answer:
        if is_of_fulfillments(method, url, "GET") and not sending.ident:
            sending.start()
            made.wait(20)
        answer = plain(transport, method, url, **given)
        if is_of_fulfillments(method, url, "POST"):
            made.set()
            seen.wait(20)
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(Transport, "send", interlaced)
        send(world.reopened(), TARGET)
        seen.set()
        sending.join()
    both_are_made(world, sandbox, order_id)


def test_what_a_look_up_finds_meanwhile_is_not_taken_for_an_earlier_attempt_of_another(
    world: World, worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id, other = alike(world, sandbox), worlds(joins=True)
    sandbox.faults(side="highlevel", operation=POST, kind="cut_after", next=1)
    send(world.reopened(), TARGET)
    put(world, 1, "parked")
    put(world, 0, "due")
    owned, look_ups = queries.owned, list[Thread]()

    def look_meanwhile() -> None:
        put(other, 1, "doubtful")
        look_up(other.reopened(), TARGET)

    def owned_a_moment_ago(*given: Any) -> set[str]:
        found = owned(*given)
        if not look_ups:
            look_ups.append(Thread(target=look_meanwhile))
            look_ups[0].start()
            while look_ups[0].is_alive() and not is_held_up(world):
                time.sleep(0.01)
        return found

    monkeypatch.setattr(queries, "owned", owned_a_moment_ago)
    send(world.reopened(), TARGET)
    look_ups[0].join()
    both_are_made(world, sandbox, order_id)


def is_held_up(world: World) -> bool:
    """Whether somebody waits for a lock of somebody else."""
    sql = """
        select 1 from pg_locks where locktype = 'advisory' and not granted
          and database = (select oid from pg_database where datname = current_database())
    """
    return bool(world.rows(sql))
