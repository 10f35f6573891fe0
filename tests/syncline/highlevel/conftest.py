from __future__ import annotations

from collections.abc import Iterator

import pytest

from syncline.sandbox.process import SandboxProcess
from syncline.transport import Transport
from tests.syncline.highlevel.location import Scripted, scripted


@pytest.fixture
def transport() -> Iterator[Transport]:
    transport = Transport()
    yield transport
    transport.close()


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess(
        orders=130,
        transactions=60,
        subscriptions=20,
        customers=40,
        highlevel_limit={"calls": 10_000, "seconds": 10},
    ) as process:
        yield process


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as script:
        yield script
