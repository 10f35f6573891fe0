"""The receiver's application: what is accepted, what is stored, and what its sender is told.

Nothing is answered with 2xx before it is on disk. What cannot be stored now is answered with 429,
on which every sender comes again; 5xx is never answered, since HighLevel may take it for final.
Checks stand in the order of what they cost, and nothing is parsed before its sender is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog
from starlette.types import Receive, Scope, Send

from syncline.errors import Again
from syncline.halo.webhooks.authentication import InboundKey, InboundKeys
from syncline.highlevel.envelope import read_envelope
from syncline.highlevel.signatures import PublicKeys
from syncline.settings import Settings
from syncline.webhooks.events import Arrived
from syncline.webhooks.keys import Door
from workers.receiver.bodies import is_json
from workers.receiver.committer import Committer
from workers.receiver.kept import Cached
from workers.receiver.refusals import Refusals

log = structlog.get_logger()

MOST_READING_BYTES = 64 << 20
"""Of all bodies that are on their way in together."""

_RETRY_AFTER = b"5"
_LONGEST_CONTENT_TYPE = 200


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A status with one JSON object; `reason` says why something was refused."""

    status: int
    body: bytes
    reason: str = ""


STORED = HttpReply(200, b'{"status":"stored"}')
SEEN = HttpReply(200, b'{"status":"seen"}')
_ALIVE = HttpReply(200, b'{"status":"alive"}')
_READY = HttpReply(200, b'{"status":"ready"}')


def _refused(status: int, reason: str) -> HttpReply:
    return HttpReply(status, f'{{"error":"{reason}"}}'.encode(), reason)


_NOT_READY = _refused(503, "PostgreSQL does not answer, or holds no ledger")
_NOWHERE = _refused(404, "not found")
_ONLY = {method: _refused(405, f"only {method} is allowed") for method in ("GET", "POST")}
_TOO_LARGE = _refused(413, "body is too large")
_NOT_JSON_TYPE = _refused(415, "content type is not JSON")
_UNSIGNED = _refused(401, "signature does not fit")
_NOT_JSON = _refused(400, "body is not JSON, or too deep")
_LATER = _refused(429, "cannot be stored now")


class _Gone(Exception):
    """The sender hung up before its request was complete."""


class _Refuse(Exception):
    def __init__(self, answer: HttpReply) -> None:
        self.answer = answer
        super().__init__(answer.reason)


