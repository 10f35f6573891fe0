"""The shell around one emulated service: limit, fault, handler, reply; every call is logged.

A service's handler is a plain function without a clock or a socket. All that depends on either is
here, on the event loop and without threads: latency, connections that are cut, and effects that
land after their client gave up.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from syncline.sandbox.keeping.clock import Clock
from syncline.sandbox.keeping.state import Answered, Effect, Record, Side, keep_nothing
from syncline.sandbox.server.foreign import foreign, hides_limits, reaches_the_api
from syncline.sandbox.wire.calls import Call, CallLog
from syncline.sandbox.wire.faults import FOREIGN, Fault, Faults, Rule
from syncline.sandbox.wire.limits import Allowance, SideLimits
from syncline.sandbox.wire.service import RateHeaders, Reply, Request, Service

TRANSPORT = "syncline.sandbox.transport"
"""Key in the ASGI scope's extensions under which the server offers the connection's transport."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_PIECES = 10
"""A body that drips comes in so many."""

_log = logging.getLogger(__name__)
_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=Decimal)


@dataclass(slots=True)
class Gateway:
    """The ASGI application of one side.

    Attributes:
        side: `highlevel` or `halo`.
        clock: held while a handler runs, so that an effect has one time.
        rate_headers: what every answer tells of the limits.
        keep: takes what must outlive a restart, before it is answered.
    """

    side: Side
    service: Service
    limits: SideLimits
    faults: Faults
    calls: CallLog
    clock: Clock
    rate_headers: RateHeaders
    keep: Callable[[Record], None] = keep_nothing
    _late: set[asyncio.TimerHandle] = field(init=False, default_factory=set)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP call."""
        request = await read_request(scope, receive)
        operation = self.service.operation(request)
        fault = self.faults.draw(self.side, operation)
        if fault.latency_before:
            await asyncio.sleep(fault.latency_before)
        call, arrived = self._logged(request, operation), time.monotonic()
        allowance = self.limits.admit(arrived, self.clock())
        reply = self._decide(request, call, allowance, fault)
        if fault.latency_after:
            await asyncio.sleep(fault.latency_after)
        if reply is None:
            call.status = "cut"
            self.keep(Answered(call, arrived))
            hang = bool(fault.breaking and fault.breaking.hang)
            await cut(scope, receive, after_client=hang)
            return
        call.status = reply.status
        self.keep(Answered(call, arrived))
        headers = (
            {} if hides_limits(call.fault) else self.rate_headers(self.limits.limit, allowance)
        )
        drip = fault.breaking.late_seconds if fault.breaking and call.fault == "drip" else 0.0
        await send_reply(send, reply, headers, drip=drip)

    def close(self) -> None:
        """Drop the effects that have not landed yet."""
        for timer in self._late:
            timer.cancel()
        self._late.clear()

    def _logged(self, request: Request, operation: str) -> Call:
        return self.calls.open(
            at=self.clock(),
            side=self.side,
            method=request.method,
            path=request.path,
            operation=operation,
            elements=_elements(request),
        )

    def _decide(
        self, request: Request, call: Call, allowance: Allowance, fault: Fault
    ) -> Reply | None:
        """The reply, with the effect made or put off; None if the connection is to be cut."""
        if not allowance.admitted:
            call.rejected = True
            return self.service.rate_limited(self.limits.limit)
        call.fault = kind = fault.kind
        if kind == "429":
            return self.service.rate_limited(self.limits.limit)
        if fault.breaking is not None and kind in FOREIGN:
            return self._foreign(request, fault.breaking)
        reply: Reply | None = None
        if kind == "late":
            self._run_later(request, fault)
        elif kind not in ("500", "cut_before"):
            reply = self._run(request)
        if kind in ("500", "500_after"):
            return self.service.broken()
        return None if kind in ("cut_before", "cut_after") else reply

    def _foreign(self, request: Request, rule: Rule) -> Reply:
        return foreign(rule, self._run(request) if reaches_the_api(rule, request) else None)

    def _run(self, request: Request) -> Reply:
        with self.clock.held() as at:
            reply = self.repeat(request)
        if request.method != "GET":
            self.keep(Effect(self.side, request, at))
        return reply

    def repeat(self, request: Request) -> Reply:
        """Let a request have its effect, without a limit and unlogged."""
        self.service.advance()
        try:
            return self.service.handle(request)
        except Exception:  # noqa: BLE001 (logged with its trace)
            # A fault of the emulation must show as one and must not take the server down.
            _log.exception(
                "the %s handler failed on %s %s", self.side, request.method, request.path
            )
            return self.service.broken()

    def _run_later(self, request: Request, fault: Fault) -> None:
        seconds = fault.breaking.late_seconds if fault.breaking else 0.0

        def land() -> None:
            self._late.discard(timer)
            self._run(request)

        timer = asyncio.get_running_loop().call_later(seconds, land)
        self._late.add(timer)


async def read_request(scope: Scope, receive: Receive) -> Request:
    """Read a call to its end; the path is the one below the mount point."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
    path = scope["path"].removeprefix(scope.get("root_path", "")) or "/"
    return Request(scope["method"], path, query, headers, body)


async def send_reply(
    send: Send, reply: Reply, headers: dict[str, str], *, drip: float = 0.0
) -> None:
    """Write a reply: text as it is, everything else as JSON with exact decimals.

    Args:
        send: takes it.
        reply: the status, the body and headers of its own.
        headers: further ones.
        drip: seconds over which the body comes, piece by piece.
    """
    if isinstance(reply.body, str):
        kind, body = "text/plain; charset=utf-8", reply.body.encode()
    else:
        kind, body = "application/json; charset=utf-8", _encoder.encode(reply.body)
    every = {"content-type": kind, "content-length": str(len(body)), **headers}
    every |= {name.lower(): value for name, value in reply.headers.items()}
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in every.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": pairs})
    pieces = _PIECES if drip else 1
    size = len(body) // pieces + 1
    for at in range(pieces):
        if drip:
            await asyncio.sleep(drip / pieces)
        piece = {"type": "http.response.body", "body": body[at * size : (at + 1) * size]}
        await send({**piece, "more_body": at + 1 < pieces})


async def cut(scope: Scope, receive: Receive, *, after_client: bool) -> None:
    """Close the connection without a byte, at once or after the client itself gave up."""
    if not after_client:
        scope["extensions"][TRANSPORT].close()
    # The server answers 500 for an application that returns in silence, unless it knows that
    # the connection is gone.
    while (await receive())["type"] != "http.disconnect":
        continue


def _elements(request: Request) -> int:
    if not request.body:
        return 0
    try:
        body = _decoder.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 1
    return len(body) if isinstance(body, list) else 1
