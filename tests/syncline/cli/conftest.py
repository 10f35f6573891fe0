"""The command line over a real ledger and a real Redis."""

from __future__ import annotations

import json
import threading
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import Connection
from typer.testing import CliRunner, Result

from syncline.deliveries import leased
from syncline.deliveries.delivery import Confirmation, Departure, Lease
from syncline.ingest.record import record
from syncline.ledger import connections, sessions
from syncline.ledger.connections import Link
from syncline.ledger.database import Ledger, connect
from syncline.mapping.parsing import load
from syncline.sandbox.config import (
    LOCATION,
    TOKEN,
    SandboxConfig,
)
from syncline.sandbox.process import SandboxProcess
from syncline.settings import Settings
from syncline.terminal.context import CommandContext
from workers.console import main, opening

Run = Callable[..., Result]

CONFIG = SandboxConfig()

SECRETS = {"HL_TOKEN": "pit-not-a-real-one", "HALO_SECRET": "not-a-real-secret"}


@pytest.fixture
def settings(tmp_path: Path, database: str, redis_url: str) -> Settings:
    return Settings(data=tmp_path, database_url=SecretStr(database), redis_url=SecretStr(redis_url))


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    engine = connect(database, connections=4)
    yield Ledger(engine)
    engine.dispose()


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command line in this process: `run("status", "--json")`."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "200")
    return runner(settings)


def runner(settings: Settings) -> Run:
    commanded = CommandContext(
        settings=lambda: settings,
        open=lambda: opening.opened(settings),
    )

    def command(*arguments: str, typed: str | None = None) -> Result:
        result = CliRunner().invoke(main.app, list(arguments), input=typed, obj=commanded)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return command


def adding(name: str = "acme", **options: str) -> list[str]:
    """The command line that adds a connection."""
    given = {
        "--location": "loc1",
        "--halo-url": "https://acme.example",
        "--halo-client-id": "client",
        "--mapping": "summary",
        "--start-from": "2026-01-01",
        "--highlevel-token-env": "HL_TOKEN",
        "--halo-secret-env": "HALO_SECRET",
        **{f"--{option.replace('_', '-')}": value for option, value in options.items()},
    }
    return ["connection", "add", name, *(part for pair in given.items() for part in pair)]


@dataclass(frozen=True, slots=True)
class LedgerScene:
    """A ledger with one connection, moved by the same functions that the steps use."""

    ledger: Ledger
    link: Link
    session: UUID

    def see(self, order_id: str, **fields: Any) -> None:
        """A pull reads this order."""
        row = {
            "_id": order_id,
            "createdAt": "2026-03-01T10:00:00.000Z",
            "updatedAt": datetime.now(UTC).isoformat(),
            "contactId": "c1",
            "contactName": "Ada Lovelace",
            "contactEmail": "ada@example.com",
            "currency": "USD",
            "amount": 10.5,
            "status": "completed",
            "liveMode": True,
            **fields,
        }
        self.ledger.run(
            lambda c: record(
                c, self.link, load(self.link.mapping), "order", "list", {order_id: row}, "pull 1"
            )
        )

    def claim(self, target: str = "order") -> list[Lease]:
        return self.ledger.run(lambda c: leased.claim(c, self.link.id, target, self.session, 100))

    def deliver(self, lease: Lease, **projection: str) -> None:
        """It is sent, and Halo confirms it as its row 77."""
        call_id = uuid4()
        self.ledger.run(lambda c: leased.depart(c, [Departure(lease, call_id, projection)]))
        sent = Lease(
            **{name: getattr(lease, name) for name in Lease.__slots__}
            | {"sent_version": lease.wanted_version, "call_id": call_id}
        )
        told = [Confirmation(sent, "77", None, projection)]
        self.ledger.run(lambda c: leased.confirm(c, told, wrote=True))

    def park(self, leases: Sequence[Lease], reason: str, field: str | None = None) -> None:
        self.ledger.run(lambda c: leased.park(c, leases, reason=reason, field=field))


@pytest.fixture
def scene(run: Run, ledger: Ledger) -> LedgerScene:
    assert run(*adding()).exit_code == 0
    session = uuid4()

    def work(connection: Connection) -> Link:
        sessions.begin(connection, session, "host:1")
        return connections.by_name(connection, "acme")

    return LedgerScene(ledger, ledger.run(work), session)


def document(result: Result) -> Any:
    """The one JSON document on standard output, and nothing else there."""
    assert result.exit_code in {0, 1, 2}
    assert result.stdout.count("\n") == 1
    return json.loads(result.stdout)


@dataclass
class Person:
    """Follows the address that a browser would open, in a thread as a browser is another one."""

    more: str = ""
    pages: list[httpx.Response] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def open(self, address: str) -> bool:
        self.opened.append(address)
        thread = threading.Thread(target=self._follow, args=(address + self.more,))
        self.threads.append(thread)
        thread.start()
        return True

    def _follow(self, address: str) -> None:
        with httpx.Client(follow_redirects=True, timeout=20) as browser:
            self.pages.append(browser.get(address))


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    made = Person()
    monkeypatch.setattr(webbrowser, "open", made.open)
    yield made
    for thread in made.threads:
        thread.join()


@pytest.fixture
def with_app(settings: Settings, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Commands of an installation with the app of the sandbox, and a connection to it."""
    monkeypatch.setenv("HALO_SECRET", CONFIG.halo_client_secret)
    app = {
        "highlevel_client_id": CONFIG.oauth_client_id,
        "highlevel_client_secret": SecretStr(CONFIG.oauth_client_secret),
        "highlevel_authorize_url": f"{sandbox.highlevel_url}/v2/oauth/chooselocation",
        "highlevel_redirect": "http://127.0.0.1:0/callback",
    }
    run = runner(settings.model_copy(update=app))
    whole = adding(**_places(sandbox))
    command = [part for part in whole if part not in {"--highlevel-token-env", "HL_TOKEN"}]
    added = run(*command, "--oauth")
    assert added.exit_code == 0, added.output
    assert "syncline connect highlevel acme" in added.stdout
    return run


def add_sandbox(run: Run, sandbox: SandboxProcess, **options: str) -> None:
    assert run(*adding(**(_places(sandbox) | options))).exit_code == 0


def _places(sandbox: SandboxProcess) -> dict[str, str]:
    return {
        "location": LOCATION,
        "highlevel_url": sandbox.highlevel_url,
        "halo_url": sandbox.halo_url,
        "halo_client_id": CONFIG.halo_client_id,
    }


@pytest.fixture
def keys(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox's own credentials stand in the variables."""
    _give_keys(monkeypatch)


def _give_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HL_TOKEN", TOKEN)
    monkeypatch.setenv("HALO_SECRET", CONFIG.halo_client_secret)


def connected(
    run: Run, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, **config: Any
) -> Run:
    """Runs commands beside a connection to a small sandbox of this config."""
    sandbox.reset(orders=1, transactions=0, subscriptions=0, **config)
    _give_keys(monkeypatch)
    add_sandbox(run, sandbox)
    return run


def send(scene: LedgerScene, lease: Lease, projection: dict[str, str]) -> None:
    """Let a delivery leave as if it had been sent."""
    scene.ledger.run(lambda c: leased.depart(c, [Departure(lease, uuid4(), projection)]))
