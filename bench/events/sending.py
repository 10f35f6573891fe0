"""A sender of webhooks in a process of its own: signed beforehand, sent on a fixed schedule.

The schedule does not wait for answers. An event that finds no free connection waits for one, and
that time counts as well, so a receiver that stands still cannot look fast. What is not acknowledged
is sent again, as HighLevel does, and keeps the moment at which it was first due.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from base64 import b64encode
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import cast
from uuid import UUID

import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from syncline import jsontext

CONNECTIONS = 64
RETRY_SECONDS = 0.05
GIVE_UP_SECONDS = 30.0
_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Plan:
    """So many events a second, for so long, to a port, signed with a raw private key."""

    rate: float
    seconds: float
    port: int
    key: bytes = field(repr=False)
    seed: int = 0


@dataclass(slots=True)
class Sent:
    """What came of it: ids that were acknowledged, seconds from due to acknowledged, the rest."""

    acknowledged: list[str] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    unacknowledged: int = 0
    retried: int = 0
    took: float = 0.0


def send(plan: Plan, port: Connection) -> None:
    """In the process: sign all, say so, wait for the word, send, report."""
    requests = _signed(plan)
    port.send("ready")
    port.recv()
    sender = _Sender(plan, requests)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(sender.run())
    port.send(sender.sent)


def _signed(plan: Plan) -> list[tuple[str, bytes]]:
    key = Ed25519PrivateKey.from_private_bytes(plan.key)
    chance = random.Random(plan.seed)
    requests = []
    for number in range(round(plan.rate * plan.seconds)):
        made = str(UUID(int=chance.getrandbits(128), version=4))
        body = jsontext.dumps(_order(number, made))
        head = (
            f"POST /webhooks/highlevel HTTP/1.1\r\nhost: {_HOST}\r\n"
            "content-type: application/json\r\naccept: application/json, text/plain, */*\r\n"
            f"x-ghl-signature: {b64encode(key.sign(body)).decode()}\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        requests.append((made, head.encode() + body))
    return requests


def _order(number: int, webhook_id: str) -> dict[str, object]:
    """An order's event of the usual size, about two kilobytes."""
    moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    item = {
        "name": "Maintenance, monthly",
        "qty": 1,
        "product": {"_id": "67bf0a5f9ac9966c4e77205d", "name": "Maintenance", "taxes": []},
        "price": {"_id": "67bf0a5f9ac996b1f777206f", "type": "one_time", "amount": 1700.5},
    }
    return {
        "type": "OrderStatusUpdate",
        "locationId": "bench",
        "_id": f"{number:024x}",
        "altId": "bench",
        "altType": "location",
        "status": "completed",
        "fulfillmentStatus": "unfulfilled",
        "contactId": "ggcAAYlfB3euAGZ3Z0A2",
        "currency": "EUR",
        "amount": 8502.5,
        "amountSummary": {"subtotal": 8502.5, "discount": 0, "tax": 0, "shipping": 0},
        "source": {"type": "payment_link", "id": "67fff8cdfb737948f4aa6e8e", "name": "Link"},
        "createdAt": moment,
        "updatedAt": moment,
        "contactSnapshot": {
            "id": "ggcAAYlfB3euAGZ3Z0A2",
            "firstName": "Ada",
            "lastName": "Example",
            "email": f"ada{number}@example.com",
            "tags": [],
            "customFields": [],
        },
        "items": [item] * 5,
        "timestamp": moment,
        "webhookId": webhook_id,
    }


@dataclass(slots=True)
class _Due:
    id: str
    request: bytes
    at: float


class _Line(asyncio.Protocol):
    """One connection with at most one request under way."""

    def __init__(self, sender: _Sender) -> None:
        self._sender = sender
        self._transport: asyncio.Transport | None = None
        self._due: _Due | None = None
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is none by inheritance.
        self._transport = cast("asyncio.Transport", transport)
        self._sender.is_free(self)

    def send(self, due: _Due) -> bool:
        """Whether it could be sent on this connection."""
        if self._transport is None or self._transport.is_closing():
            return False
        self._due = due
        self._transport.write(due.request)
        return True

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, _, body = self._answer.partition(b"\r\n\r\n")
        # Each answer of the receiver is one JSON object.
        if not body.endswith(b"}") or self._due is None:
            return
        due, self._due, self._answer = self._due, None, b""
        self._sender.answered(due, ok=head.startswith(b"HTTP/1.1 200"))
        self._sender.is_free(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - lost is lost
        self._transport = None
        if self._due is not None:
            self._sender.answered(self._due, ok=False)
        self._sender.reconnect()


class _Sender:
    def __init__(self, plan: Plan, requests: list[tuple[str, bytes]]) -> None:
        self.sent = Sent()
        self._plan = plan
        self._requests = requests
        self._waiting: deque[_Due] = deque()
        self._free: deque[_Line] = deque()
        self._open = len(requests)
        self._done = asyncio.Event()
        self._connecting: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        for _ in range(CONNECTIONS):
            self.reconnect()
        begun = time.monotonic()
        for number, (made, request) in enumerate(self._requests):
            at = begun + number / self._plan.rate
            ahead = at - time.monotonic()
            if ahead > 0:
                await asyncio.sleep(ahead)
            elif number % 16 == 0:
                await asyncio.sleep(0)  # late, but answers are read all the same
            self._waiting.append(_Due(made, request, at))
            self._pair()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._done.wait(), GIVE_UP_SECONDS)
        self.sent.took = time.monotonic() - begun
        self.sent.unacknowledged = self._open

    def is_free(self, line: _Line) -> None:
        self._free.append(line)
        self._pair()

    def answered(self, due: _Due, *, ok: bool) -> None:
        if not ok:
            self.sent.retried += 1
            asyncio.get_running_loop().call_later(RETRY_SECONDS, self._again, due)
            return
        self.sent.acknowledged.append(due.id)
        self.sent.latencies.append(time.monotonic() - due.at)
        self._open -= 1
        if not self._open:
            self._done.set()

    def reconnect(self) -> None:
        task = asyncio.get_running_loop().create_task(self._connect())
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._done.is_set():
            try:
                await loop.create_connection(lambda: _Line(self), _HOST, self._plan.port)
            except OSError:
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    def _again(self, due: _Due) -> None:
        self._waiting.appendleft(due)
        self._pair()

    def _pair(self) -> None:
        while self._waiting and self._free:
            if self._free.popleft().send(self._waiting[0]):
                self._waiting.popleft()
