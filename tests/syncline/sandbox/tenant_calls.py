"""A Halo tenant of its own for each test, called as a pure handler on a clock set by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from syncline.sandbox.admin.halo import Admin
from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.halo.service import HaloService
from syncline.sandbox.halo.tenant.store import HaloStore
from syncline.sandbox.location.store import Store
from syncline.sandbox.wire.faults import Faults
from syncline.sandbox.wire.service import Reply, Request

USD, GBP, EUR, JPY, KWD = 1, 2, 4, 7, 9


@dataclass
class TenantCalls:
    config: SandboxConfig
    faults: Faults | None = None
    at: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)
    scope: str = "all"
    store: Store = field(init=False)
    service: HaloService = field(init=False)
    token: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self.store = Store(self.config)
        self.service = HaloService(self.config, self.store, self.faults, lambda: self.at)
        self.token = self.ask_token(scope=self.scope).body["access_token"]

    @property
    def halo(self) -> HaloStore:
        held: HaloStore = self.store.halo
        return held

    def pass_time(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def send(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        query: dict[str, str] | None = None,
        **headers: str,
    ) -> Reply:
        every = {
            "authorization": f"Bearer {self.token}",
            "content-type": "application/json",
            "host": "127.0.0.1:8080",
        }
        every |= {name.replace("_", "-"): value for name, value in headers.items()}
        self.service.advance()
        return self.service.handle(Request(method, path, query or {}, every, body))

    def get(self, path: str, **query: str) -> Any:
        reply = self.send("GET", f"/api/{path}", query=query)
        assert reply.status == 200, reply
        return reply.body

    def post(self, path: str, *elements: dict[str, Any]) -> Reply:
        return self.send("POST", f"/api/{path}", body=json.dumps(elements).encode())

    def made(self, path: str, element: dict[str, Any]) -> dict[str, Any]:
        reply = self.post(path, element)
        assert 200 <= reply.status < 300, reply
        row = reply.body[0] if isinstance(reply.body, list) else reply.body
        assert isinstance(row, dict)
        return row

    def ask_token(self, **changed: str) -> Reply:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.config.halo_client_id,
            "client_secret": self.config.halo_client_secret,
            "scope": "all",
        }
        return self.send("POST", "/auth/token", body=urlencode(form | changed).encode())

    def admin(self, hook: str, **body: Any) -> Reply:
        return Admin(self.service, self.store).handle(
            Request("POST", f"/halo/{hook}", {}, {}, json.dumps(body).encode())
        )

    def customer(self, email: str = "ada@example.com") -> tuple[dict[str, Any], dict[str, Any]]:
        client = self.made("Client", {"name": email, "_dont_fire_automations": True})
        user = {"name": "Ada", "emailaddress": email, "site_id": client["main_site_id"]}
        return client, self.made("Users", user)

    def report(self, sql: str) -> dict[str, Any]:
        reply = self.post("Report", {"sql": sql, "_loadreportonly": True})
        assert reply.status in (200, 201), reply
        loaded: dict[str, Any] = reply.body[0]["report"]
        return loaded

    def rows(self, sql: str) -> list[dict[str, str | None]]:
        loaded = self.report(sql)
        assert loaded["load_error"] is None, loaded
        rows: list[dict[str, str | None]] = loaded["rows"]
        return rows


def tenant(profile: str = "generous", **config: Any) -> TenantCalls:
    faults = config.pop("faults", None)
    scope = config.pop("scope", "all")
    settings = SandboxConfig.model_validate({"profile": profile, **config})
    return TenantCalls(settings, faults=faults, scope=scope)


def order(reference: str, client_id: int, **fields: Any) -> dict[str, Any]:
    """A quiet order of one line of 10.00."""
    return {
        "client_id": client_id,
        "po_number": reference,
        "currency_code": USD,
        "lines": [{"name": "Mug", "quantity": 1, "baseprice": 10}],
        "_dont_fire_automations": True,
        **fields,
    }
