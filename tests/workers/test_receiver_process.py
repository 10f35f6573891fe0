"""The receiver as a process: it starts over any state of its servers, and is bounded."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.receiving import ReceiverProcess, Signer, event, receiver_process, stored
from workers import health
from workers.ports import free_port
from syncline.settings import Settings

SIGNER = Signer()


@pytest.fixture
def env(database: str, redis_url: str) -> dict[str, str]:
    return {
        "SYNCLINE_DATABASE_URL": database,
        "SYNCLINE_REDIS_URL": redis_url,
        "SYNCLINE_HIGHLEVEL_PUBLIC_KEYS": SIGNER.public_keys,
        "SYNCLINE_RECEIVER_PATIENCE": "1",
        "SYNCLINE_RECEIVER_CONNECTIONS": "20",
    }


@pytest.fixture
def receiver(env: Mapping[str, str], tmp_path: Path) -> Iterator[ReceiverProcess]:
    with receiver_process(tmp_path / "data", env) as running:
        yield running


def test_what_was_answered_is_stored_and_the_process_ends_well_when_told(
    receiver: ReceiverProcess, database: str
) -> None:
    body = event(webhookId="one")
    answer = receiver.post(body, SIGNER.modern(body))
    assert (answer.status_code, answer.json()) == (200, {"status": "stored"})
    assert stored(database) == ["one"]
    receiver.process.send_signal(signal.SIGTERM)
    assert receiver.process.wait(30) == 0, receiver.log.read_text()
    assert receiver.log.read_text() == ""
