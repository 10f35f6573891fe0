"""HighLevel's windows are read whole before anything is matched, whoever reads them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from syncline.adopt.reading import read_highlevel
from syncline.highlevel.paging import Days
from syncline.ingest import pull_windows
from syncline.ledger import sessions
from syncline.sandbox.process import SandboxProcess
from tests.adopting import quiet, standing
from tests.world import World, Worlds, small


def of_a_few_days(worlds: Worlds, sandbox: SandboxProcess) -> tuple[World, Days]:
    """A connection that is to be adopted, and the days of all its orders."""
    small(sandbox, orders=4, days=9, transactions=0, subscriptions=0, details=False)
    world = standing(worlds, style="summary")
    today = world.worker.now().date()
    return world, (today - timedelta(days=20), today)


def test_a_window_that_a_worker_still_reads_is_waited_for(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world, days = of_a_few_days(worlds, sandbox)
    other, link = worlds(joins=True).worker.session(), world.reopened().link
    with world.worker.ledger.begin() as connection:
        pull_windows.request_windows(connection, link.id, "order", [days])
        opened = pull_windows.open_window(connection, link.id, "order", *days, other)
    assert opened is not None

    def meanwhile(_: float) -> None:
        with world.worker.ledger.begin() as connection:
            pull_windows.close(connection, opened.id, other, "uncertain", None)

    line = world.reopened()
    line = replace(line, worker=replace(line.worker, sleep=meanwhile))
    read_highlevel(line, days[0], quiet)
    assert len(world.rows("select 1 from record where kind = 'order'")) == 4


def test_a_window_of_a_worker_that_died_is_not_waited_for(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world, days = of_a_few_days(worlds, sandbox)
    other, link = uuid4(), world.reopened().link
    with world.worker.ledger.begin() as connection:
        sessions.begin(connection, other, "other")
        pull_windows.request_windows(connection, link.id, "order", [days])
        pull_windows.open_window(connection, link.id, "order", *days, other)
    world.do(
        "update session set heartbeat_at = heartbeat_at - interval '1 hour' where id = :id",
        id=other,
    )
    read_highlevel(world.reopened(), days[0], quiet)
    assert len(world.rows("select 1 from record where kind = 'order'")) == 4
