"""Finds secrets in what a process wrote, said or sent, however they are written there."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from urllib.parse import quote

_SHORTEST = 12
"""Characters; a shorter text would be found by chance."""


def leaked(secrets: Iterable[str], texts: Iterable[str]) -> list[str]:
    """The secrets that stand in a text, whole or half, plain or in a common encoding."""
    everything = "\n".join(texts)
    folded = everything.lower()
    return sorted(
        {
            secret
            for secret in secrets
            for piece in _pieces(secret)
            if any(form in everything for form in _exact(piece)) or _hex(piece) in folded
        }
    )


def _pieces(secret: str) -> Iterator[str]:
    """The whole, and its second half: a text may be cut, and tokens of a kind begin alike."""
    assert len(secret) >= _SHORTEST, "too short to be told from other text"
    yield secret
    if len(secret) >= 2 * _SHORTEST:
        yield secret[len(secret) // 2 :]


def _exact(piece: str) -> Iterator[str]:
    yield piece
    yield quote(piece, safe="")
    yield json.dumps(piece)[1:-1]
    yield piece[::-1]
    for encoded in _within_base64(piece.encode()):
        yield encoded
        yield encoded.replace("+", "-").replace("/", "_")
        # A message's body is base64 already, and so is a header for Basic authentication in it.
        yield from _within_base64(encoded.encode())


def _within_base64(piece: bytes) -> Iterator[str]:
    """How it looks within longer data: at each of three offsets, without what its neighbours do."""
    for offset in range(3):
        encoded = b64encode(b"\0" * offset + piece).decode().rstrip("=")
        first = -(-offset * 8 // 6)
        last = (offset + len(piece)) * 8 // 6
        yield encoded[first:last]


def _hex(piece: str) -> str:
    return piece.encode().hex()