class Webhooks:
    """The ASGI application.

    Args:
        settings: bounds and ages.
        public_keys: what HighLevel signs with.
        committer: stores what is accepted.
        doors: the ways in for Halo, by the connection's name.
        ready: whether the ledger can be written to.
        now: this machine's clock.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        public_keys: PublicKeys,
        committer: Committer,
        doors: Cached[dict[str, Door]],
        ready: Cached[bool],
        now: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._public_keys = public_keys
        self._committer = committer
        self._doors = doors
        self._ready = ready
        self._now = now
        self._refusals = Refusals()
        self._reading = 0
        self._decoy = InboundKeys(keys=(InboundKey.made(now()),))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            answer = await self._answer(scope, receive)
        except _Refuse as refuse:
            answer = refuse.answer
        except _Gone:
            return
        except Again as again:
            log.debug("a webhook is asked for again", why=again.what)
            answer = _LATER
        except Exception:
            log.exception("receiving a webhook failed")
            answer = _LATER
        if answer.reason:
            self._refusals.note(answer.status, answer.reason)
        await _send(answer, send)

    async def _answer(self, scope: Scope, receive: Receive) -> HttpReply:
        match scope["path"].removesuffix("/").split("/")[1:]:
            case ["webhooks", "highlevel"]:
                _only("POST", scope)
                return await self._from_highlevel(_headers(scope), receive)
            case ["webhooks", "halo", name, secret] if name and secret:
                _only("POST", scope)
                return await self._from_halo(name, secret, _headers(scope), receive)
            case ["healthz"]:
                _only("GET", scope)
                return _ALIVE
            case ["readyz"]:
                _only("GET", scope)
                return await self._readiness()
        return _NOWHERE

    async def _from_highlevel(self, headers: Mapping[str, str], receive: Receive) -> HttpReply:
        body = await self._body(headers, receive)
        accept_rsa = self._settings.accept_rsa_signatures
        if not self._public_keys.signed(headers, body, accept_rsa=accept_rsa):
            return _UNSIGNED
        if not is_json(body):
            return _NOT_JSON
        envelope = read_envelope(body)
        untimely = envelope.untimely(self._now(), self._settings.webhook_max_age)
        if untimely is not None:
            return _refused(400, untimely)
        return await self._store(
            Arrived(
                "highlevel",
                body,
                webhook_id=envelope.key,
                type=envelope.type,
                location_id=envelope.location_id,
                content_type=_content_type(headers),
            )
        )

    async def _from_halo(
        self, name: str, secret: str, headers: Mapping[str, str], receive: Receive
    ) -> HttpReply:
        """Who knows no secret is not told which part of it was wrong, nor what connections are."""
        body = await self._body(headers, receive)
        door = (await self._doors.value()).get(name)
        keys = self._decoy if door is None else door.keys
        if not keys.fits(secret, headers, body) or door is None:
            return _NOWHERE
        if not is_json(body):
            return _NOT_JSON
        return await self._store(
            Arrived(
                "halo",
                body,
                connection_id=door.connection_id,
                content_type=_content_type(headers),
            )
        )

    async def _store(self, arrived: Arrived) -> HttpReply:
        return STORED if await self._committer.store(arrived) else SEEN

    async def _readiness(self) -> HttpReply:
        try:
            return _READY if await self._ready.value() else _NOT_READY
        except Again:
            return _NOT_READY

    async def _body(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        """The raw body, within its bounds; it is not read where its headers forbid it.

        Raises:
            _Refuse: it is too large, or no JSON by what its headers say.
            _Gone: it never came.
        """
        most = self._settings.webhook_max_bytes
        length = headers.get("content-length", "")
        if length.isdecimal() and (len(length) > len(str(most)) or int(length) > most):
            raise _Refuse(_TOO_LARGE)
        if not _may_be_json(headers):
            raise _Refuse(_NOT_JSON_TYPE)
        parts: list[bytes] = []
        size = 0
        try:
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise _Gone
                part: bytes = message.get("body", b"")
                parts.append(part)
                size += len(part)
                self._reading += len(part)
                if size > most:
                    raise _Refuse(_TOO_LARGE)
                if self._reading > MOST_READING_BYTES:
                    raise _Refuse(_LATER)
                if not message.get("more_body", False):
                    return parts[0] if len(parts) == 1 else b"".join(parts)
        finally:
            self._reading -= size


def _only(method: str, scope: Scope) -> None:
    if scope["method"] != method:
        raise _Refuse(_ONLY[method])


def _headers(scope: Scope) -> dict[str, str]:
    """By their names in lower case; one that is given twice counts for nothing."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        found[key] = "" if key in found else value.decode("latin-1")
    return found


def _may_be_json(headers: Mapping[str, str]) -> bool:
    """Whether the content type is absent, or one of JSON's."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in {"", "application/json", "text/json"} or (
        kind.startswith("application/") and kind.endswith("+json")
    )


def _content_type(headers: Mapping[str, str]) -> str | None:
    given = headers.get("content-type")
    if not given or not given.isprintable():
        return None
    return given[:_LONGEST_CONTENT_TYPE]


async def _send(answer: HttpReply, send: Send) -> None:
    headers: list[tuple[bytes, bytes]] = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(answer.body)),
    ]
    match answer.status:
        case 405:
            headers += [(b"allow", name.encode()) for name, one in _ONLY.items() if one is answer]
        case 413 | 415:
            # The rest of the body is not read.
            headers.append((b"connection", b"close"))
        case 429:
            headers.append((b"retry-after", _RETRY_AFTER))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
