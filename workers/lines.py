"""Opens connections: the two API clients of each, with tokens, mapping document and quota keys."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from threading import Lock

from pydantic import SecretStr
from sqlalchemy import Connection

from syncline.calls.context import Line, WorkerContext
from syncline.calls.quota_keys import halo_key, highlevel_key
from syncline.credentials.halo_tokens import LedgerTokens
from syncline.credentials.oauth_refresh import InstalledTokens
from syncline.credentials.stored import secret
from syncline.engine.connection_rules import rules_of
from syncline.errors import Refused
from syncline.halo.client import HaloClient
from syncline.highlevel.client import HighLevelClient, PrivateToken, TokenSource
from syncline.highlevel.oauth import OAuthEndpoint
from syncline.ledger import connections
from syncline.ledger.connections import Link
from syncline.settings import Settings
from syncline.transport import Transport

LINE_KEPT = 5.0
"""Seconds for which an opened connection is used before its settings are read again."""


class KeptLines:
    """The lines of a process, over one transport: see `Lines`."""

    def __init__(self, worker: WorkerContext, transport: Transport) -> None:
        self._worker = worker
        self._transport = transport
        self._lock = Lock()
        self._open: dict[str, tuple[float, Line]] = {}
        self._tokens: dict[tuple[str | None, ...], LedgerTokens] = {}
        self._installed: dict[tuple[str | None, ...], InstalledTokens] = {}

    def __call__(self, name: str) -> Line:
        """The line of a connection; raises as `Lines` says."""
        with self._lock:
            kept = self._open.get(name)
            if kept is None or time.monotonic() - kept[0] > LINE_KEPT:
                kept = (time.monotonic(), self._worker.ledger.run(lambda c: self._make(c, name)))
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
            worker=self._worker,
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
                now=self._worker.now,
                read_only=link.state == "rehearsing",
            ),
            highlevel_key=highlevel_key(link),
            halo_key=halo_key(link),
        )

    def _tokens_of(self, link: Link) -> LedgerTokens:
        key = (link.tenant_place, link.halo_url, link.tenant_key)
        if key not in self._tokens:
            self._tokens[key] = LedgerTokens(
                self._worker.ledger, self._worker.sealer, link.tenant_place, self._worker.now
            )
        return self._tokens[key]

    def _highlevel_tokens(self, connection: Connection, link: Link) -> TokenSource:
        if link.auth == "private":
            token = self._secret(connection, link.location_place, "private_token", link.name)
            return PrivateToken(token)
        key = (link.name, link.location_place, link.company_id, link.highlevel_url)
        if key not in self._installed:
            endpoint = oauth_endpoint(
                self._worker.settings, self._transport, link, self._worker.now
            )
            self._installed[key] = InstalledTokens(
                self._worker.ledger, self._worker.sealer, link, endpoint, self._worker.now
            )
        return self._installed[key]

    def _secret(self, connection: Connection, owner: str, purpose: str, name: str) -> SecretStr:
        found = secret(connection, self._worker.sealer, owner, purpose)
        if found is None:
            raise Refused(
                f"Connection {name!r} has no {purpose.replace('_', ' ')}.",
                remedy="Store it with `syncline credentials set "
                f"{name} {purpose.replace('_', '-')}`.",
            )
        return found


def oauth_endpoint(
    settings: Settings, transport: Transport, link: Link, now: Callable[[], datetime]
) -> OAuthEndpoint | None:
    """Asks for the tokens of the app in the settings; None where there is none."""
    if settings.highlevel_client_id is None or settings.highlevel_client_secret is None:
        return None
    return OAuthEndpoint(
        transport,
        base_url=link.highlevel_url,
        client_id=settings.highlevel_client_id,
        client_secret=settings.highlevel_client_secret,
        now=now,
    )
