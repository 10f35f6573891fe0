"""A sandbox that keeps its state goes on where it was, whatever ended it."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx
import pytest

from syncline.sandbox.app import create_app
from syncline.sandbox.config import LOCATION, TOKEN, SandboxConfig
from syncline.sandbox.generating.orders import Generator, Product
from syncline.sandbox.halo.tenant.store import Consigned, HaloStore, Occurrence, SideEffect
from syncline.sandbox.halo.tenant.store import Token as HaloToken
from syncline.sandbox.highlevel.account import Access, Account, Code, Refresh
from syncline.sandbox.highlevel.events.outbox import Tally
from syncline.sandbox.keeping import journal as journals
from syncline.sandbox.keeping.state import Answered, Delivered, Effect, State
from syncline.sandbox.location.store import Store, Timeline
from syncline.sandbox.process import SandboxProcess
from syncline.sandbox.services import Sandbox
from syncline.sandbox.wire.calls import Call, CallLog
from syncline.sandbox.wire.limits import DailyJudge, Judge, SideLimits
from syncline.sandbox.wire.service import Request
from tests.variants import mostly

FEW = {"orders": 12, "transactions": 12, "subscriptions": 3, "customers": 5}
HIGHLEVEL = {"authorization": f"Bearer {TOKEN}", "version": "2021-07-28"}


class Running:
    """A sandbox in this process, called as over HTTP."""

    def __init__(self, path: Path, **config: Any) -> None:
        app = create_app(SandboxConfig(state=str(path), **{**FEW, **config}))
        self.sandbox: Sandbox = app.state.sandbox
        transport = httpx.ASGITransport(app)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://sandbox")
        self._loop = asyncio.Runner()

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._loop.run(self._client.request(method, path, **options))

    def admin(self, path: str, **body: Any) -> Any:
        return self.call("POST", f"/admin{path}", json=body).json()

    def token(self) -> str:
        config = self.sandbox.config
        form = {"grant_type": "client_credentials", "client_id": config.halo_client_id}
        form |= {"client_secret": config.halo_client_secret}
        token: str = self.call("POST", "/halo/auth/token", data=form).json()["access_token"]
        return token

    def save(self, token: str, path: str, *elements: dict[str, Any]) -> None:
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        content = json.dumps(elements)
        self.call("POST", f"/halo/api/{path}", content=content, headers=headers)

    def end(self, *, killed: bool) -> None:
        self._loop.close()
        if killed:
            # Nothing is written any more, as after a kill: only the lock is let go.
            journal = self.sandbox._journal
            assert journal is not None
            journal.close()
        else:
            self.sandbox.close()

    def shown(self) -> dict[str, Any]:
        """All that anybody can see of it."""
        store, halo = self.sandbox.store, self.sandbox.halo.tenant.store
        parts: dict[str, Any] = {
            "highlevel": [store.orders, store.transactions, store.fulfillments, store.notified],
            "halo": [halo.orders, halo.clients, halo.sites, halo.users, halo.invoices],
            "links": [halo.links, halo.webhooks, halo.notifications, halo.tokens, halo.updated],
            "account": [self.sandbox.account.access, self.sandbox.account.providers],
            "calls": self.sandbox.calls.documents(None),
            "audit": self.call("GET", "/admin/audit").json(),
            "dial": self.sandbox.outbox.dial.model_dump(),
            "config": self.sandbox.config.model_dump(),
        }
        return copy.deepcopy(parts)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sandbox.state"


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("seed", mostly(0, 1, of=range(6)))
def test_everything_that_was_answered_is_there_after_a_restart(
    path: Path, seed: int, killed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "_SNAPSHOT_AFTER", 40_000)
    rng, running = random.Random(seed), Running(path, skipped_elements=0.5, profile="awkward")
    tokens = [running.token()]
    for _ in range(3):
        for _ in range(12):
            _do_something(running, rng, tokens)
        before = running.shown()
        running.end(killed=killed)
        running = Running(path)
        after = running.shown()
        for part in before:
            assert after[part] == before[part], part
    running.end(killed=False)


def _do_something(running: Running, rng: random.Random, tokens: list[str]) -> None:
    token, sandbox = tokens[-1], running.sandbox
    order_id = rng.choice(list(sandbox.store.orders))
    orders = list(sandbox.halo.tenant.store.orders)
    match rng.randrange(10):
        case 0:
            tokens.append(running.token())
        case 1:
            running.save(token, "Client", {"name": "Acme"}, {"name": "Blue"})
        case 2 | 3:
            new = {"client_id": 1, "po_number": f"HL-{order_id}", "lines": [{"baseprice": 3}]}
            link = {"third_party_id": f"HL-{order_id}", "third_party_type": "order"}
            running.save(token, "SalesOrder", *[new | {"new_external_link": link}] * 4)
        case 4 if orders:
            running.admin("/halo/consign", order_id=orders[-1], lines=None, note="")
        case 5:
            running.admin("/orders/add", count=2)
        case 6:
            running.admin("/orders/change", count=3)
        case 7:
            running.admin("/transactions/change", count=2, what="refund")
        case 8:
            item = sandbox.store.orders[order_id]["items"][0]["price"]["_id"]
            body: dict[str, Any] = {"altId": LOCATION, "altType": "location", "trackings": []}
            body |= {"items": [{"priceId": item, "qty": 1}], "notifyCustomer": True}
            made = f"/highlevel/payments/orders/{order_id}/fulfillments"
            running.call("POST", made, json=body, headers=HIGHLEVEL)
        case _:
            query = {"altId": LOCATION, "altType": "location"}
            running.call("GET", "/highlevel/payments/orders", params=query, headers=HIGHLEVEL)
            webhook = {"name": "w", "url": "https://example.com/x", "content_type": "x"}
            running.save(token, "Webhook", webhook)


def test_a_reset_is_kept_and_faults_are_not(path: Path) -> None:
    running = Running(path)
    running.admin("/faults", rules=[{"kind": "500", "probability": 1.0}])
    running.admin("/reset", orders=3, transactions=0, subscriptions=0, state=str(path))
    running.admin("/orders/add", count=1)
    running.end(killed=True)
    again = Running(path)
    assert len(again.sandbox.store.orders) == 4
    assert again.sandbox.faults.rules == []
    again.end(killed=False)


def test_an_install_of_the_app_is_kept(path: Path) -> None:
    running = Running(path)
    config = running.sandbox.config
    query = {"response_type": "code", "client_id": config.oauth_client_id}
    query |= {"redirect_uri": config.oauth_redirects[0]}
    page = "/highlevel/v2/oauth/chooselocation"
    code = running.call("GET", page, params=query).headers["location"]
    running.end(killed=True)
    again = Running(path)
    form = {"client_id": config.oauth_client_id, "client_secret": config.oauth_client_secret}
    form |= {"grant_type": "authorization_code", "code": code.partition("code=")[2]}
    assert again.call("POST", "/highlevel/oauth/token", data=form).status_code == 200
    again.end(killed=False)


def test_events_of_before_are_not_sent_again(path: Path) -> None:
    running = Running(path)
    running.admin("/highlevel/webhooks", url="http://127.0.0.1:9/")
    running.admin("/orders/add", count=2)
    sent = running.sandbox.outbox.tally.sent
    running.end(killed=True)
    again = Running(path)
    assert again.sandbox.outbox.dial.url == "http://127.0.0.1:9/"
    assert again.sandbox.outbox.tally.sent <= sent
    assert again.sandbox.outbox.figures()["pending"] == 0
    again.end(killed=False)


@pytest.fixture
def process(path: Path) -> Iterator[SandboxProcess]:
    with SandboxProcess(state=str(path), **FEW) as running:
        yield running


def test_a_process_that_is_killed_loses_nothing_that_it_answered(
    path: Path, process: SandboxProcess
) -> None:
    made = process.add_orders(3)
    params = {"altId": LOCATION, "altType": "location"}
    with httpx.Client(base_url=process.highlevel_url, headers=HIGHLEVEL, trust_env=False) as client:
        assert client.get("/payments/orders", params=params).status_code == 200
    os.kill(process.pid, signal.SIGKILL)
    process._process.wait()
    with SandboxProcess(state=str(path)) as again:
        assert set(made) < set(again.get("/state/orders")["ids"])
        assert again.counters()["highlevel"]["calls"] == 1


def test_a_state_that_cannot_be_taken_up_is_told_with_the_way_to_begin_afresh(path: Path) -> None:
    path.write_bytes(b"syncline sandbox state 0\n")
    command = [sys.executable, "-m", "syncline.sandbox", "--config"]
    command += [json.dumps({"state": str(path), **FEW}), "--end-with-stdin"]
    ended = subprocess.run(command, capture_output=True, text=True, input="", check=False)
    assert ended.returncode == 1
    assert ended.stderr.strip().endswith("To begin afresh: --anew.")
    assert "is of version 0" in ended.stderr
    ended = subprocess.run(
        [*command, "--anew"], capture_output=True, text=True, input="", check=False
    )
    assert ended.returncode == 0


def test_a_state_of_other_fields_has_another_format() -> None:
    """Whoever changes what is kept raises FORMAT, and writes the new digest here."""
    kept: tuple[Any, ...] = (
        State,
        Effect,
        Answered,
        Delivered,
        Generator,
        Product,
        Store,
        Timeline,
        HaloStore,
    )
    kept += (HaloToken, SideEffect, Occurrence, Consigned, Account, Access, Code, Refresh)
    kept += (Call, CallLog, SideLimits, Judge, DailyJudge, Tally, Request)
    named = [f"{one.__name__} {field.name}" for one in kept for field in fields(one)]
    digest = hashlib.sha256("\n".join(named).encode()).hexdigest()[:12]
    assert (journals.FORMAT, digest) == (3, "e35a80a4be81")
