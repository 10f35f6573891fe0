"""A receiver of webhooks that answers as it is told and keeps all that came."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from syncline.sandbox.process import SandboxProcess


@dataclass(frozen=True)
class Arrival:
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document


@dataclass
class TakingIn:
    """Attributes: the first answers, in turn, and the answer after those; all that arrived."""

    url: str = ""
    first: deque[int] = field(default_factory=deque)
    then: int = 200
    arrived: list[Arrival] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self, arrival: Arrival) -> int:
        with self._changed:
            self.arrived.append(arrival)
            self._changed.notify_all()
            return self.first.popleft() if self.first else self.then

    def wait(self, count: int) -> list[Arrival]:
        """What arrived, once there are so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.arrived) >= count, 30), self.arrived
            return list(self.arrived)


@contextmanager
def taking_in() -> Iterator[TakingIn]:
    receiver = TakingIn()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(receiver.take(Arrival(headers, body)))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128  # with five, many at once are refused, and tried again much later

    with Server(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}/webhooks/highlevel"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield receiver
        server.shutdown()
        thread.join()


def deliveries(
    sandbox: SandboxProcess,
    ready: Callable[[dict[str, Any]], bool] = lambda told: not told["pending"],
) -> dict[str, Any]:
    """What became of HighLevel's events, once it is so; by default once none is under way."""
    for _ in range(20_000):
        told = sandbox.highlevel_deliveries()
        if ready(told):
            return told
    raise AssertionError(told)
