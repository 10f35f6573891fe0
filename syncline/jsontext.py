"""JSON as syncline reads and writes it: fractions are Decimal, never binary floats.

`canonical` gives one byte sequence for equal documents, whatever the order of their keys; it is
what fingerprints are taken of.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from syncline.errors import Unreadable

_HIGH, _LOW = r"\\u[dD][89abAB][0-9a-fA-F]{2}", r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = re.compile(rf"{_HIGH}{_LOW}|(?P<half>{_HIGH}|{_LOW})|\\.", re.DOTALL)
"""Every escape from left to right, so that none begins in the middle of another."""

_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")
_canonical = msgspec.json.Encoder(decimal_format="number", order="deterministic")


def loads(text: bytes | str) -> Any:
    """Parse JSON; numbers with a fraction or exponent become Decimal.

    Half a character, as JavaScript writes a cut-off emoji, becomes U+FFFD.

    Raises:
        Unreadable: if the text is not JSON, or holds a number that no Decimal can.
    """
    try:
        return _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        whole = _without_halves(text)
        if whole is not None:
            return loads(whole)
        raise Unreadable(
            f"not JSON: {error}", remedy="Look at the call's answer in its log."
        ) from None
    except InvalidOperation:
        raise Unreadable(
            "a number in it is larger than any", remedy="Look at the call's answer in its log."
        ) from None


def _without_halves(text: bytes | str) -> str | None:
    """The text with U+FFFD for each escape of half a character; None where there is none."""
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError:
            return None
    whole = _ESCAPE.sub(lambda found: r"\ufffd" if found["half"] else found[0], text)
    return None if whole == text else whole


def dumps(document: Any) -> bytes:
    """Compact UTF-8 JSON; a Decimal is written as a number with its digits unchanged."""
    return _encoder.encode(document)


def canonical(document: Any) -> bytes:
    """Compact UTF-8 JSON with sorted keys: equal documents give equal bytes."""
    return _canonical.encode(document)


def without_nul(value: Any) -> Any:
    """The same document with U+FFFD in place of NUL characters, which jsonb cannot hold."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd") if "\x00" in value else value
    if isinstance(value, dict):
        return {without_nul(key): without_nul(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_nul(item) for item in value]
    return value
