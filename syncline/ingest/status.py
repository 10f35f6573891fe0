"""The part of `syncline status` about what was read: fields that were left out of it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType

from syncline.ledger.left_out import LeftOutField
from syncline.terminal.output import plain, table

_SIDES = {"highlevel": "HighLevel", "halo": "Halo"}
_COLUMNS = ("of", "field", "times#", "since (UTC)", "last (UTC)", "for example")
_MOST = 20


def left_out_table(found: Sequence[LeftOutField]) -> list[RenderableType]:
    """A row for each field, the latest first; nothing where none was left out."""
    if not found:
        return []
    rows = [
        [
            *(f"{_SIDES[one.side]}'s {one.kind}s", one.path, one.count),
            *(f"{at:%Y-%m-%d %H:%M}" for at in (one.first_at, one.last_at)),
            one.example,
        ]
        for one in found[:_MOST]
    ]
    parts = [
        table("fields left out", _COLUMNS, rows),
        plain("They held what they cannot mean; all else of these records is in line."),
    ]
    more = len(found) - _MOST
    return parts if more <= 0 else [*parts, plain(f"{more} more fields: syncline status --json")]
