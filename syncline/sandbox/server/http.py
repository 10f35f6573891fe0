"""The HTTP server of the sandbox: uvicorn, with a handle on each connection so it can be cut."""

from __future__ import annotations

import socket
import sys
from asyncio import get_running_loop
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from syncline.sandbox.server.gateway import TRANSPORT

_BACKLOG = 1024


class CuttableProtocol(HttpToolsProtocol):
    """Puts the connection's transport into the scope: an application can close it in silence."""

    def on_message_begin(self) -> None:
        """Begin the scope of a new call."""
        super().on_message_begin()
        extensions: dict[str, Any] = {TRANSPORT: self.transport}
        self.scope["extensions"] = extensions


class _Server(uvicorn.Server):
    """Tells when it listens, and ends when whoever started it is gone."""

    def __init__(
        self, config: uvicorn.Config, on_listening: Callable[[], None], *, end_with_stdin: bool
    ) -> None:
        super().__init__(config)
        self._on_listening = on_listening
        self._end_with_stdin = end_with_stdin

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._end_with_stdin:
            get_running_loop().add_reader(sys.stdin.fileno(), self._stdin_moved)
        self._on_listening()

    def _stdin_moved(self) -> None:
        """The parent never writes: anything readable is the end of the pipe."""
        get_running_loop().remove_reader(sys.stdin.fileno())
        self.should_exit = True


def serve(
    app: ASGIApp,
    *,
    host: str,
    port: int,
    on_listening: Callable[[str], None],
    end_with_stdin: bool = False,
) -> None:
    """Serve until stopped by a signal, or by the end of standard input if that is asked for.

    Args:
        app: the sandbox's application.
        host: the address to listen on.
        port: the port; 0 takes a free one.
        on_listening: told the base URL as soon as calls are answered.
        end_with_stdin: stop when the process at the other end of standard input is gone.
    """
    listener = socket.create_server((host, port), backlog=_BACKLOG)
    url = f"http://{host}:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        app,
        http=CuttableProtocol,
        loop="uvloop",
        ws="none",
        lifespan="off",
        # Longer than clients keep idle connections, so that none is closed under a new call.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
        access_log=False,
        # The name of a server tells who answered; the API's own answers carry none here.
        server_header=False,
        log_level="warning",
        backlog=_BACKLOG,
    )
    server = _Server(config, lambda: on_listening(url), end_with_stdin=end_with_stdin)
    server.run(sockets=[listener])
