"""The page on this machine that HighLevel sends the browser back to, once, with a code."""

from __future__ import annotations

import hmac
import html
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue
from urllib.parse import parse_qs, urlsplit

from pydantic import SecretStr

from syncline.errors import Again, Refused

_STALLED_S = 2.0
"""Seconds after which a connection that says nothing is closed; browsers open such ahead."""

_SHOWN_WITHIN_S = 60.0
"""Seconds for which the browser waits for what became of its code."""

_LONGEST_CODE = 4096
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>syncline</title>
<body style="font:16px/1.5 system-ui;max-width:40em;margin:4em auto;padding:0 1em">
<h1>{title}</h1><p>{text}</p></body></html>
"""
_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
}


class Callback:
    """What came back from the browser, and what it is shown.

    Args:
        address: where it listens, `http://127.0.0.1:PORT/PATH`.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._codes: Queue[SecretStr | Refused] = Queue(maxsize=1)
        self._shown = threading.Event()
        self._page = ("Not connected", "The command ended before it could say more.")
        self._lock = threading.Lock()
        self._used = False

    def code(self, within_s: float) -> SecretStr:
        """Wait for the code that the browser brings.

        Raises:
            Again: nobody came back in time.
            Refused: HighLevel sent the browser back without one.
        """
        try:
            came = self._codes.get(timeout=within_s)
        except Empty:
            raise Again(
                f"Nobody came back from HighLevel within {within_s:.0f} seconds.",
                remedy="Run the command again, or paste the code with --code.",
            ) from None
        if isinstance(came, Refused):
            self.show("Not connected", str(came))
            raise came
        return came

    def show(self, title: str, text: str) -> None:
        """What the browser that brought the code is shown."""
        self._page = (title, text)
        self.end()

    def end(self) -> None:
        """Let no browser wait any longer."""
        self._shown.set()

    def answer(self, query: str, state: str) -> tuple[int, str, str]:
        """Status, title and text for a browser that comes back with this query."""
        came = parse_qs(query, keep_blank_values=True, max_num_fields=20)
        told = {name: values[0] for name, values in came.items()}
        if not hmac.compare_digest(told.get("state", "").encode(), state.encode()):
            return 400, "Not from here", "This page was not asked for by the command that waits."
        code = told.get("code", "")
        result: SecretStr | Refused = SecretStr(code)
        if not code or len(code) > _LONGEST_CODE or not code.isprintable():
            said = told.get("error_description") or told.get("error") or "no code came back"
            result = Refused(
                f"HighLevel let nobody in: {said[:200]}.",
                remedy="Run the command again, and choose the account and let the app in.",
            )
        with self._lock:
            used, self._used = self._used, True
        if used:
            return 409, "Already used", "A code came back before; it counts only once."
        self._codes.put_nowait(result)
        if not self._shown.wait(_SHOWN_WITHIN_S):
            return 504, "Still waiting", "The terminal says what became of it."
        return 200, *self._page


@contextmanager
def listening(address: str, state: str) -> Iterator[Callback]:
    """Listen on this machine until the block ends.

    Args:
        address: `http://127.0.0.1:PORT/PATH`; port 0 takes a free one.
        state: what the browser must bring back, so that nobody else can slip in a code.

    Raises:
        Refused: the port is taken.
    """
    parts = urlsplit(address)
    host, path = parts.hostname or "127.0.0.1", parts.path or "/"
    made: list[Callback] = []

    class RedirectHandler(BaseHTTPRequestHandler):
        timeout = _STALLED_S

        def do_GET(self) -> None:
            """Answer a browser."""
            asked = urlsplit(self.path)
            if asked.path != path:
                self._send(404, "Nothing here", "")
                return
            self._send(*made[0].answer(asked.query, state))

        def _send(self, status: int, title: str, text: str) -> None:
            body = _PAGE.format(title=html.escape(title), text=html.escape(text)).encode()
            self.send_response_only(status)
            for name, value in _HEADERS.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.send_header("connection", "close")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: the address holds the code."""

    try:
        server = ThreadingHTTPServer(("127.0.0.1", parts.port or 0), RedirectHandler)
    except OSError as error:
        raise Refused(
            f"Nothing can listen on port {parts.port} of this machine ({error.strerror}).",
            remedy="Give another with --port, as the app's settings allow it, or use --code.",
        ) from None
    # A browser that still reads its page is not cut off when the command ends.
    server.daemon_threads = False
    made.append(Callback(parts._replace(netloc=f"{host}:{server.server_port}").geturl()))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="callback")
    thread.start()
    try:
        yield made[0]
    finally:
        made[0].end()
        server.shutdown()
        thread.join()
        server.server_close()
