"""The part of `syncline status` about what was read: what of it was not, and what was left out."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType

from syncline.ingest.unfinished import UnfinishedWindow
from syncline.ledger.left_out import LeftOutField
from syncline.terminal.output import plain, table

_SIDES = {"highlevel": "HighLevel", "halo": "Halo"}
_COLUMNS = ("of", "field", "times#", "since (UTC)", "last (UTC)", "for example")
_MOST = 20
_UNDATED = (
    " Where createdAt is left out and no other reading tells it, the day of the first change that "
    "HighLevel tells stands for it; where it tells none, the record has no day."
)
_WINDOWS = ("of", "created", "since (UTC)", "tries#", "next (UTC)", "what happened")


def unfinished_table(found: Sequence[UnfinishedWindow]) -> list[RenderableType]:
    """A row for each window that comes to no end, the oldest first; nothing where there is none."""
    rows = [
        [
            *(f"{one.kind}s", one.days, f"{one.since:%Y-%m-%d %H:%M}", one.failures),
            *(f"{one.due_at:%H:%M:%S}", one.what),
        ]
        for one in found[:_MOST]
    ]
    if not rows:
        return []
    parts = [
        table("not read", _WINDOWS, rows),
        plain("They hold up no other days, and are tried again by themselves, ever more seldom."),
    ]
    more = len(found) - _MOST
    return parts if more <= 0 else [*parts, plain(f"{more} more windows: syncline status --json")]


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
        plain(
            "They held what they cannot mean; all else of these records is taken."
            + (_UNDATED if any(one.path == "createdAt" for one in found) else "")
        ),
    ]
    more = len(found) - _MOST
    return parts if more <= 0 else [*parts, plain(f"{more} more fields: syncline status --json")]
