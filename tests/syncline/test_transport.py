"""What became of a call: not sent, sent with an unknown outcome, or answered; all in time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from syncline import transport
from syncline.errors import Doubtful, NotSent, Unreadable
from syncline.transport import Permit, Transport

_DEADLINE = timedelta(seconds=10)

Answering = Callable[[socket.socket], None]


class _Server:
    """A real server that reads one request at a time and lets `answer` do what it wants."""

    def __init__(self, answer: Answering) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self.requests: list[bytes] = []
        self.accepted = 0
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/orders"

    def close(self) -> None:
        # A blocked accept keeps a listening socket alive; shutting it down wakes the thread.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        for connection in self._connections:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            while request := _request(connection):
                self.requests.append(request)
                self._answer(connection)
        except OSError:
            return


def _request(connection: socket.socket) -> bytes:
    read = b""
    while b"\r\n\r\n" not in read:
        part = connection.recv(65536)
        if not part:
            return b""
        read += part
    return read


@contextmanager
def _serving(answer: Answering) -> Iterator[_Server]:
    server = _Server(answer)
    try:
        yield server
    finally:
        server.close()


def _whole(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 201 Created\r\nX-Trace: t1\r\nContent-Length: 2\r\n\r\n{}")


@pytest.fixture
def caller() -> Iterator[Transport]:
    made = Transport()
    yield made
    made.close()


def _permit(*, deadline: timedelta = _DEADLINE, valid: bool = True) -> Permit:
    send_before = time.monotonic() + (60 if valid else -1)
    return Permit("call-1", "token-1", send_before, deadline)


def test_an_answer_comes_with_its_status_headers_and_body(caller: Transport) -> None:
    with _serving(_whole) as server:
        answer = caller.send(
            "GET", server.url, permit=_permit(), params={"limit": "1"}, headers={"Version": "v3"}
        )
    assert (answer.status, answer.headers["x-trace"], answer.body) == (201, "t1", b"{}")
    assert timedelta(0) < answer.took < _DEADLINE
    assert server.requests[0].startswith(b"GET /orders?limit=1 HTTP/1.1\r\n")
    assert b"\r\nVersion: v3\r\n" in server.requests[0]


def test_a_connection_is_used_again(caller: Transport) -> None:
    with _serving(_whole) as server:
        for _ in range(3):
            caller.send("GET", server.url, permit=_permit())
    assert len(server.requests) == 3
    assert server.accepted == 1


def test_an_answer_that_drips_is_cut_at_the_deadline_and_is_doubtful(caller: Transport) -> None:
    stop = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        # Each byte comes well within any time-out for a single read.
        while not stop.wait(0.02):
            connection.sendall(b".")

    with _serving(drip) as server, pytest.raises(Doubtful) as raised:
        caller.send("POST", server.url, permit=_permit(deadline=timedelta(seconds=0.3)))
    stop.set()
    assert raised.value.call_id == "call-1"
    assert "looked up before it is sent again" in raised.value.remedy


def test_silence_until_the_deadline_is_doubtful(caller: Transport) -> None:
    with _serving(lambda _: None) as server, pytest.raises(Doubtful):
        caller.send("POST", server.url, permit=_permit(deadline=timedelta(seconds=0.3)))


def test_the_next_call_has_a_deadline_of_its_own(caller: Transport) -> None:
    silent = threading.Event()
    silent.set()

    def first_silent(connection: socket.socket) -> None:
        if silent.is_set():
            silent.clear()
        else:
            _whole(connection)

    with _serving(first_silent) as server:
        with pytest.raises(Doubtful):
            caller.send("GET", server.url, permit=_permit(deadline=timedelta(seconds=0.2)))
        assert caller.send("GET", server.url, permit=_permit()).status == 201


@pytest.mark.parametrize(
    "sent", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", b"\x00"]
)
def test_a_connection_cut_after_the_request_is_doubtful(caller: Transport, sent: bytes) -> None:
    def cut(connection: socket.socket) -> None:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_RDWR)

    with _serving(cut) as server, pytest.raises(Doubtful):
        caller.send("POST", server.url, permit=_permit(), content=b"[]")
    assert len(server.requests) == 1


def test_a_refused_connection_means_that_nothing_was_sent(caller: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    with pytest.raises(NotSent, match="was not sent") as raised:
        caller.send("POST", url, permit=_permit())
    assert raised.value.call_id == "call-1"


@pytest.mark.parametrize("warm", [False, True])
def test_an_expired_permit_writes_nothing_on_a_new_or_an_open_connection(
    caller: Transport,
    warm: bool,
) -> None:
    with _serving(_whole) as server:
        if warm:
            caller.send("GET", server.url, permit=_permit())
        before = len(server.requests)
        with pytest.raises(NotSent, match="held up after it had leave to send"):
            caller.send("POST", server.url, permit=_permit(valid=False))
        # One more call on the same server shows that nothing of the other one reached it.
        caller.send("GET", server.url, permit=_permit())
    assert [request[:4] for request in server.requests[before:]] == [b"GET "]


def test_an_answer_that_is_too_large_is_unreadable_and_names_its_call(
    caller: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MAX_BODY", 10_000)

    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10001\r\n\r\n" + b" " * 10_001)

    with _serving(endless) as server, pytest.raises(Unreadable, match="smaller pages") as raised:
        caller.send("GET", server.url, permit=_permit())
    assert (raised.value.status, raised.value.call_id) == (200, "call-1")


def test_an_answer_that_cannot_be_unpacked_is_somebody_elses(
    caller: Transport,
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\n"
    with _serving(lambda c: c.sendall(head + b"hello")) as server, pytest.raises(Doubtful) as got:
        caller.send("GET", server.url, permit=_permit())
    assert (got.value.call_id, bool(got.value.answered_by)) == ("call-1", True)


def test_threads_share_a_transport_and_keep_their_own_permits(caller: Transport) -> None:
    outcomes: dict[bool, str] = {}

    def call(valid: bool) -> None:
        try:
            caller.send("GET", server.url, permit=_permit(valid=valid))
            outcomes[valid] = "answered"
        except NotSent:
            outcomes[valid] = "not sent"

    with _serving(_whole) as server:
        threads = [threading.Thread(target=call, args=(valid,)) for valid in (True, False)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert outcomes == {True: "answered", False: "not sent"}
