"""The HTTP server of the receiver: uvicorn, with bounds on what a sender may take of it.

uvicorn knows no bound on the time for a request, on the size of its head, or on connections that
is answered by anything but 503; those are added here.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from http import HTTPStatus
from types import FrameType
from typing import ClassVar

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from syncline.errors import Refused
from syncline.settings import Settings

LARGEST_HEAD = 32 << 10
"""Bytes of the request line and headers together."""

IDLE = timedelta(seconds=75)
"""Longer than senders keep unused connections, so that none is closed under a new call."""

_BACKLOG = 2048
_ANSWERING_SECONDS = 10
_TICK_SECONDS = 1


class BoundedProtocol(HttpToolsProtocol):
    """One connection: a request has to be here within `patience`, and be no larger than allowed."""

    patience: ClassVar[float]
    most_connections: ClassVar[int]
    largest_message: ClassVar[int]

    _timer: asyncio.TimerHandle | None = None
    _in_head = True
    _received = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            self._refuse(HTTPStatus.TOO_MANY_REQUESTS)
        else:
            self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more is waited for."""
        self._calm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless the message has become too large."""
        if self.transport.is_closing():
            return
        self._received += len(data)
        super().data_received(data)
        if self._in_head and self._received > LARGEST_HEAD:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif self._received > self.largest_message:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._in_head = True
        self._expect()

    def on_headers_complete(self) -> None:
        """The head is here."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The whole request is here; what follows belongs to the next one."""
        super().on_message_complete()
        self._in_head, self._received = True, 0
        self._calm()

    def _expect(self) -> None:
        self._calm()
        self._timer = self.loop.call_later(self.patience, self._too_slow)

    def _calm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer without the application, where no answer is under way, and close."""
        if self.transport.is_closing():
            return
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self.transport.write(
                f"HTTP/1.1 {status.value} {status.phrase}\r\n"
                "retry-after: 5\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode()
            )
        self.transport.close()


class _Server(uvicorn.Server):
    """Tells when it listens, and sleeps while nothing comes.

    uvicorn's own loop wakes ten times a second to see whether it shall end. Here the signal wakes
    it, and it ticks once a second, which keeps the date in its answers right.
    """

    def __init__(self, config: uvicorn.Config, on_listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_listening = on_listening
        self._ending = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self._on_listening()

    async def main_loop(self) -> None:
        while not await self.on_tick(counter=0):
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._ending.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._ending.set)


def serve(app: ASGIApp, settings: Settings, on_listening: Callable[[int], None]) -> None:
    """Serve until SIGTERM or SIGINT: then what was received is answered first.

    Args:
        app: the application.
        settings: where to listen, and the bounds.
        on_listening: told the port as soon as calls are answered.

    Raises:
        Refused: nobody can listen there.
    """
    listener = _listener(settings)
    config = uvicorn.Config(
        app,
        http=_bounded(settings),
        loop="uvloop",
        ws="none",
        lifespan="on",
        timeout_keep_alive=round(IDLE.total_seconds()),
        timeout_graceful_shutdown=_ANSWERING_SECONDS,
        access_log=False,
        server_header=False,
        log_config=None,
        # Below that, uvicorn logs a line for every malformed request.
        log_level="error",
        backlog=_BACKLOG,
    )
    # uvicorn raises the signal again once it has stopped; by then it means nothing.
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: None)
    port: int = listener.getsockname()[1]
    _Server(config, lambda: on_listening(port)).run(sockets=[listener])


def _listener(settings: Settings) -> socket.socket:
    host, port = settings.receiver_host, settings.receiver_port
    try:
        return socket.create_server(
            (host, port),
            family=socket.AF_INET6 if ":" in host else socket.AF_INET,
            backlog=_BACKLOG,
            # The kernel deals connections out to all that listen. Never unasked: two installations
            # would get each other's events.
            reuse_port=settings.receiver_workers > 1,
        )
    except OSError as error:
        raise Refused(
            f"The receiver cannot listen on {host}, port {port} ({error.strerror}).",
            remedy="Set SYNCLINE_RECEIVER_HOST and SYNCLINE_RECEIVER_PORT.",
        ) from None


def _bounded(settings: Settings) -> type[BoundedProtocol]:
    class Protocol(BoundedProtocol):
        patience = settings.receiver_patience.total_seconds()
        most_connections = settings.receiver_connections
        # Chunks have lengths of their own, so more than the body arrives.
        largest_message = 2 * settings.webhook_max_bytes + LARGEST_HEAD

    return Protocol
