"""Fingerprints: whether two readings of a record differ, told from 32 bytes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any

from syncline.jsontext import canonical

VOLATILE = frozenset({"traceId"})
"""Keys that change from answer to answer and mean nothing. Source: HighLevel responses."""


def fingerprint(document: Mapping[str, Any], volatile: Collection[str] = VOLATILE) -> bytes:
    """SHA-256 over the canonical JSON of a record's top level without its volatile keys."""
    if any(key in document for key in volatile):
        document = {key: value for key, value in document.items() if key not in volatile}
    return sha256(canonical(document)).digest()
