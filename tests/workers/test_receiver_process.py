"""The receiver as a process: it starts over any state of its servers, and is bounded."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from syncline.settings import Settings
from tests.receiving import ReceiverProcess, Signer, event, receiver_process, stored, until
from workers.console import health
from workers.embedded.ports import free_port

SIGNER = Signer()
PATIENCE = 0.5


@pytest.fixture
def env(database: str, redis_url: str) -> dict[str, str]:
    return {
        "SYNCLINE_DATABASE_URL": database,
        "SYNCLINE_REDIS_URL": redis_url,
        "SYNCLINE_HIGHLEVEL_PUBLIC_KEYS": SIGNER.public_keys,
        "SYNCLINE_RECEIVER_PATIENCE": str(PATIENCE),
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


def test_what_is_under_way_when_it_is_told_to_end_is_stored_and_answered_first(
    receiver: ReceiverProcess, database: str
) -> None:
    body = event(webhookId="w")
    answers: list[int] = []
    asking = threading.Thread(
        target=lambda: answers.append(receiver.post(body, SIGNER.modern(body)).status_code)
    )
    with psycopg.connect(database.replace("+psycopg", "", 1)) as other:
        other.execute("lock table event in share mode")  # rows can be read, and none be added
        asking.start()
        waiting = "select 1 from pg_locks where not granted and relation = 'event'::regclass"
        until(lambda: bool(stored(database, waiting)))
        receiver.process.send_signal(signal.SIGTERM)
        until(lambda: not _listens(receiver.port))
    asking.join()
    assert (answers, stored(database)) == ([200], ["w"])
    assert receiver.process.wait(30) == 0


def test_slow_senders_large_heads_and_bodies_and_too_many_connections_are_refused(
    receiver: ReceiverProcess,
) -> None:
    post = b"POST /webhooks/highlevel HTTP/1.1\r\nhost: x\r\n"
    # Nothing at all, half a head, half a body: each is told so once its time is over.
    for begun in (b"", post, post + b"content-length: 100\r\n\r\n{"):
        assert _answered(receiver, begun).startswith(b"HTTP/1.1 408 ")
    assert b" 431 " in _answered(receiver, post + b"x: " + b"y" * 40_000)
    many = b"".join(b"x-%d: y\r\n" % number for number in range(5000))
    assert b" 431 " in _answered(receiver, post + many)
    assert b" 413 " in _answered(receiver, post + b"content-length: 99999999\r\n\r\n")
    chunked = post + b"transfer-encoding: chunked\r\n\r\n"
    assert b" 413 " in _answered(receiver, chunked + b"200000\r\n" + b"y" * 0x200000)
    with ExitStack() as lines:
        address = ("127.0.0.1", receiver.port)
        for _ in range(20):
            lines.enter_context(socket.create_connection(address))
        assert b" 429 " in _answered(receiver, b"")
    until(lambda: receiver.post(b"{}", {}).status_code == 401)


def test_a_connection_serves_one_request_after_another_also_those_sent_ahead(
    receiver: ReceiverProcess, database: str
) -> None:
    bodies = [event(webhookId=f"w{number}") for number in range(3)]
    requests = [
        b"POST /webhooks/highlevel HTTP/1.1\r\nx-ghl-signature: %s\r\ncontent-length: %d\r\n\r\n%s"
        % (SIGNER.modern(body)["x-ghl-signature"].encode(), len(body), body)
        for body in bodies
    ]
    last = b"GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n"
    answered = receiver.raw(b"".join([*requests, last]))
    assert answered.count(b'{"status":"stored"}') == 3
    assert answered.endswith(b'{"status":"alive"}')
    assert sorted(stored(database)) == ["w0", "w1", "w2"]


def test_what_is_no_http_is_told_so_and_nothing_comes_into_the_log(
    receiver: ReceiverProcess,
) -> None:
    for sent in (b"\x16\x03\x01 tls\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n", b"hello\r\n\r\n"):
        assert receiver.raw(sent).startswith(b"HTTP/1.1 400 ")
    assert receiver.log.read_text() == ""


def test_a_flood_of_refusals_is_one_line_of_the_log_without_anything_that_was_sent(
    receiver: ReceiverProcess,
) -> None:
    for _ in range(50):
        receiver.post(b'{"email":"ada@example.com"}', {"x-ghl-signature": "bm8="})
    (line,) = receiver.log.read_text().splitlines()
    assert "signature does not fit" in line
    assert "ada@example.com" not in line


def test_with_postgresql_away_it_starts_asks_for_everything_again_and_recovers_by_itself(
    env: Mapping[str, str], database: str, tmp_path: Path
) -> None:
    at = free_port()
    real = urlsplit(database)
    away = database.replace(f":{real.port}/", f":{at}/")
    with receiver_process(tmp_path / "data", {**env, "SYNCLINE_DATABASE_URL": away}) as receiver:
        body = event(webhookId="w")
        answer = receiver.post(body, SIGNER.modern(body))
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
        assert receiver.raw(b"GET /readyz HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 503 ")
        with _passing_on(at, real.port or 0):
            until(lambda: receiver.post(body, SIGNER.modern(body)).status_code == 200)
            assert stored(database) == ["w"]
        other = event()
        assert receiver.post(other, SIGNER.modern(other)).status_code == 429
        with _passing_on(at, real.port or 0):
            until(lambda: receiver.post(other, SIGNER.modern(other)).status_code == 200)


def test_with_redis_away_events_are_stored_all_the_same(
    env: Mapping[str, str], database: str, tmp_path: Path
) -> None:
    nobody = f"redis://127.0.0.1:{free_port()}/0"
    with receiver_process(tmp_path / "data", {**env, "SYNCLINE_REDIS_URL": nobody}) as receiver:
        for _ in range(20):
            body = event()
            assert receiver.post(body, SIGNER.modern(body)).status_code == 200
    assert len(stored(database)) == 20


def test_several_receivers_share_a_port_when_they_are_told_to(
    env: Mapping[str, str], database: str, tmp_path: Path
) -> None:
    shared = {**env, "SYNCLINE_RECEIVER_WORKERS": "2", "SYNCLINE_RECEIVER_PORT": str(free_port())}
    with (
        receiver_process(tmp_path / "one", shared) as one,
        receiver_process(tmp_path / "two", shared) as two,
    ):
        assert one.port == two.port
        body = event(webhookId="w")
        answers = [one.post(body, SIGNER.modern(body)).json()["status"] for _ in range(30)]
        assert sorted(answers) == ["seen"] * 29 + ["stored"]
        one.process.kill()
        one.process.wait()
        until(lambda: two.post(body, SIGNER.modern(body)).status_code == 200)


def test_a_port_that_is_taken_is_said_in_one_line(
    receiver: ReceiverProcess, env: Mapping[str, str], tmp_path: Path
) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "workers.receiver"],
        env={
            **env,
            "SYNCLINE_DATA": str(tmp_path / "other"),
            "SYNCLINE_RECEIVER_PORT": str(receiver.port),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 2
    assert "SYNCLINE_RECEIVER_PORT" in found.stderr
    assert "Traceback" not in found.stderr


def test_health_asks_whether_it_can_store(receiver: ReceiverProcess, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", receiver_port=free_port())
    assert health.check_receiver(settings).healthy
    receiver.process.kill()
    receiver.process.wait()
    assert not health.check_receiver(settings).healthy


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


def _answered(receiver: ReceiverProcess, begun: bytes) -> bytes:
    """What is answered to a request that is begun and not ended, until the connection closes."""
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=20) as line:
        answered = b""
        with suppress(ConnectionError):
            line.sendall(begun)
        with suppress(ConnectionError):
            while part := line.recv(65536):
                answered += part
    return answered


@contextmanager
def _passing_on(port: int, to: int) -> Iterator[None]:
    """A server on `port` whose connections lead to another port, for the length of a block."""
    lines: list[socket.socket] = []

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while part := source.recv(65536):
                sink.sendall(part)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", to))
                lines.extend((near, far))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=pump, args=pair).start()

    listener = socket.create_server(("127.0.0.1", port))
    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join()
        listener.close()
        for line in lines:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()
