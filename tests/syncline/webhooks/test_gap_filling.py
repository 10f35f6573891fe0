"""Gaps filled from the emulated Halo's own log of what it sent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from syncline import jsontext
from syncline.calls.calls import halo_calls
from syncline.calls.context import Line, Nudge, WorkerContext
from syncline.errors import SynclineError
from syncline.halo.entities.resources import CLIENT, ORDER, WEBHOOK
from syncline.halo.entities.rows import next_page, save_row, save_rows, walk_of
from syncline.halo.paging import PageWalk
from syncline.halo.webhooks import registration as webhooks
from syncline.halo.webhooks.bindable import WANTED
from syncline.halo_changes.installed_webhook import bound, remember_bound
from syncline.ledger import new_connections
from syncline.queues import Lane
from syncline.sandbox.process import SandboxProcess
from syncline.webhooks import events, gap_filling
from syncline.webhooks.events import Arrived
from syncline.webhooks.gap_filling import EVERY, GRACE, fill_due_gaps, fill_gaps
from syncline.webhooks.installing import install
from tests.receiving import until
from tests.world import NAME, World, Worlds, beside, small

EVENTS = Nudge("", "events")
POLL = Nudge(NAME, "poll_halo")


@dataclass
class Scene:
    """A connection with its webhook in Halo, and where that webhook sends to."""

    world: World
    sandbox: SandboxProcess
    ripe: timedelta = field(default_factory=lambda: GRACE + timedelta(seconds=1))

    def later(self, more: timedelta = timedelta(0)) -> WorkerContext:
        """The parts when what was sent just now is ripe."""

        def open_line(name: str) -> Line:
            return replace(self.world.worker.open_line(name), worker=ripe)

        lines: Any = open_line
        ripe: WorkerContext = replace(
            self.world.worker, now=lambda: datetime.now(UTC) + self.ripe + more, open_line=lines
        )
        return ripe

    def fill(self, more: timedelta = timedelta(0)) -> int:
        self.world.nudges.clear()
        line = self.world.worker.open_line(NAME)
        return fill_gaps(replace(line, worker=self.later(more)))

    def happen(self, times: int = 1) -> None:
        """New orders in Halo, and all of what Halo tells of them is under way no more."""
        line = self.world.worker.open_line(NAME)
        api = halo_calls(line, Lane.UPKEEP)
        clients = api.read(
            "GET /Client", lambda permit: next_page(line.halo, permit, CLIENT, walk_of(CLIENT))
        )
        order = {"client_id": clients[0].id, "lines": [{"name": "Box", "quantity": 1}]}
        many = [order] * times
        api.read("POST /SalesOrder", lambda permit: save_rows(line.halo, permit, ORDER, many))
        until(lambda: not self.sandbox.halo_deliveries()["pending"])

    def stored(self) -> list[tuple[str | None, bytes]]:
        sql = "select webhook_id, body from event where source = 'halo' order by id"
        return [(row.webhook_id, bytes(row.body)) for row in self.world.rows(sql)]


@contextmanager
def receiving(store: Callable[[bytes], None]) -> Iterator[str]:
    """A receiver that stores what comes before it answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            store(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """The test's own assertions say enough."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}"
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


@pytest.fixture
def make(worlds: Worlds, sandbox: SandboxProcess) -> Iterator[Callable[..., Scene]]:
    """Makes the scene, with a receiver that stores; `**dial` says how Halo sends."""
    opened: list[World] = []

    def store(body: bytes) -> None:
        world = opened[0]
        link = world.worker.open_line(NAME).link
        came = Arrived("halo", body, connection_id=link.id)
        world.worker.ledger.run(lambda c: events.store(c, [came]))

    with receiving(store) as url:

        def scene(**dial: Any) -> Scene:
            small(sandbox, orders=2, transactions=0, subscriptions=0, halo_webhooks=dial)
            opened.append(worlds())
            world = opened[0]
            line = world.worker.open_line(NAME)
            install(line, url, rotate=False, dry_run=False, cause="a test")
            return Scene(world, sandbox)

        yield scene


def test_what_arrived_is_no_gap(make: Callable[..., Scene]) -> None:
    scene = make()
    scene.happen(3)
    assert len(scene.stored()) == 3
    assert scene.fill() == 0
    assert len(scene.stored()) == 3
    assert scene.world.nudges == []


@pytest.mark.parametrize("dial", [{"loss": 1.0}, {"swallowed": 1.0}])
def test_what_failed_or_never_arrived_is_stored_once_as_if_it_had_come(
    make: Callable[..., Scene], dial: dict[str, float]
) -> None:
    scene = make(**dial)
    scene.happen(3)
    assert scene.stored() == []
    assert scene.fill() == 3
    assert scene.world.nudges == [EVENTS]
    stored = scene.stored()
    assert len({webhook_id for webhook_id, _ in stored}) == 3
    assert all(webhook_id and webhook_id.startswith("halo:") for webhook_id, _ in stored)
    names = {jsontext.loads(body)["event"] for _, body in stored}
    assert names == {"New Sales Order - All"}

    assert scene.fill() == 0
    assert scene.fill(timedelta(days=8)) == 0
    assert scene.stored() == stored


def test_an_old_entry_is_not_taken_again_when_its_id_is_forgotten(
    make: Callable[..., Scene],
) -> None:
    scene = make(loss=1.0)
    scene.happen()
    assert scene.fill() == 1
    scene.world.do("delete from event_seen")
    assert scene.fill(timedelta(days=2)) == 0


def test_what_may_still_be_on_its_way_is_left_for_the_next_time(
    make: Callable[..., Scene],
) -> None:
    scene = make(loss=1.0)
    scene.happen()
    scene.ripe = timedelta(0)
    assert scene.fill() == 0
    scene.ripe = GRACE + timedelta(seconds=1)
    assert scene.fill() == 1


def test_lost_bodies_of_a_lightweight_log_ask_for_one_poll(make: Callable[..., Scene]) -> None:
    scene = make(loss=1.0, lightweight_logs=True)
    scene.happen(2)
    assert scene.fill() == 0
    assert scene.world.nudges == [POLL]
    assert scene.stored() == []
    scene.fill()
    assert scene.world.nudges == []


def test_a_longer_gap_than_is_read_at_once_asks_for_a_poll(
    make: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gap_filling, "MOST_PAGES", 1)
    scene = make(loss=1.0)
    scene.happen(105)
    assert scene.fill() == 100
    assert scene.world.nudges == [EVENTS, POLL]


def test_a_log_that_comes_oldest_first_is_read_to_its_end(
    make: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        webhooks, "log_walk", lambda webhook_id: PageWalk({"webhook_id": webhook_id})
    )
    monkeypatch.setattr(gap_filling, "OVERLAP", timedelta(0))
    scene = make(loss=1.0)
    scene.happen(101)
    assert scene.fill() == 101
    scene.happen()
    assert scene.fill() == 1


def test_a_quiet_log_costs_two_calls_and_no_write(make: Callable[..., Scene]) -> None:
    scene = make(loss=1.0)
    scene.happen()
    scene.fill()
    before = scene.world.rows("select * from ability order by owner, name")
    calls = len(scene.sandbox.calls("halo"))
    scene.fill()
    assert len(scene.sandbox.calls("halo")) == calls + 2
    assert scene.world.rows("select * from ability order by owner, name") == before


@pytest.mark.parametrize("how", ["switched off", "deleted"])
def test_a_webhook_that_halo_sends_nothing_by_any_more_is_not_relied_on(
    make: Callable[..., Scene], how: str
) -> None:
    scene = make(loss=1.0)
    scene.happen()
    line = scene.world.worker.open_line(NAME)
    known = scene.world.worker.ledger.run(lambda c: bound(c, line.link.id))
    assert known.webhook_id is not None
    api = halo_calls(line, Lane.UPKEEP)
    if how == "deleted":
        path = f"/Webhook/{known.webhook_id}"
        api.read("DELETE /Webhook", lambda permit: line.halo.delete(path, permit))
    else:
        off = {"id": known.webhook_id, "active": False}
        api.read("POST /Webhook", lambda permit: save_row(line.halo, permit, WEBHOOK, off))
    assert scene.fill() == 1
    assert POLL in scene.world.nudges
    now = scene.world.worker.ledger.run(lambda c: bound(c, line.link.id))
    assert now.webhook_id is None
    assert now.missing == WANTED


def test_each_log_is_read_when_its_turn_has_come(make: Callable[..., Scene]) -> None:
    scene = make(loss=1.0)
    scene.happen()
    parts = scene.later()
    assert fill_due_gaps(parts) == 1
    scene.happen()
    assert fill_due_gaps(parts) == 0
    scene.world.do("update cursor set due_at = clock_timestamp()")
    assert fill_due_gaps(scene.later()) == 1


def test_webhooks_of_one_tenant_take_turns_so_that_many_cost_no_more_than_one(
    make: Callable[..., Scene],
) -> None:
    scene = make()
    world = scene.world
    link = world.worker.open_line(NAME).link
    with world.worker.ledger.begin() as connection:
        for at in range(3):
            new = replace(
                beside(link, link.mapping), name=f"other{at}", location_id=f"another-{at}"
            )
            other = new_connections.add(connection, new)
            remember_bound(connection, other.id, f"w{at}", ())
        assert len(gap_filling._due(connection)) == 4
        assert gap_filling._due(connection) == []
    rests = world.rows(
        "select extract(epoch from due_at - clock_timestamp()) as rest"
        " from cursor where kind = 'webhook_log'"
    )
    assert all(row.rest > 3 * EVERY.total_seconds() for row in rests)


def test_a_log_that_cannot_be_read_is_told_and_read_from_the_same_place_later(
    make: Callable[..., Scene],
) -> None:
    scene = make(loss=1.0)
    scene.happen()
    scene.sandbox.faults(side="halo", operation="GET /WebhookEvent", kind="500", next=1)
    with pytest.raises(SynclineError):
        fill_due_gaps(scene.later())
    assert scene.fill() == 1


def test_without_a_webhook_nothing_is_asked(worlds: Worlds, sandbox: SandboxProcess) -> None:
    small(sandbox, orders=2, transactions=0, subscriptions=0)
    world = worlds()
    assert fill_gaps(world.worker.open_line(NAME)) == 0
    assert fill_due_gaps(world.worker) == 0
    assert sandbox.calls("halo") == []
