"""Promise 10: whatever is sent to the receiver is refused or stored: never 5xx, never a crash."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp, Message, Scope

from tests.receiving import Signer, event, receiver_here, receiver_process, stored

SIGNER = Signer()
CALLS = 20
"""In one example, all at once."""
EXAMPLES = 12
SOAKING = 130
"""Of each of the four kinds: 4 · 130 · 20 are more than ten thousand calls."""

MEGABYTE = 1 << 20
MOST_GROWTH = 48 * MEGABYTE

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**30, 10**40)
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(["\x00", "\ud800", "\u202e", "1e999", "N/A", "'; drop table event; --"])
)
_DOCUMENTS = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=12,
)
_MOMENTS = st.datetimes(timezones=st.just(UTC)).map(
    lambda moment: moment.isoformat()
) | st.integers(-(10**6), 10**6).map(
    lambda seconds: (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
)
_EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "type": _SCALARS | st.just("OrderCreate"),
        "webhookId": _SCALARS | st.uuids().map(str),
        "locationId": _DOCUMENTS,
        "timestamp": _MOMENTS | _DOCUMENTS,
        "amount": _SCALARS,
        "items": _DOCUMENTS,
    },
)


def _written(document: Any) -> bytes:
    return json.dumps(document).encode()


def _cut(whole: bytes, at: int) -> bytes:
    return whole[: at % (len(whole) + 1)]


_DEEP = st.integers(1, 3000).map(lambda depth: b'{"a":' * depth + b"1" + b"}" * depth)
_ENCODED = st.tuples(_EVENTS, st.sampled_from(["utf-16", "utf-32", "cp500", "utf-8-sig"])).map(
    lambda pair: json.dumps(pair[0]).encode(pair[1])
)
_HUGE = st.integers(1000, 200_000).map(lambda size: b'{"amount":' + b"9" * size + b"}")
_BODIES = {
    "events": _EVENTS.map(_written),
    "json": _DOCUMENTS.map(_written) | _DEEP | _HUGE,
    "bytes": st.binary(max_size=300) | _ENCODED,
    "broken": st.builds(_cut, _EVENTS.map(_written), st.integers(0, 10**4))
    | st.builds(lambda a, b: a + b, _EVENTS.map(_written), st.binary(min_size=1, max_size=5)),
}
_VALUES = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\x00"), max_size=90)
_HEADERS = st.dictionaries(
    st.sampled_from(
        ["content-type", "x-ghl-signature", "x-wh-signature", "authorization", "content-length"]
    ),
    _VALUES
    | st.sampled_from(["N/A", "application/json", "Basic Og==", "Bearer x", "-1", "9" * 50]),
    max_size=3,
)
_PATHS = st.sampled_from(
    ["/webhooks/highlevel"] * 8 + ["/webhooks/halo/a/b", "/webhooks/halo/%00/%ff", "/readyz", "//"]
)
# Most are signed: what is not is refused before anything looks into it.
_SIGNED = st.sampled_from(["modern"] * 6 + ["legacy", "forged", "cut", "none"])


def _signature(kind: str, body: bytes) -> Mapping[str, str]:
    match kind:
        case "modern":
            return SIGNER.modern(body)
        case "legacy":
            return SIGNER.legacy(body)
        case "forged":
            return SIGNER.modern(body + b" ")
        case "cut":
            return {name: value[:-9] for name, value in SIGNER.modern(body).items()}
    return {}


@st.composite
def _requests(draw: st.DrawFn, bodies: st.SearchStrategy[bytes]) -> list[Scope]:
    """Requests as a server hands them over, each with its body under `body`."""
    made: list[Scope] = []
    for _ in range(CALLS):
        body = draw(bodies)
        headers = {**_signature(draw(_SIGNED), body), **draw(_HEADERS)}
        made.append(
            {
                "type": "http",
                "method": "POST",
                "path": draw(_PATHS),
                "headers": [
                    (name.encode(), value.encode("latin-1")) for name, value in headers.items()
                ],
                "body": body,
            }
        )
    return made


async def _answered(app: ASGIApp, scope: Scope) -> int:
    """The status of the answer; whatever the application raises is the test's failure."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": scope["body"], "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, body = sent
    json.loads(body["body"])
    return int(start["status"])


async def _all_answered(app: ASGIApp, scopes: Sequence[Scope]) -> list[int]:
    return await asyncio.gather(*(_answered(app, scope) for scope in scopes))


