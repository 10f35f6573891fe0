"""The process that takes in webhooks: `python -m workers.receiver`, or `syncline run receiver`.

It needs neither server to start: with PostgreSQL away it answers 429 until that is back, and Redis
is only told, by a thread of its own, that events wait.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

from sqlalchemy.engine import make_url
from starlette.types import ASGIApp, Receive, Scope, Send

from syncline.calls.context import Nudge
from syncline.encryption import load_key
from syncline.errors import SynclineError
from syncline.highlevel.signatures import public_keys
from syncline.ledger.database import Ledger, connect, is_prepared
from syncline.quota.nudges import Nudges
from syncline.settings import Settings
from syncline.terminal.messages import complain
from syncline.webhooks.keys import doors
from tasks.nudging import publish
from workers.celery_apps import make_app
from workers.context import open_redis, utc_now
from workers.embedded import servers as embedded
from workers.embedded.server import hold
from workers.embedded.servers import Servers
from workers.logs import configure
from workers.processes import port_file
from workers.receiver import server
from workers.receiver.application import Webhooks
from workers.receiver.committer import Committer
from workers.receiver.kept import Cached
from workers.receiver.nudger import Nudger

DOORS_KEPT = timedelta(seconds=5)
"""How long a key for Halo's webhooks works on after it was replaced."""

_READY_KEPT = timedelta(seconds=1)
_CONNECTIONS = 3
"""One writes, one reads keys, one is asked whether it is ready."""

# A server that vanished without a word is given up, instead of being waited for by the kernel.
_GIVE_UP = {
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}


@asynccontextmanager
async def receiving(
    settings: Settings, ledger: Ledger, wake: Callable[[], None]
) -> AsyncIterator[Webhooks]:
    """The application over its ledger; what it took in is stored before this ends.

    Raises:
        Refused: the sealing key or HighLevel's public keys cannot be used.
    """
    sealer = load_key(settings)
    keys = public_keys(settings.highlevel_public_keys)
    within = settings.receiver_store_within
    ways_in = Cached(
        lambda: ledger.run(lambda connection: doors(connection, sealer)),
        lasts=DOORS_KEPT,
        within=within,
    )
    ready = Cached(lambda: ledger.run(is_prepared), lasts=_READY_KEPT, within=within)
    try:
        async with Committer(ledger, within, wake) as committer:
            yield Webhooks(
                settings,
                public_keys=keys,
                committer=committer,
                doors=ways_in,
                ready=ready,
                now=utc_now,
            )
    finally:
        ways_in.close()
        ready.close()


def application(settings: Settings, ledger: Ledger, wake: Callable[[], None]) -> ASGIApp:
    """The application with its beginning and its end, as a server runs it."""
    inner: list[Webhooks] = []

    async def lifespan(receive: Receive, send: Send) -> None:
        await receive()
        async with receiving(settings, ledger, wake) as webhooks:
            inner.append(webhooks)
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
        else:
            await inner[0](scope, receive, send)

    return app


def run(settings: Settings) -> None:
    """Take in webhooks until a signal comes.

    Raises:
        Refused: a setting is wrong, or an embedded server does not start.
    """
    # Said at once and in one line, and not by the server that is about to start.
    load_key(settings)
    public_keys(settings.highlevel_public_keys)
    servers = _servers(settings)
    url = make_url(servers.database_url).update_query_dict(_GIVE_UP)
    engine = connect(url.render_as_string(hide_password=False), connections=_CONNECTIONS)
    # Whatever is done here is one statement, which is a transaction of its own: three fewer ways to
    # the server and back while requests wait.
    ledger = Ledger(engine.execution_options(isolation_level="AUTOCOMMIT"))
    app = application(settings, ledger, _nudger(settings, servers.redis_url).wake)
    # What is here now lives as long as the process: looking through it would only hold up answers.
    gc.collect()
    gc.freeze()
    server.serve(app, settings, partial(_listens, settings))


def _servers(settings: Settings) -> Servers:
    """Both servers, of which those of the settings need not answer now."""
    if settings.database_url is not None and settings.redis_url is not None:
        return Servers(
            settings.database_url.get_secret_value(), settings.redis_url.get_secret_value()
        )
    hold(settings)
    return embedded.ensure(settings)


def _nudger(settings: Settings, redis_url: str) -> Nudger:
    make_app(broker=redis_url).set_default()
    nudges = Nudges(open_redis(redis_url), forget=settings.dead_after)
    return Nudger(lambda: publish(nudges, [Nudge("", "events")]))


def _listens(settings: Settings, port: int) -> None:
    settings.data.mkdir(parents=True, exist_ok=True)
    # Whoever waits for the file must not find it empty.
    draft = port_file(settings).with_suffix(f".{os.getpid()}")
    draft.write_text(f"{port}\n", encoding="ascii")
    draft.replace(port_file(settings))


def main() -> None:
    """Run the receiver; every error of ours is one line on standard error."""
    try:
        settings = Settings.load()
        configure(settings)
        run(settings)
    except SynclineError as error:
        sys.exit(complain(error))


if __name__ == "__main__":
    main()
