"""The entries of the audit log as they are sealed, checked and exported: one shape for all.

Two kinds: an effect or a decision stands in `audit_entry`, a change of a record in `change`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

Source = Literal["effect", "change"]
SOURCES: Final[tuple[Source, ...]] = ("effect", "change")

COLUMNS: Final[dict[Source, str]] = {
    "effect": "e.id, e.at, e.connection_id, e.flow, e.source_id, e.role, e.effect, e.target, "
    "e.target_id, e.version, e.call_id, e.cause, e.before, e.after",
    "change": "e.id, e.at, e.place, e.kind, e.foreign_id, e.version, e.fields, e.cause, "
    "e.fingerprint",
}
"""What is read of an entry, from a table called `e`."""

FROM: Final[dict[Source, str]] = {"effect": "from audit_entry e", "change": "from change e"}

SELECT: Final[dict[Source, str]] = {
    source: f"select {COLUMNS[source]} {FROM[source]}" for source in SOURCES
}
"""All entries of a source, to be followed by conditions."""

Entry = dict[str, Any]


def effect(row: Sequence[Any]) -> Entry:
    """An effect or decision, from COLUMNS."""
    return {
        "source": "effect",
        "id": row[0],
        "at": row[1],
        "connection": row[2],
        "flow": row[3],
        "record": row[4],
        "role": row[5],
        "effect": row[6],
        "target": row[7],
        "target_id": row[8],
        "version": row[9],
        "call": None if row[10] is None else str(row[10]),
        "cause": row[11],
        "before": row[12],
        "after": row[13],
    }


def change(row: Sequence[Any]) -> Entry:
    """A new version of a record, from COLUMNS."""
    return {
        "source": "change",
        "id": row[0],
        "at": row[1],
        "place": row[2],
        "kind": row[3],
        "record": row[4],
        "version": row[5],
        "fields": row[6],
        "cause": row[7],
        "fingerprint": None if row[8] is None else bytes(row[8]).hex(),
    }


READ: Final[dict[Source, Callable[[Sequence[Any]], Entry]]] = {
    "effect": effect,
    "change": change,
}


def chain_of(entry: Entry) -> str:
    """The chain that an entry belongs to."""
    if entry["source"] == "effect":
        return f"connection:{entry['connection']}"
    return str(entry["place"])


def source_of(chain: str) -> Source:
    """Which entries a chain holds."""
    return "effect" if chain.startswith("connection:") else "change"
