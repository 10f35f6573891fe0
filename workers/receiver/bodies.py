"""Whether the body of a webhook is JSON that can be read later, without reading it now."""

from __future__ import annotations

import json
import re

import msgspec

DEEPEST = 64
"""Objects and arrays inside each other; orders have six."""

_OPENING = (b"[", b"{")
# Possessive, and content with a string that does not end: nothing is looked at twice.
_NO_BRACKET = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[^][{}"]++', re.DOTALL)
_syntax = msgspec.json.Decoder(msgspec.Raw)


def is_json(body: bytes) -> bool:
    """Whether the bytes are one JSON document in UTF-8, not deeper than DEEPEST."""
    if not _is_flat(body):
        return False
    try:
        text = body.decode()
        _syntax.decode(body)
    except UnicodeDecodeError:
        return False
    except msgspec.DecodeError:
        return _is_lenient_json(text)
    return True


def _is_lenient_json(text: str) -> bool:
    r"""Whether it is JSON with half a character in it: `\ud83d`, as JavaScript writes a cut emoji.

    msgspec refuses that; whoever sent it cannot send it any better.
    """
    try:
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_no_constant)
    except ValueError:
        return False
    return True


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _is_flat(body: bytes) -> bool:
    """Counted, not recursed into: a deep document must not cost more than a flat one."""
    if sum(body.count(bracket) for bracket in _OPENING) <= DEEPEST:
        return True
    depth = 0
    for bracket in _NO_BRACKET.sub(b"", body):
        depth += 1 if bracket in b"[{" else -1
        if depth > DEEPEST:
            return False
    return True
