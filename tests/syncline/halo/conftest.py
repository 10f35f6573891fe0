from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from syncline import jsontext
from syncline.halo.auth import Token, TokenAddress
from syncline.halo.client import HaloClient
from syncline.transport import Permit, Transport

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECRET = "s3cr3t-of-the-application"


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return {k: v[0] for k, v in parse_qs(self.body.decode()).items()}


CUT = None
"""What a script answers to close the connection without a byte."""

Script = Callable[[Call], "tuple[int, Any] | tuple[int, Any, dict[str, str]] | None"]


@dataclass
class HaloServer:
    """A real HTTP server that answers as its script says and remembers every call."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    scripts: dict[str, Script] = field(default_factory=dict)

    def on(self, method_and_path: str, script: Script) -> None:
        self.scripts[method_and_path] = script

    def to(self, path: str) -> list[Call]:
        return [call for call in self.calls if call.path == path]

    def answer(self, call: Call) -> tuple[int, Any, dict[str, str]] | None:
        self.calls.append(call)
        script = self.scripts.get(f"{call.method} {call.path}")
        given = script(call) if script else (404, {"Message": "No such place"})
        if given is None:
            return None
        status, body, headers = (*given, {}) if len(given) == 2 else given
        return status, body, headers


def _handler(server: HaloServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            query = {k: v[0] for k, v in parse_qs(parts.query).items()}
            headers = {k.lower(): v for k, v in self.headers.items()}
            given = server.answer(Call(self.command, parts.path, query, headers, body))
            if given is None:
                self.close_connection = True
                return
            status, document, extra = given
            content = document if isinstance(document, bytes) else jsontext.dumps(document)
            self.send_response(status)
            for name, value in extra.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = _serve  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """The test's own assertions say enough."""

    return Handler


@dataclass
class MemoryTokens:
    """A token store of one process, as the protocol asks."""

    now: Callable[[], datetime]
    token: Token | None = None
    renewals: int = 0
    refused: Token | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fresh(self) -> Token | None:
        if self.token is not None and self.token.expires_at <= self.now():
            return None
        return self.token

    def renew(
        self, discover: Callable[[], TokenAddress], fetch: Callable[[TokenAddress], Token]
    ) -> None:
        with self.lock:
            if self.fresh() is None:
                self.token = fetch(discover())
                self.renewals += 1

    def forget(self, token: Token) -> bool:
        with self.lock:
            before, self.refused = self.refused, token
            if self.token == token:
                self.token = None
            return before is None or before == token


@dataclass
class Clock:
    at: datetime = NOW

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def server() -> Iterator[HaloServer]:
    scripted = HaloServer()
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(scripted))
    http.daemon_threads = True
    scripted.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    scripted.on(
        "GET /api/authinfo",
        lambda _: (200, {"auth_url": f"{scripted.url}/auth/", "tenant_id": "acme"}),
    )
    scripted.on(
        "POST /auth/token",
        lambda _: (
            200,
            {"access_token": f"token-{len(scripted.to('/auth/token'))}", "expires_in": 3600},
        ),
    )
    yield scripted
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def transport() -> Iterator[Transport]:
    opened = Transport(connections=4)
    yield opened
    opened.close()


@pytest.fixture
def permit() -> Permit:
    return Permit("call-1", "token-1", time.monotonic() + 60, timedelta(seconds=20))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(clock: Clock) -> MemoryTokens:
    return MemoryTokens(clock)


@pytest.fixture
def newcomer(
    server: HaloServer, transport: Transport, tokens: MemoryTokens, clock: Clock
) -> HaloClient:
    """A client without a token."""
    return make_client(server.url, transport, tokens, clock)


@pytest.fixture
def client(newcomer: HaloClient, tokens: MemoryTokens, clock: Clock) -> HaloClient:
    """A client with a token."""
    tokens.token = Token(SecretStr("token-0"), clock.at + timedelta(hours=1))
    return newcomer


def sign_in(client: HaloClient, permit: Permit) -> None:
    """Get a token, where there is none, with one permit for all."""
    client.sign_in(lambda _operation, make: make(permit))


def make_client(
    url: str,
    transport: Transport,
    tokens: MemoryTokens,
    clock: Clock,
    tenant: str | None = None,
) -> HaloClient:
    return HaloClient(
        transport,
        base_url=url,
        tenant=tenant,
        client_id="application",
        client_secret=SecretStr(SECRET),
        scope="read:customers edit:customers",
        tokens=tokens,
        now=clock,
    )
