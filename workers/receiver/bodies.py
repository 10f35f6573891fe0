"""Whether the body of a webhook is JSON that can be read later, without reading it now."""

from __future__ import annotations

import json

import msgspec

from syncline.jsontext import is_flat

_syntax = msgspec.json.Decoder(msgspec.Raw)


def is_json(body: bytes) -> bool:
    """Whether the bytes are one JSON document in UTF-8, not too deep."""
    if not is_flat(body):
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
