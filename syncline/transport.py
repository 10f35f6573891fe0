"""One pool of HTTP connections, one deadline over the whole call, one permit a call.

A call needs a `Permit`: proof that quota was taken and that its call row is committed. The
transport looks at the permit once more right before the first byte is written, so a process
that was stopped in between never writes late. Failures come out as what they mean for the record:
`NotSent` (nothing left), `Doubtful` (it left, the outcome is unknown).
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any, Self

import httpcore
import httpx

from syncline.errors import Doubtful, NotSent, Unanswered, Unreadable

MAX_BODY = 64 * 1024 * 1024
"""Bytes of an answer that are read before it is called unreadable."""

BRIEF = timedelta(seconds=8)
"""Longest call that is made while a transaction is open: PostgreSQL ends one that is idle for 15 s,
and with it the lock under which one process asks for all."""


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to make one call.

    Attributes:
        call_id: the id of the committed call row.
        token: the quota token that comes back after the answer.
        send_before: monotonic seconds after which the request must not be written any more.
        deadline: longest time the whole call may take.
    """

    call_id: str
    token: str
    send_before: float
    deadline: timedelta

    def brief(self) -> Self:
        """The same for a call that holds up a transaction."""
        return replace(self, deadline=min(self.deadline, BRIEF))


Counted = Callable[[str, Callable[[Permit], Any]], Any]
"""Makes one call, given its name and what makes it with a permit; quota is taken for it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        headers: by their names in lower case.
        took: how long the whole call took.
        at: when it had come, by our clock.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    took: timedelta
    at: datetime = field(default_factory=partial(datetime.now, UTC))


class _Call(threading.local):
    """The call that this thread is making: read by the sockets below, which see no request."""

    permit: Permit | None = None
    ends_at: float = float("inf")
    written: bool = False


class _PermitExpiredError(Exception):
    """The permit ran out before the first byte was written."""


class _Stream(httpcore.NetworkStream):
    """A socket that keeps the call's deadline and looks at the permit before the first byte."""

    def __init__(self, inner: httpcore.NetworkStream, call: _Call) -> None:
        self._inner = inner
        self._call = call

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        return self._inner.read(max_bytes, self._left(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        call = self._call
        if not call.written:
            if call.permit is not None and time.monotonic() > call.permit.send_before:
                raise _PermitExpiredError
            call.written = True
        self._inner.write(buffer, self._left(httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: Any,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        left = self._left(httpcore.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left), self._call)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)

    def _left(self, late: type[Exception]) -> float:
        left = self._call.ends_at - time.monotonic()
        if left <= 0:
            raise late("the call's deadline has passed")
        return left


class _Backend(httpcore.NetworkBackend):
    """Opens sockets whose time-outs follow the deadline of the thread's call."""

    def __init__(self, call: _Call) -> None:
        self._call = call
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = self._call.ends_at - time.monotonic()
        within = max(0.001, left if timeout is None else min(timeout, left))
        stream = self._inner.connect_tcp(host, port, within, local_address, socket_options)
        return _Stream(stream, self._call)


class _PooledTransport(httpx.BaseTransport):
    """httpx over an httpcore pool of ours, the public way to bring an own network backend."""

    def __init__(self, pool: httpcore.ConnectionPool) -> None:
        self._pool = pool

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            status_code=answer.status, headers=answer.headers, content=_read(answer)
        )

    def close(self) -> None:
        self._pool.close()


def _read(answer: httpcore.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        for part in answer.iter_stream():
            size += len(part)
            if size > MAX_BODY:
                raise Unreadable(
                    f"The answer is longer than {MAX_BODY} bytes.",
                    remedy="Ask for smaller pages.",
                    status=answer.status,
                )
            parts.append(part)
    finally:
        answer.close()
    return b"".join(parts)


@cache
def _trusted() -> ssl.SSLContext:
    """Whom we trust, read once a process: reading every authority takes 25 ms and 1 MB."""
    return httpx.create_ssl_context()


class Transport:
    """Makes calls; safe to share between threads, one for each process and service.

    Args:
        connections: most connections that are open at a time.
    """

    def __init__(self, *, connections: int = 64) -> None:
        self._call = _Call()
        pool = httpcore.ConnectionPool(
            ssl_context=_trusted(),
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=15,
            network_backend=_Backend(self._call),
        )
        self._client = httpx.Client(transport=_PooledTransport(pool), timeout=None)  # noqa: S113

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def send(
        self,
        method: str,
        url: str,
        *,
        permit: Permit,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """Make one call within the permit's deadline.

        Raises:
            Unanswered: nothing was written: no connection.
            NotSent: nothing was written: the permit expired before.
            Doubtful: something was written and no whole answer came in time, or one that is packed
                in a way that cannot be undone, which is somebody else's.
            Unreadable: the answer is too large.
        """
        started = time.monotonic()
        call = self._call
        call.permit, call.written = permit, False
        call.ends_at = started + permit.deadline.total_seconds()
        try:
            answer = self._client.request(
                method, url, params=params, headers=headers, content=content, data=form
            )
        except Unreadable as error:
            error.call_id = permit.call_id
            raise
        except httpx.DecodingError as error:
            raise Doubtful(
                f"{method} {url} was answered with a body that cannot be unpacked ({error}).",
                remedy="It is looked up before it is sent again.",
                call_id=permit.call_id,
                answered_by="a body that cannot be unpacked",
            ) from error
        except _PermitExpiredError:
            raise NotSent(
                f"{method} {url} was not sent: this process was held up "
                "after it had leave to send.",
                call_id=permit.call_id,
            ) from None
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise self._failure(method, url, permit, error) from error
        finally:
            call.permit, call.ends_at = None, float("inf")
        return Answer(
            status=answer.status_code,
            headers=answer.headers,
            body=answer.content,
            took=timedelta(seconds=time.monotonic() - started),
        )

    def _failure(
        self, method: str, url: str, permit: Permit, error: Exception
    ) -> Unanswered | Doubtful:
        why = f"{type(error).__name__} {error}".strip()
        if self._call.written:
            return Doubtful(
                f"{method} {url} left, but no whole answer came ({why}).",
                remedy="It is looked up before it is sent again.",
                call_id=permit.call_id,
            )
        return Unanswered(f"{method} {url} was not sent ({why}).", call_id=permit.call_id)
