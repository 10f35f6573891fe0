"""A small location for the tests of HighLevel's half, called without a socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

import msgspec

from syncline.sandbox.config import LOCATION, TOKEN, SandboxConfig
from syncline.sandbox.generating.orders import Generator
from syncline.sandbox.highlevel.service import HighLevelService
from syncline.sandbox.location.store import Store
from syncline.sandbox.wire.faults import Faults
from syncline.sandbox.wire.service import Reply, Request

NOW = datetime(2026, 3, 14, 15, 9, 26, 535000, tzinfo=UTC)


@dataclass
class Location:
    """A generated location and its service, called directly."""

    config: SandboxConfig
    store: Store = field(init=False)
    service: HighLevelService = field(init=False)

    def __post_init__(self) -> None:
        self.store = Generator(self.config, NOW).fill()
        self.service = HighLevelService(self.config, self.store, Faults(), lambda: NOW)

    def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        token: str | None = TOKEN,
        version: str | None = "2021-07-28",
        body: Any = None,
        alt: bool = True,
    ) -> Reply:
        headers = {}
        if token:
            headers["authorization"] = f"Bearer {token}"
        if version:
            headers["version"] = version
        own = {"altId": LOCATION, "altType": "location"} if alt and method == "GET" else {}
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body) if body else b""
        return self.service.handle(Request(method, path, {**own, **(query or {})}, headers, raw))

    def get(self, path: str, **query: str) -> Any:
        reply = self.call("GET", path, query)
        assert reply.status == 200, reply.body
        return reply.body


@cache
def shared_location() -> Location:
    """A location of some size, for tests that only read."""
    return Location(SandboxConfig(orders=240, transactions=320, subscriptions=30, customers=60))


def new_location(**config: Any) -> Location:
    """A small location of its own, for tests that write or want another config."""
    few = {"orders": 20, "transactions": 20, "subscriptions": 5, "customers": 10}
    return Location(SandboxConfig(**{**few, **config}))


SMALL = {"orders": 30, "transactions": 0, "subscriptions": 0, "customers": 10}
