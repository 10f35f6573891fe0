"""A whole syncline in one process, against the sandbox: the steps driven until nothing is due.

Celery is left out; what it carries is only nudges, and here they are followed at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any, NamedTuple

from pydantic import SecretStr
from sqlalchemy import text

from syncline.calls.context import Line, Nudge, WorkerContext
from syncline.credentials.stored import keep
from syncline.errors import SynclineError
from syncline.halo_changes.polling import poll
from syncline.highlevel import paging
from syncline.ingest.mapping_changed import request_again
from syncline.ingest.pull import Finished, pull, request_windows
from syncline.ledger import connections, new_connections
from syncline.ledger.connections import Link
from syncline.ledger.new_connections import NewConnection
from syncline.mapping.shipped import default_document
from syncline.queues import Lane
from syncline.quota.nudges import Nudges
from syncline.reconciliation.run import advance
from syncline.runtime.pull_schedule import due_pulls
from syncline.runtime.registry import look_up, send
from syncline.runtime.sweep import sweep
from syncline.sandbox.config import LOCATION, TOKEN, SandboxConfig
from syncline.sandbox.process import SandboxProcess
from syncline.settings import Settings
from syncline.webhooks.handling import handle
from tests.installations import Installations
from tests.moves import by_hand
from workers.context import make_context

NAME = "acme"
PROFILES = ("generous", "plain", "awkward")
INCLUDING_TESTS = {
    flow: {"test_mode": "include"} for flow in ("orders", "payments", "subscriptions")
}
ENDED = ("delivered", "parked")
"""The states of a delivery that nothing more comes of by itself."""

ROOMY = {"calls": 1000, "seconds": 1}
"""A limit that a test does not reach, with a window short enough to wait for after a 429."""


def small(sandbox: SandboxProcess, **config: Any) -> SandboxProcess:
    """The sandbox with little data, roomy limits and links that show soon."""
    defaults: dict[str, Any] = {
        "orders": 20,
        "transactions": 6,
        "subscriptions": 2,
        "customers": 6,
        "highlevel_limit": ROOMY,
        "halo_limit": ROOMY,
        "link_delay": 0.1,
        "money": False,
    }
    sandbox.reset(**{**defaults, **config})
    return sandbox


class _Open(NamedTuple):
    """What is not at its end or at rest; two that are equal: nothing has moved in between."""

    deliveries: int
    unrested: list[list[str]] | None
    records: int
    pulls: int
    events: int

    @property
    def is_something(self) -> bool:
        return bool(self.unrested or self.pulls or self.events)


class World:
    """The parts of one worker, a connection to the sandbox, and a driver.

    Args:
        joins: whether this is one more worker of an installation that has the connection already.
    """

    def __init__(
        self,
        database_url: str,
        redis_url: str,
        sandbox: SandboxProcess,
        *,
        style: str = "detail",
        settle: float = 0.4,
        halo: tuple[int, int] = (1000, 1),
        highlevel: tuple[int, int] = (1000, 1),
        joins: bool = False,
        **settings: Any,
    ) -> None:
        self.sandbox = sandbox
        self.redis_url = redis_url
        defaults: dict[str, Any] = {
            "key": SecretStr("k" * 40),
            "deadline": timedelta(seconds=5),
            "quota_reserve": 0.0,
            "settle": timedelta(seconds=settle),
        }
        self.settings = Settings(**{**defaults, **settings})
        self.worker: WorkerContext = make_context(
            self.settings, database_url, redis_url, self._announce
        )
        self.nudges: list[Nudge] = []
        self.failures: list[SynclineError] = []
        self.closed = False
        self.settle = settle
        if not joins:
            self._connect(style, halo, highlevel)

    def close(self) -> None:
        """End the session and close every socket, so that no test inherits one."""
        self.closed = True
        vars(self.worker.ledger).pop("begin", None)  # a test may have let it die
        self.worker.close()

    def pull(
        self, kind: str = "order", since: date | None = None, until: date | None = None
    ) -> Finished:
        today = self.worker.now().date()
        return pull(
            self.worker.open_line(NAME),
            kind,
            since or today - timedelta(days=30),
            until or today,
            Lane.PULLS,
        )

    def pull_whole(self) -> None:
        """Read the list of orders, and each order by its id: then their customers are due."""
        self.pull()
        self.follow(Nudge(NAME, "send", "highlevel.order"))

    def request_pull(self, kind: str = "order", days: int = 30) -> None:
        """Note a window to be read, as beat does; `drive` reads it, whatever fails meanwhile."""
        today = self.worker.now().date()
        with self.worker.ledger.begin() as connection:
            link = connections.by_name(connection, NAME)
            windows = paging.windows(today - timedelta(days=days), today, today=today)
            request_windows(connection, link.id, kind, windows)

    def drive(self, seconds: float = 90, *, at_rest: Iterable[str] = ENDED) -> None:
        """Follow the sweep's nudges until nothing is unread and all deliveries are at rest.

        Args:
            seconds: gives up after so long.
            at_rest: the states in which a delivery may stay.
        """
        give_up, before = time.monotonic() + seconds, None
        while (open_now := self._open(at_rest)).is_something:
            something_was_due = self.follow_all()
            if time.monotonic() > give_up:
                raise AssertionError(f"still open: {self.counts()}, failed: {self.failures[-3:]}")
            if not something_was_due or open_now == before:
                time.sleep(0.05)  # it waits for quota, for a settle time or for a breaker
            before = open_now

    def follow_all(self) -> bool:
        """One sweep, and what it asks for; returns whether that was anything."""
        self.hurry()
        nudges = sweep(self.worker)
        for nudge in nudges:
            self.follow(nudge)
        return bool(nudges)

    def follow(self, nudge: Nudge) -> None:
        """Do what a worker does with a nudge; an error ends the task and not the worker."""
        try:
            if nudge.task == "events":
                handle(self.worker)
                return
            line = self.worker.open_line(nudge.connection)
            if nudge.task == "send":
                send(line, nudge.target)
            elif nudge.task == "look_up":
                look_up(line, nudge.target)
            elif nudge.task == "owe_again":
                request_again(line)
            elif nudge.task == "poll_halo":
                poll(line)
            elif nudge.task == "reconcile":
                advance(line, lambda *_: None)
            else:
                _, kind, first, last = nudge.task.split(":")
                since, until = date.fromisoformat(first), date.fromisoformat(last)
                pull(line, kind, since, until, Lane.PULLS)
        except SynclineError as error:
            self.failures.append(error)

    def schedule(self) -> None:
        """One tick of the schedule, and what it asks for."""
        for nudge in due_pulls(self.worker):
            self.follow(nudge)

    def reopened(self) -> Line:
        """The connection as the ledger says it now, not as it was a second ago."""
        self.worker.open_line.forget()
        return self.worker.open_line(NAME)

    def hurry(self) -> None:
        """Spare the pauses that are only politeness; the settle time of doubtful writes stays."""
        self.do(
            """
            with pulls as (
                update pull set due_at = clock_timestamp() where due_at > clock_timestamp()
            )
            update delivery set due_at = clock_timestamp()
            where due_at > clock_timestamp() and (state = 'due' or (
                state = 'doubtful' and sent_at < clock_timestamp() - make_interval(secs => :settle)
            ))
            """,
            settle=self.settle,
        )

    def is_something_open(self, at_rest: Iterable[str] = ENDED) -> bool:
        """Whether a pull or an event is not at its end, or a delivery is not at rest."""
        return self._open(at_rest).is_something

    def _open(self, at_rest: Iterable[str]) -> _Open:
        [found] = self.rows(
            """
            select (select count(*) from delivery) as deliveries,
                   (select array_agg(array[state, many::text] order by state)
                    from (select state, count(*) as many from delivery
                          where state <> all(:at_rest) group by 1) unrested) as unrested,
                   (select count(*) from record) as records,
                   (select count(*) from pull where state = 'running') as pulls,
                   (select count(*) from event where state = 'new') as events
            """,
            at_rest=list(at_rest),
        )
        return _Open(*found)

    def open_events(self) -> int:
        return int(self.rows("select count(*) from event where state = 'new'")[0][0])

    def open_pulls(self) -> int:
        return int(self.rows("select count(*) from pull where state = 'running'")[0][0])

    def open_deliveries(self) -> int:
        return sum(number for (_, state), number in self.counts().items() if state not in ENDED)

    def counts(self) -> dict[tuple[str, str], int]:
        return {
            (row.flow, row.state): row.number
            for row in self.rows(
                "select flow, state, count(*) as number from delivery group by flow, state"
            )
        }

    def rows(self, sql: str, **parameters: Any) -> list[Any]:
        # Each statement by itself: BEGIN and COMMIT would be two round trips more.
        engine = self.worker.ledger.engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            return list(connection.execute(text(sql), parameters))

    def do(self, sql: str, **parameters: Any) -> None:
        with self.worker.ledger.engine.begin() as connection:
            by_hand(connection, sql, parameters)

    def _announce(self, _: Nudges, wanted: Iterable[Nudge]) -> None:
        self.nudges.extend(wanted)

    def _connect(self, style: str, halo: tuple[int, int], highlevel: tuple[int, int]) -> None:
        sandbox_defaults = SandboxConfig()
        new = NewConnection(
            name=NAME,
            location_id=LOCATION,
            highlevel_url=self.sandbox.highlevel_url,
            highlevel_calls=highlevel[0],
            highlevel_seconds=highlevel[1],
            highlevel_daily=200_000,
            halo_url=self.sandbox.halo_url,
            tenant_key=None,
            client_id=sandbox_defaults.halo_client_id,
            scope="all",
            halo_calls=halo[0],
            halo_seconds=halo[1],
            settle_seconds=None,
            mapping=default_document(style, INCLUDING_TESTS),  # type: ignore[arg-type]  # a test names detail or summary
            mode="sandbox",
            start_from=date(2026, 1, 1),
        )
        with self.worker.ledger.begin() as connection:
            link = new_connections.add(connection, new)
            sealer = self.worker.sealer
            keep(connection, sealer, link.location_place, "private_token", SecretStr(TOKEN))
            secret = SecretStr(sandbox_defaults.halo_client_secret)
            keep(connection, sealer, link.tenant_place, "client_secret", secret)


class Worlds:
    """Makes worlds over one installation."""

    def __init__(
        self,
        database_url: str,
        redis_url: str,
        sandbox: SandboxProcess,
        installations: Installations | None,
    ) -> None:
        self.opened: list[World] = []
        self._urls = (database_url, redis_url)
        self._sandbox = sandbox
        self._installations = installations

    def __call__(self, **options: Any) -> World:
        self.opened.append(World(*self._urls, self._sandbox, **options))
        return self.opened[-1]

    def as_after(self, drive: Callable[[], World], key: str, **options: Any) -> World:
        """A worker of the installation that `drive` makes, which is driven once and then copied.

        Args:
            drive: makes it, and ends with all of its work done.
            key: says all that the installation depends on.
            options: the worker's, as in `World`.
        """
        if self._installations is None:
            return drive()
        database_url, _ = self._urls
        if key in self._installations:
            self._installations.put_back(key, database_url)
        else:
            drive().close()
            self._installations.keep(key, database_url)
        return self(joins=True, **options)


@contextmanager
def opening(
    database_url: str,
    redis_url: str,
    sandbox: SandboxProcess,
    installations: Installations | None = None,
) -> Iterator[Worlds]:
    """Makes worlds over one installation and closes them all."""
    worlds = Worlds(database_url, redis_url, sandbox, installations)
    try:
        yield worlds
    finally:
        for world in worlds.opened:
            if not world.closed:
                world.close()


def beside(link: Link, mapping: str) -> NewConnection:
    """Another location of the same tenant, with a mapping of its own."""
    return NewConnection(
        name="other",
        location_id="another-location",
        highlevel_url=link.highlevel_url,
        highlevel_calls=100,
        highlevel_seconds=10,
        highlevel_daily=1000,
        halo_url=link.halo_url,
        tenant_key=None,
        client_id=link.client_id,
        scope=link.scope,
        halo_calls=link.halo_calls,
        halo_seconds=link.halo_seconds,
        settle_seconds=None,
        mapping=mapping,
        mode="sandbox",
        start_from=link.start_from,
    )
