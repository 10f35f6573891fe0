"""Erased from texts: what both sides, people and we ourselves said of a contact in words.

Of texts only what names the contact is taken out; the rest still says what was wrong.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection

from syncline import jsontext
from syncline.ledger.database import text

TAKEN = "[erased]"
"""What stands in place of a word that named the contact."""

_TELLING = re.compile(r"(?=.*[\s@\d]).{5,}", re.DOTALL)
"""What is looked for: a name of one word may be any word, and the key of a JSON object too."""

_TEXTS: Mapping[str, tuple[str, ...]] = {
    "delivery": ("reason",),
    "call": ("error",),
    "event": ("note",),
    "pull": ("note",),
    "reconciliation": ("note",),
    "connection": ("note",),
    "alert": ("title", "detail"),
    "alert_message": ("title", "body", "error"),
    "discrepancy": ("ours", "theirs", "delivered", "note"),
}
"""Table → its columns that may say something of a contact."""

_JSON = frozenset({"detail"})


def pattern_of(forms: Iterable[Mapping[str, Any]], emails: Collection[str]) -> str | None:
    """A regular expression, for PostgreSQL and Python, of what names a contact in texts.

    Args:
        forms: the contact as records hold it: everything but its id is looked for.
        emails: its normalised addresses.

    Returns:
        None where nothing is known that could be looked for.
    """
    said = {str(value).strip() for one in forms for name, value in one.items() if name != "id"}
    words = {word for word in {*said, *emails} if _TELLING.fullmatch(word)}
    # In JSON a quote stands behind a backslash.
    words |= {jsontext.dumps(word).decode()[1:-1] for word in words}
    # The longest first: a name may be part of an address.
    ordered = sorted(words, key=lambda word: (-len(word), word))
    return "|".join(re.escape(word) for word in ordered) or None


def redacted(value: Any, pattern: str) -> Any:
    """A JSON document without the words in any of its texts; keys and numbers stay."""
    if isinstance(value, str):
        return re.sub(pattern, TAKEN, value, flags=re.IGNORECASE)
    if isinstance(value, dict):
        return {name: redacted(item, pattern) for name, item in value.items()}
    if isinstance(value, list):
        return [redacted(item, pattern) for item in value]
    return value


def strip_texts(connection: Connection, pattern: str) -> None:
    """Take the words out of whatever says them."""
    for table, columns in _TEXTS.items():
        sets = ", ".join(f"{one} = {_without(one)}" for one in columns)
        says = " or ".join(f"cast({one} as text) ~* :pattern" for one in columns)
        connection.execute(
            text(f"update {table} set {sets} where {says}"),  # noqa: S608 - names of ours
            {"pattern": pattern, "taken": TAKEN},
        )


def _without(column: str) -> str:
    replaced = f"regexp_replace(cast({column} as text), :pattern, :taken, 'gi')"
    return f"cast({replaced} as jsonb)" if column in _JSON else replaced
