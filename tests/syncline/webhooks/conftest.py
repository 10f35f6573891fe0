"""What tests of webhooks share: a ledger with one living session, and a world of three orders."""

from __future__ import annotations

import pytest

from syncline.sandbox.process import SandboxProcess
from tests.ledgers import ledger, link, session
from tests.world import World, Worlds, small

__all__ = ["ledger", "link", "session"]


@pytest.fixture
def world(worlds: Worlds, sandbox: SandboxProcess) -> World:
    small(sandbox, orders=3, transactions=0, subscriptions=0)
    return worlds()