@pytest.mark.parametrize("kind", _BODIES)
def test_whatever_comes_is_stored_or_refused(database: str, kind: str, soak: bool) -> None:
    examples = SOAKING if soak else EXAMPLES
    statuses: Counter[int] = Counter()
    with receiver_here(database, highlevel_public_keys=SIGNER.public_keys) as receiver:

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(_requests(_BODIES[kind]))
        def come(scopes: list[Scope]) -> None:
            found = receiver.do(_all_answered(receiver.app, scopes))
            assert set(found) <= {200, 400, 401, 404, 405, 413, 415}, found
            statuses.update(found)

        come()
    assert statuses.total() >= examples * CALLS
    assert statuses[401] > 0
    # What was let in is there, each once; equal bodies without an id are one event.
    kept = stored(database)
    assert len(kept) == len(set(kept))
    assert len(kept) <= statuses[200]
    assert kept or kind not in {"events", "json"}


def test_a_real_receiver_survives_whatever_comes_by_the_wire_and_does_not_grow(
    database: str, redis_url: str, tmp_path: Path, soak: bool
) -> None:
    env = {
        "SYNCLINE_DATABASE_URL": database,
        "SYNCLINE_REDIS_URL": redis_url,
        "SYNCLINE_HIGHLEVEL_PUBLIC_KEYS": SIGNER.public_keys,
        "SYNCLINE_RECEIVER_PATIENCE": "0.3",
    }
    chance = random.Random(10)
    with receiver_process(tmp_path / "data", env) as receiver, ThreadPoolExecutor(20) as senders:
        process = psutil.Process(receiver.process.pid)
        for spoilt in _SPOILT:  # each once before memory is measured
            receiver.raw(spoilt, seconds=1)
        before = process.memory_info().rss
        sent = [_spoil(chance) for _ in range(600 if soak else 200)]
        answers = list(senders.map(lambda one: receiver.raw(one, seconds=2), sent))
        for _ in range(10):
            receiver.post(b"[" * MEGABYTE, SIGNER.modern(b"[" * MEGABYTE))
        assert receiver.process.poll() is None, receiver.log.read_text()
        assert process.memory_info().rss - before < MOST_GROWTH
        found = Counter(int(status) for answer in answers for status in _STATUS.findall(answer))
        assert set(found) <= {100, 200, 400, 401, 404, 405, 408, 413, 415, 429, 431}
        assert {200, 400, 401, 408} <= set(found)
        assert "Traceback" not in receiver.log.read_text()
        body = event()
        assert receiver.post(body, SIGNER.modern(body)).status_code == 200


_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")


def _request() -> bytes:
    body = event()
    return (
        b"POST /webhooks/highlevel HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        b"x-ghl-signature: %s\r\ncontent-length: %d\r\n\r\n%s"
        % (SIGNER.modern(body)["x-ghl-signature"].encode(), len(body), body)
    )


_HEAD = b"POST /webhooks/highlevel HTTP/1.1\r\nhost: x\r\n"
_SPOILT = [
    b"",
    b"\r\n" * 100,
    b"GET / HTTP/9.9\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    b"POST http://[::1 HTTP/1.1\r\nhost: x\r\n\r\n",
    b"POST /\xc3\xbc HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    b"POST /%00%ff%zz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n",
    _HEAD + b"content-length: -1\r\n\r\n",
    _HEAD + b"content-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
    _HEAD + b"content-length: " + b"9" * 40 + b"\r\n\r\n",
    _HEAD + b"transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\nabcd",
    _HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    _HEAD + b"transfer-encoding: chunked\r\n\r\nffffffffffffffff1\r\n",
    _HEAD + b"transfer-encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 50_000,
    _HEAD + b"transfer-encoding: chunked\r\n\r\n0\r\n" + b"x: y\r\n" * 50_000,
    _HEAD + b"expect: 100-continue\r\ncontent-length: 10\r\n\r\n",
    _HEAD + b"x: \x00\r\n\r\n",
    _HEAD + b"no colon\r\n\r\n",
    _HEAD + b" folded: x\r\n\r\n",
]


def _spoil(chance: random.Random) -> bytes:
    """A request that is whole, or one with something wrong in it."""
    kind = chance.randrange(6)
    if kind == 0:
        return chance.choice(_SPOILT)
    whole = bytearray(_request())
    if kind == 1:
        return bytes(whole)
    if kind == 2:
        return bytes(whole[: chance.randrange(len(whole))])
    at = chance.randrange(len(whole))
    if kind == 3:
        whole[at] ^= chance.randrange(1, 256)
    elif kind == 4:
        whole[at:at] = chance.randbytes(chance.randrange(1, 20))
    else:
        del whole[at : at + chance.randrange(1, 20)]
    return bytes(whole)
