"""Where the context of a process is put together: one engine, one Redis, one transport each."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Lock

from redis import Redis

from syncline.calls.context import (
    OF_A_TASK,
    PARALLEL,
    Line,
    Lines,
    Nudge,
    QuotaPatience,
    WorkerContext,
)
from syncline.calls.faults import failing_endpoints
from syncline.encryption import load_key
from syncline.ledger import calls
from syncline.ledger.database import Ledger, connect
from syncline.quota.breakers import FailingEndpoint
from syncline.quota.bucket import Quota, Spent
from syncline.quota.nudges import Nudges
from syncline.settings import Settings
from workers.sessions import SessionKeeper


class LateLines:
    """Lines by what `make` gives, which is called when the first connection is opened."""

    def __init__(self, make: Callable[[], Lines]) -> None:
        self._make = make
        self._made: Lines | None = None
        self._lock = Lock()

    def __call__(self, name: str) -> Line:
        """The line of a connection; raises as `Lines` says."""
        return self._lines()(name)

    def forget(self) -> None:
        """Read every connection anew when it is next asked for."""
        if self._made is not None:
            self._made.forget()

    def _lines(self) -> Lines:
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made


def utc_now() -> datetime:
    """This machine's clock, aware UTC."""
    return datetime.now(UTC)


def open_redis(url: str) -> Redis:
    """A Redis that gives up on a dead connection instead of hanging."""
    return Redis.from_url(
        url, socket_timeout=10, socket_connect_timeout=5, socket_keepalive=True, max_connections=200
    )


def make_context(
    settings: Settings,
    database_url: str,
    redis_url: str,
    announce: Callable[[Nudges, Iterable[Nudge]], None],
    patience: QuotaPatience = OF_A_TASK,
) -> WorkerContext:
    """Everything a worker process needs; its `close` closes all of it."""
    ledger = Ledger(connect(database_url, connections=settings.worker_threads + 8))
    redis = open_redis(redis_url)
    sealer = load_key(settings)
    keeper = SessionKeeper(ledger, settings.heartbeat, settings.dead_after)
    nudges = Nudges(redis, forget=settings.dead_after)
    workers = ThreadPoolExecutor(PARALLEL, thread_name_prefix="call")
    clients = ExitStack()
    # In the reverse order: the session ends while there is a ledger, and each is closed even if
    # another cannot be.
    closing = ExitStack()
    for close in (ledger.engine.dispose, redis.close, clients.close, workers.shutdown):
        closing.callback(close)
    closing.callback(keeper.close)

    def lines() -> Lines:
        # Clients and models are slow to import, and not every process opens a connection.
        from syncline.transport import Transport  # noqa: PLC0415
        from workers.lines import KeptLines  # noqa: PLC0415

        transport = Transport()
        clients.callback(transport.close)
        return KeptLines(made, transport)

    made = WorkerContext(
        settings=settings,
        ledger=ledger,
        quota=Quota(
            redis,
            recover=partial(_recover, ledger),
            recover_failures=partial(_recover_failures, ledger),
            chance=random.random,
            reserve=settings.quota_reserve,
        ),
        nudges=nudges,
        sealer=sealer,
        workers=workers,
        session=keeper.current,
        abandon=keeper.abandon,
        now=utc_now,
        monotonic=time.monotonic,
        sleep=time.sleep,
        open_line=LateLines(lines),
        announce=partial(announce, nudges),
        close=closing.close,
        patience=patience,
        chance=random.random,
    )
    return made


def _recover(ledger: Ledger, key: str, window: timedelta) -> Sequence[Spent]:
    found = ledger.run(lambda connection: calls.spent(connection, key, window))
    return [Spent(token, back_at) for token, back_at in found]


def _recover_failures(ledger: Ledger, key: str) -> Sequence[FailingEndpoint]:
    answer = ledger.run(lambda connection: calls.last_answer(connection, key))
    return failing_endpoints(answer.faulty)
