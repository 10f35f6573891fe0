"""JSON as syncline reads and writes it: fractions are Decimal, never binary floats.

What no column of PostgreSQL and no program of ours could hold is refused in the smallest value that
carries it: a number without end, what nests without end, half a character, NUL. That value becomes
a text, and whoever wants anything else of it says so; its neighbours are read as they are.

`canonical` gives one byte sequence for equal documents, whatever the order of their keys; it is
what fingerprints are taken of.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from syncline.errors import Unreadable

DEEPEST = 64
"""Objects and arrays inside each other that are read; an order has six."""

LONGEST_NUMBER = 100
"""Digits, and zeros before or behind them, of a number that is read as one."""

TOO_DEEP = "(nested too deep)"
"""Stands for what nests deeper."""

_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
# Possessive, and content with a string that does not end: nothing is looked at twice.
_BETWEEN_BRACKETS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[^][{}"]++', re.DOTALL)
_PIECE = re.compile(r'"(?:[^"\\]++|\\.)*+"|[][{}]|-?Infinity|NaN|-?[0-9][0-9.eE+-]*+', re.DOTALL)
_HIGH, _LOW = r"\\u[dD][89abAB][0-9a-fA-F]{2}", r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = re.compile(
    rf"{_HIGH}{_LOW}|(?P<half>{_HIGH}|{_LOW})|\\.|(?P<control>[\x00-\x1f])", re.DOTALL
)
"""Every escape from left to right, so that none begins in the middle of another."""


def _fraction(text: str) -> Decimal | str:
    """A number as Decimal; one that is longer than any that is meant stays the text that it was."""
    if len(text) <= LONGEST_NUMBER and "e" not in text and "E" not in text:
        return Decimal(text)
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    is_short = len(text) <= LONGEST_NUMBER and abs(number.adjusted()) <= LONGEST_NUMBER
    return number if is_short else text


_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=_fraction)
_encoder = msgspec.json.Encoder(decimal_format="number")
_canonical = msgspec.json.Encoder(decimal_format="number", order="deterministic")


def loads(text: bytes | str) -> Any:
    """Parse JSON; numbers with a fraction or exponent become Decimal.

    Half a character, as JavaScript writes a cut-off emoji, and NUL become U+FFFD. A number of more
    than `LONGEST_NUMBER` digits, NaN and what nests deeper than `DEEPEST` become texts.

    Raises:
        Unreadable: if the text is not JSON.
    """
    body = text if isinstance(text, bytes) else text.encode(errors="surrogatepass")
    try:
        document = _decoder.decode(body if is_flat(body) else _mended(body))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        try:
            document = _decoder.decode(_mended(body))
        except msgspec.DecodeError:
            raise Unreadable(
                f"not JSON: {error}", remedy="Look at the call's answer in its log."
            ) from None
    return without_nul(document) if rb"\u0000" in body else document


def is_flat(body: bytes) -> bool:
    """Whether nothing nests deeper than `DEEPEST`: counted, not recursed into.

    A deep document must not cost more than a flat one.
    """
    if len(body) <= 2 * DEEPEST:
        return True
    left = body.translate(None, _NO_BRACKETS)
    for deep in range(DEEPEST):
        fewer = left.replace(b"{}", b"").replace(b"[]", b"")
        if deep + len(fewer) < DEEPEST:
            return True
        if len(fewer) == len(left):
            break  # brackets in a text, or without their end
        left = fewer
    depth = 0
    for bracket in _BETWEEN_BRACKETS.sub(b"", body):
        depth += 1 if bracket in b"[{" else -1
        if depth > DEEPEST:
            return False
    return True


def _mended(body: bytes) -> str:
    """The text of a document with what cannot be read put as texts; of no document "".

    It takes ten times as long as reading does, so it is done only where that has failed.
    """
    text = body.decode(errors="replace").removeprefix("\ufeff")
    if not text.lstrip().startswith(("{", "[", '"')):
        return ""
    parts: list[str] = []
    depth = taken = 0
    for found in _PIECE.finditer(text):
        piece = found[0]
        if piece in "]}":
            depth -= 1
            if depth == DEEPEST:
                taken = found.end()
            continue
        opens = piece in "[{"
        depth += opens
        mended = _mended_piece(piece)
        if opens and depth == DEEPEST + 1:
            mended = f'"{TOO_DEEP}"'
        if mended != piece and (opens or depth <= DEEPEST):
            parts += [text[taken : found.start()], mended]
            taken = found.end()
    return "".join([*parts, text[taken:]])


def _mended_piece(piece: str) -> str:
    if piece.startswith('"'):
        return _ESCAPE.sub(_mended_escape, piece)
    if piece in "[{" or (len(piece) <= LONGEST_NUMBER and piece[-1].isdigit()):
        return piece
    return f'"{piece}"'


def _mended_escape(found: re.Match[str]) -> str:
    if found["half"] or found["control"] == "\x00":
        return r"\ufffd"
    return f"\\u{ord(found[0]):04x}" if found["control"] else found[0]


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
