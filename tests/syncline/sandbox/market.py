"""A marketplace for tests: a location whose app can be installed, and a clock to be moved."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from syncline.sandbox.config import LOCATION, SandboxConfig
from syncline.sandbox.generating.orders import Generator
from syncline.sandbox.highlevel.service import HighLevelService
from syncline.sandbox.wire.faults import Faults
from syncline.sandbox.wire.service import Reply, Request
from tests.syncline.sandbox.location import NOW

REDIRECT = "http://127.0.0.1:8123/callback"
VERSION = {"version": "2021-07-28"}
ALT = {"altId": LOCATION, "altType": "location"}
SCOPES = "payments/orders.readonly payments/transactions.readonly oauth.write oauth.readonly"


@dataclass
class Market:
    """A location whose app can be installed, with a clock that a test moves."""

    config: SandboxConfig = field(
        default_factory=lambda: SandboxConfig(orders=3, transactions=0, subscriptions=0)
    )
    now: datetime = NOW
    service: HighLevelService = field(init=False)

    def __post_init__(self) -> None:
        store = Generator(self.config, NOW).fill()
        self.service = HighLevelService(self.config, store, Faults(), lambda: self.now)

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def page(self, **query: str) -> Reply:
        asked = {"response_type": "code", "client_id": self.config.oauth_client_id,
                 "redirect_uri": REDIRECT, "scope": SCOPES, "state": "s1"}  # fmt: skip
        return self.service.oauth.choose_location({**asked, **query})

    def code(self, **query: str) -> str:
        return sent_back(self.page(**query))["code"]

    def token(self, **form: str) -> Reply:
        own = {"client_id": self.config.oauth_client_id,
               "client_secret": self.config.oauth_client_secret}  # fmt: skip
        return self.post("/oauth/token", {**own, **form})

    def installed(self, user_type: str = "Location") -> dict[str, Any]:
        return body(
            self.token(grant_type="authorization_code", code=self.code(), user_type=user_type)
        )

    def refresh(self, value: str) -> Reply:
        return self.token(grant_type="refresh_token", refresh_token=value)

    def post(self, path: str, form: dict[str, str], **headers: str) -> Reply:
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return self.service.handle(
            Request("POST", path, {}, {**kind, **headers}, urlencode(form).encode())
        )

    def get(self, path: str, token: str, query: dict[str, str], **headers: str) -> Reply:
        signed = {"authorization": f"Bearer {token}", **VERSION, **headers}
        return self.service.handle(Request("GET", path, query, signed, b""))

    def orders(self, token: str) -> Reply:
        return self.get("/payments/orders", token, ALT)


def body(reply: Reply) -> dict[str, Any]:
    assert reply.status == 200, reply.body
    told: dict[str, Any] = reply.body
    return told


def sent_back(reply: Reply) -> dict[str, str]:
    """What a redirect brings to the app."""
    assert reply.status == 302
    assert reply.headers["location"].startswith(REDIRECT)
    return {k: v[0] for k, v in parse_qs(urlsplit(reply.headers["location"]).query).items()}


def refused(reply: Reply) -> tuple[int, Any]:
    return reply.status, reply.body["message"]
