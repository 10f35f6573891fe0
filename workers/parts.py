"""Where the parts of a process are put together: one engine, one Redis, one transport each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Lock

from pydantic import SecretStr
from redis import Redis
from sqlalchemy import Connection

from syncline.credentials import Sealer, load_key
from syncline.errors import Refused
from syncline.halo.client import HaloClient
from syncline.highlevel.client import HighLevelClient, PrivateToken, TokenSource
from syncline.highlevel.oauth import OAuthDesk
from syncline.ledger import calls, connections
from syncline.ledger.connections import Link
from syncline.ledger.database import Ledger, connect
from syncline.quota.bucket import Quota, Spent
from syncline.quota.keys import Limit, QuotaKey
from syncline.quota.nudges import Nudges
from syncline.settings import Settings
from syncline.steps.gate import PARALLEL
from syncline.steps.highlevel_tokens import InstalledTokens
from syncline.steps.parts import Line, Nudge, Parts
from syncline.steps.rules import rules_of
from syncline.steps.tokens import LedgerTokens, secret
from syncline.transport import Transport
from workers.sessions import SessionKeeper

LINE_KEPT = 5.0
"""Seconds for which an opened connection is used before its settings are read again."""


class KeptLines:
    """The lines of a process, over one transport: see `Lines`."""

    def __init__(
        self, ledger: Ledger, transport: Transport, sealer: Sealer, settings: Settings
    ) -> None:
        self._ledger = ledger
        self._transport = transport
        self._sealer = sealer
        self._settings = settings
        self._lock = Lock()
        self._open: dict[str, tuple[float, Line]] = {}
        self._tokens: dict[str, LedgerTokens] = {}
        self._installed: dict[tuple[str | None, ...], InstalledTokens] = {}

    def __call__(self, name: str) -> Line:
        """The line of a connection; raises as `Lines` says."""
        with self._lock:
            kept = self._open.get(name)
            if kept is None or time.monotonic() - kept[0] > LINE_KEPT:
                kept = (time.monotonic(), self._ledger.run(lambda c: self._make(c, name)))
                self._open[name] = kept
            return kept[1]

    def forget(self) -> None:
        """Read every connection anew when it is next asked for; tokens are kept."""
        with self._lock:
            self._open.clear()

    def _make(self, connection: Connection, name: str) -> Line:
        link = connections.by_name(connection, name)
        client_secret = self._secret(connection, link.tenant_place, "client_secret", name)
        return Line(
            link=link,
            document=rules_of(link),
            highlevel=HighLevelClient(
                self._transport,
                base_url=link.highlevel_url,
                location_id=link.location_id,
                tokens=self._highlevel_tokens(connection, link),
                read_only=link.state == "rehearsing",
            ),
            halo=HaloClient(
                self._transport,
                base_url=link.halo_url,
                tenant=link.tenant_key,
                client_id=link.client_id,
                client_secret=client_secret,
                scope=link.scope,
                tokens=self._tokens_of(link),
                now=utc_now,
                read_only=link.state == "rehearsing",
            ),
            highlevel_key=highlevel_key(link),
            halo_key=halo_key(link),
        )

    def _tokens_of(self, link: Link) -> LedgerTokens:
        owner = link.tenant_place
        if owner not in self._tokens:
            self._tokens[owner] = LedgerTokens(self._ledger, self._sealer, owner, utc_now)
        return self._tokens[owner]

    def _highlevel_tokens(self, connection: Connection, link: Link) -> TokenSource:
        if link.auth == "private":
            token = self._secret(connection, link.location_place, "private_token", link.name)
            return PrivateToken(token)
        key = (link.name, link.location_place, link.company_id, link.highlevel_url)
        if key not in self._installed:
            desk = oauth_desk(self._settings, self._transport, link)
            self._installed[key] = InstalledTokens(self._ledger, self._sealer, link, desk, utc_now)
        return self._installed[key]

    def _secret(self, connection: Connection, owner: str, purpose: str, name: str) -> SecretStr:
        found = secret(connection, self._sealer, owner, purpose)
        if found is None:
            raise Refused(
                f"Connection {name!r} has no {purpose.replace('_', ' ')}.",
                remedy="Store it with `syncline credentials set "
                f"{name} {purpose.replace('_', '-')}`.",
            )
        return found


def oauth_desk(settings: Settings, transport: Transport, link: Link) -> OAuthDesk | None:
    """Asks for the tokens of the app in the settings; None where there is none."""
    if settings.highlevel_client_id is None or settings.highlevel_client_secret is None:
        return None
    return OAuthDesk(
        transport,
        base_url=link.highlevel_url,
        client_id=settings.highlevel_client_id,
        client_secret=settings.highlevel_client_secret,
        now=utc_now,
    )


def highlevel_key(link: Link) -> QuotaKey:
    """HighLevel counts per app and location, and of a trial account all private tokens together."""
    window = timedelta(seconds=link.highlevel_seconds)
    shared = link.location_id if link.account is None else f"account:{link.account}"
    return QuotaKey(
        f"highlevel:{shared}",
        (Limit(link.highlevel_calls, window),),
        link.highlevel_daily,
    )


def halo_key(link: Link) -> QuotaKey:
    """Halo counts per tenant, whatever number of connections share it."""
    window = timedelta(seconds=link.halo_seconds)
    return QuotaKey(f"halo:{link.tenant}", (Limit(link.halo_calls, window),))


def utc_now() -> datetime:
    """This machine's clock, aware UTC."""
    return datetime.now(UTC)


def open_redis(url: str) -> Redis:
    """A Redis that gives up on a dead connection instead of hanging."""
    return Redis.from_url(
        url, socket_timeout=10, socket_connect_timeout=5, socket_keepalive=True, max_connections=200
    )


def make_parts(
    settings: Settings,
    database_url: str,
    redis_url: str,
    announce: Callable[[Nudges, Iterable[Nudge]], None],
) -> Parts:
    """Everything a worker process needs; its `close` closes all of it."""
    ledger = Ledger(connect(database_url, connections=settings.worker_threads + 8))
    redis = open_redis(redis_url)
    sealer = load_key(settings)
    keeper = SessionKeeper(ledger, settings.heartbeat, settings.dead_after)
    nudges = Nudges(redis, forget=settings.dead_after)
    workers = ThreadPoolExecutor(PARALLEL, thread_name_prefix="call")
    transport = Transport()
    # In the reverse order: the session ends while there is a ledger, and each is closed even if
    # another cannot be.
    closing = ExitStack()
    for close in (ledger.engine.dispose, redis.close, transport.close, workers.shutdown):
        closing.callback(close)
    closing.callback(keeper.close)
    return Parts(
        settings=settings,
        ledger=ledger,
        quota=Quota(redis, recover=partial(_recover, ledger), reserve=settings.quota_reserve),
        nudges=nudges,
        sealer=sealer,
        workers=workers,
        session=keeper.current,
        abandon=keeper.abandon,
        now=utc_now,
        monotonic=time.monotonic,
        sleep=time.sleep,
        open_line=KeptLines(ledger, transport, sealer, settings),
        announce=partial(announce, nudges),
        close=closing.close,
    )


def _recover(ledger: Ledger, key: str, window: timedelta) -> Sequence[Spent]:
    found = ledger.run(lambda connection: calls.spent(connection, key, window))
    return [Spent(token, back_at) for token, back_at in found]
