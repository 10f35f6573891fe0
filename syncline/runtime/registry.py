"""Every target of deliveries, and how it is done: put together here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping

from syncline.alerts.targets import TARGETS
from syncline.calls.context import Line
from syncline.calls.faults import held_back
from syncline.engine.handlers import Do, Handler, Works, of_highlevel
from syncline.engine.rounds import NextRun
from syncline.fulfillments import ship
from syncline.fulfillments import unknown_outcomes as unknown_shipments
from syncline.halo_changes import reading
from syncline.ingest.by_id import readings
from syncline.sending import send as sending
from syncline.sending import unknown_outcomes as looking_up


def _write(line: Line, target: str) -> NextRun:
    return sending.send(line, TARGETS[target])


def _look_up_written(line: Line, target: str) -> NextRun:
    return looking_up.look_up(line, TARGETS[target])


HANDLERS: Mapping[str, Handler] = {
    **dict.fromkeys(
        readings.TARGETS, Handler(readings.read, may_work=Works.READS, asks=of_highlevel)
    ),
    **dict.fromkeys(reading.TARGETS, Handler(reading.read_halo, may_work=Works.READS)),
    **{
        name: Handler(_write, _look_up_written, may_work=target.may_work)
        for name, target in TARGETS.items()
    },
    ship.TARGET: Handler(ship.ship, unknown_shipments.look_up_shipments, asks=of_highlevel),
}
"""Target → how its deliveries are done, in the order in which the sweep asks for them: what is read
first need not be written twice."""


def send(line: Line, target: str) -> NextRun:
    """Deliver what is due to one target of a connection."""
    handler = HANDLERS[target]
    if not handler.may_work.allowed(line.link):
        return NextRun.when_due()
    return _unless_held_back(line, handler, handler.sends, target)


def look_up(line: Line, target: str) -> NextRun:
    """Find out what became of a target's deliveries of unknown outcome, after their settle time."""
    handler = HANDLERS[target]
    if handler.looks_up is None or not handler.may_work.allowed(line.link):
        return NextRun.when_due()
    return _unless_held_back(line, handler, handler.looks_up, target)


def _unless_held_back(line: Line, handler: Handler, do: Do, target: str) -> NextRun:
    """Do it, unless the side fails for everybody just now: what is due stays as it is."""
    wait = held_back(line.worker, handler.asks(line))
    return NextRun.later(wait) if wait else do(line, target)
