"""The command line over a real ledger and a real Redis."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import Connection
from typer.testing import CliRunner, Result

from syncline.ledger import connections, deliveries, sessions
from syncline.ledger.connections import Link
from syncline.ledger.database import Ledger, connect
from syncline.ledger.leases import Confirmation, Departure, Lease
from syncline.mapping.document import load
from syncline.settings import Settings
from syncline.steps.record import record
from syncline.terminal.context import CommandContext
from workers import commands, opening

Run = Callable[..., Result]

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
        quota_keys=opening.quota_keys,
    )

    def command(*arguments: str, typed: str | None = None) -> Result:
        result = CliRunner().invoke(commands.app, list(arguments), input=typed, obj=commanded)
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
class Books:
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
        return self.ledger.run(
            lambda c: deliveries.claim(c, self.link.id, target, self.session, 100)
        )

    def deliver(self, lease: Lease, **projection: str) -> None:
        """It is sent, and Halo confirms it as its row 77."""
        call_id = uuid4()
        self.ledger.run(lambda c: deliveries.depart(c, [Departure(lease, call_id, projection)]))
        sent = Lease(
            **{name: getattr(lease, name) for name in Lease.__slots__}
            | {"sent_version": lease.wanted_version, "call_id": call_id}
        )
        told = [Confirmation(sent, "77", None, projection)]
        self.ledger.run(lambda c: deliveries.confirm(c, told, wrote=True))

    def park(self, leases: Sequence[Lease], reason: str, field: str | None = None) -> None:
        self.ledger.run(lambda c: deliveries.park(c, leases, reason=reason, field=field))


@pytest.fixture
def books(run: Run, ledger: Ledger) -> Books:
    assert run(*adding()).exit_code == 0
    session = uuid4()

    def work(connection: Connection) -> Link:
        sessions.begin(connection, session, "host:1")
        return connections.by_name(connection, "acme")

    return Books(ledger, ledger.run(work), session)


def document(result: Result) -> Any:
    """The one JSON document on standard output, and nothing else there."""
    assert result.exit_code in {0, 1, 2}
    assert result.stdout.count("\n") == 1
    return json.loads(result.stdout)
