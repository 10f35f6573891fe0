"""Promise 1: nothing is acknowledged before it is on disk, whatever is killed in between."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import psutil
import psycopg

from syncline.ledger.migrate import upgrade
from tests.receiving import Signer, event, receiver_process, stored, until
from workers.embedded.ports import free_port
from workers.embedded.postgres import Postgres
from workers.embedded.server import ensure_running, ensure_stopped

SIGNER = Signer()
SENDERS = 4
ENOUGH = 150
"""Events acknowledged between two kills."""


class Senders:
    """Send events without pause; what was acknowledged is in `acknowledged`."""

    def __init__(self, url: str) -> None:
        self.acknowledged: list[str] = []
        self.answers: set[int] = set()
        self._url = url
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(SENDERS)]

    @contextmanager
    def sending(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()

    def until_more(self, count: int) -> None:
        wanted = len(self.acknowledged) + count
        until(lambda: len(self.acknowledged) >= wanted)

    def _send(self) -> None:
        with httpx.Client(trust_env=False, timeout=30) as client:
            while not self._stop.is_set():
                made = str(uuid4())
                body = event(webhookId=made)
                try:
                    answer = client.post(
                        f"{self._url}/webhooks/highlevel", content=body, headers=SIGNER.modern(body)
                    )
                except httpx.TransportError:
                    self._stop.wait(0.01)
                    continue
                self.answers.add(answer.status_code)
                if answer.status_code == 200:
                    self.acknowledged.append(made)


def _env(database: str, redis_url: str, port: int) -> Mapping[str, str]:
    return {
        "SYNCLINE_DATABASE_URL": database,
        "SYNCLINE_REDIS_URL": redis_url,
        "SYNCLINE_HIGHLEVEL_PUBLIC_KEYS": SIGNER.public_keys,
        "SYNCLINE_RECEIVER_PORT": str(port),
    }


def test_no_answer_comes_while_the_commit_has_not(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    with (
        receiver_process(tmp_path / "data", _env(database, redis_url, 0)) as receiver,
        psycopg.connect(database.replace("+psycopg", "", 1)) as other,
    ):
        body = event(webhookId="w")
        other.execute("lock table event in share mode")  # rows can be read, and none be added
        answers: list[int] = []
        asking = threading.Thread(
            target=lambda: answers.append(receiver.post(body, SIGNER.modern(body)).status_code)
        )
        asking.start()
        waiting = "select 1 from pg_locks where not granted and relation = 'event'::regclass"
        until(lambda: bool(stored(database, waiting)))
        assert (answers, stored(database)) == ([], [])
        other.rollback()
        asking.join()
        assert (answers, stored(database)) == ([200], ["w"])


def test_a_receiver_that_is_killed_under_load_loses_nothing_it_acknowledged(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    env = _env(database, redis_url, free_port())
    senders = Senders(f"http://127.0.0.1:{env['SYNCLINE_RECEIVER_PORT']}")
    with senders.sending():
        for _ in range(3):
            with receiver_process(tmp_path / "data", env):
                senders.until_more(ENOUGH)
    kept = stored(database)
    assert set(senders.acknowledged) - set(kept) == set()
    assert len(kept) == len(set(kept))


def test_a_postgresql_that_is_killed_under_load_holds_what_was_acknowledged(
    redis_url: str, tmp_path: Path
) -> None:
    with _own_postgres() as (server, database):
        upgrade(database)
        with receiver_process(tmp_path / "data", _env(database, redis_url, 0)) as receiver:
            senders = Senders(receiver.url)
            with senders.sending():
                senders.until_more(ENOUGH)
                _kill(server)
                until(lambda: 429 in senders.answers)
                ensure_running(server)
                senders.until_more(ENOUGH)
            assert senders.answers == {200, 429}
        assert set(senders.acknowledged) - set(stored(database)) == set()


@contextmanager
def _own_postgres() -> Iterator[tuple[Postgres, str]]:
    with tempfile.TemporaryDirectory(
        prefix="syncline-tests-", ignore_cleanup_errors=True
    ) as folder:
        server = Postgres(Path(folder))
        try:
            yield server, server.url(ensure_running(server))
        finally:
            ensure_stopped(server)


def _kill(server: Postgres) -> None:
    """All its processes at once, as when the power goes."""
    first = psutil.Process(int((server.home / "postmaster.pid").read_text().split()[0]))
    every = [first, *first.children(recursive=True)]
    for process in every:
        process.kill()
    psutil.wait_procs(every, timeout=30)
