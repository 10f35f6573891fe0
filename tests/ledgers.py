"""A ledger with one connection and one living session."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from uuid import UUID, uuid4

import pytest

from syncline.ledger import new_connections, sessions
from syncline.ledger.connections import Link
from syncline.ledger.database import Ledger, connect
from syncline.ledger.new_connections import NewConnection


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    engine = connect(database, connections=8)
    yield Ledger(engine)
    engine.dispose()


@pytest.fixture
def link(ledger: Ledger) -> Link:
    new = NewConnection(
        name="acme",
        location_id="loc1",
        highlevel_url="http://127.0.0.1:1/highlevel",
        highlevel_calls=100,
        highlevel_seconds=10,
        highlevel_daily=200_000,
        halo_url="http://127.0.0.1:1/halo",
        tenant_key=None,
        client_id="client",
        scope="all",
        halo_calls=300,
        halo_seconds=300,
        settle_seconds=None,
        mapping="",
        mode="sandbox",
        start_from=date(2026, 1, 1),
    )
    return ledger.run(lambda connection: new_connections.add(connection, new))


@pytest.fixture
def session(ledger: Ledger) -> UUID:
    made = uuid4()
    ledger.run(lambda connection: sessions.begin(connection, made, "test"))
    return made
