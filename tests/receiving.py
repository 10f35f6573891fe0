"""What the tests of the receiver share: keys of their own, signed bodies, and a real process."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from syncline import jsontext
from syncline.ledger.database import Ledger, connect
from syncline.settings import Settings
from workers.embedded.ports import remembered
from workers.receiver.__main__ import receiving

T = TypeVar("T")

_NEVER = threading.Event()


class Signer:
    """Signs as HighLevel does, with keys of its own."""

    def __init__(self) -> None:
        self._modern = Ed25519PrivateKey.generate()
        self._legacy: RSAPrivateKey = generate_private_key(65537, 2048)

    @property
    def public_keys(self) -> str:
        keys = (self._modern.public_key(), self._legacy.public_key())
        return "".join(
            key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
            for key in keys
        )

    def modern(self, body: bytes) -> dict[str, str]:
        return {"x-ghl-signature": b64encode(self._modern.sign(body)).decode()}

    def legacy(self, body: bytes) -> dict[str, str]:
        signature = self._legacy.sign(body, PKCS1v15(), SHA256())
        return {"x-wh-signature": b64encode(signature).decode()}


def event(**fields: Any) -> bytes:
    """An event's body, of now unless fields say otherwise; a field that is None is left out."""
    whole = {
        "type": "OrderStatusUpdate",
        "locationId": "a-location",
        "_id": "an-order",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "webhookId": str(uuid4()),
        **fields,
    }
    return jsontext.dumps({name: value for name, value in whole.items() if value is not None})


class Receiver:
    """The application in this process, over a real ledger, without a server in between."""

    def __init__(self, database: str, **settings: Any) -> None:
        self.settings = Settings(data=Path("/nonexistent"), key=SecretStr("k" * 40), **settings)
        self.ledger = Ledger(connect(database, connections=4))
        self.woken = threading.Event()
        self._runner = asyncio.Runner()
        self._context = receiving(self.settings, self.ledger, self.woken.set)
        self.app = self._runner.run(self._context.__aenter__())

    def close(self) -> None:
        self._runner.run(self._context.__aexit__(None, None, None))
        self._runner.close()
        self.ledger.engine.dispose()

    def post(
        self, body: bytes, headers: Mapping[str, str], path: str = "/webhooks/highlevel"
    ) -> httpx.Response:
        return self.post_all([(body, headers)], path)[0]

    def post_all(
        self,
        requests: Sequence[tuple[bytes, Mapping[str, str]]],
        path: str = "/webhooks/highlevel",
    ) -> list[httpx.Response]:
        """All at the same time."""
        return self._together(
            lambda client: [
                client.post(
                    path, content=body, headers={"content-type": "application/json", **more}
                )
                for body, more in requests
            ]
        )

    def call(self, method: str, path: str, **rest: Any) -> httpx.Response:
        return self._together(lambda client: [client.request(method, path, **rest)])[0]

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Something else in the application's loop."""
        return self._runner.run(work)

    def _together(
        self, calls: Callable[[httpx.AsyncClient], Sequence[Coroutine[Any, Any, httpx.Response]]]
    ) -> list[httpx.Response]:
        async def run() -> list[httpx.Response]:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=True)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://receiver", timeout=30
            ) as client:
                return await asyncio.gather(*calls(client))

        return self._runner.run(run())


@contextmanager
def receiver_here(database: str, **settings: Any) -> Iterator[Receiver]:
    """The application for the length of a block."""
    running = Receiver(database, **settings)
    try:
        yield running
    finally:
        running.close()


class ReceiverProcess:
    """`python -m workers.receiver` over given servers; the log is beside the data folder."""

    def __init__(self, data: Path, env: Mapping[str, str]) -> None:
        self._data = data
        self.log = data.with_name("receiver.log")
        self._port_file = data / "receiver.port"
        self._port_file.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "workers.receiver"],
                env={
                    **os.environ,
                    "SYNCLINE_DATA": str(data),
                    "SYNCLINE_RECEIVER_PORT": "0",
                    **env,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until(lambda: self._port_file.exists() or self.process.poll() is not None)
        assert self.process.poll() is None, self.log.read_text()
        self.port = remembered(self._port_file) or 0
        self.url = f"http://127.0.0.1:{self.port}"

    def post(
        self, body: bytes, headers: Mapping[str, str], path: str = "/webhooks/highlevel"
    ) -> httpx.Response:
        return httpx.post(
            f"{self.url}{path}",
            content=body,
            headers={"content-type": "application/json", **headers},
            timeout=30,
            trust_env=False,
        )

    def raw(self, sent: bytes, *, seconds: float = 20) -> bytes:
        """All that is answered to these bytes until the connection is closed, or for so long."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as line:
            answered = b""
            with suppress(ConnectionError, TimeoutError):
                line.sendall(sent)
                while part := line.recv(65536):
                    answered += part
            return answered


@contextmanager
def receiver_process(data: Path, env: Mapping[str, str]) -> Iterator[ReceiverProcess]:
    """A receiver for the length of a block; it does not outlive it."""
    data.mkdir(parents=True, exist_ok=True)
    running = ReceiverProcess(data, env)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()


def stored(database: str, sql: str = "select webhook_id from event") -> Sequence[Any]:
    """The first column of rows of the ledger."""
    with psycopg.connect(database.replace("+psycopg", "", 1)) as connection:
        return [row[0] for row in connection.execute(sql.encode()).fetchall()]


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "this did not come true"
        _NEVER.wait(0.01)
