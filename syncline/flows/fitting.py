"""Texts that are longer than Halo's columns: cut where the column ends, kept whole in a note.

They are cut before anything is compared, so that what is wanted is what Halo can hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncline.errors import Unmappable
from syncline.halo.entities.columns import COLUMNS, IDENTITIES, LINK

_MARK = "…"
_LINK = "new_external_link"


def fitted(
    resource: str, body: Mapping[str, Any], at_create: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What every write carries and what a create carries besides, with texts that Halo can hold.

    What was cut stands whole in the row's note: behind what the mapping writes there, else only in
    the note of a new row, so that no note of a person is overwritten.

    Raises:
        Unmappable: a text by which the row is found again is too long.
    """
    columns = COLUMNS[resource]
    whole: list[str] = []
    kept = _cut(body, columns.own, whole)
    besides = _cut(at_create, columns.own, whole)
    if isinstance(kept.get("lines"), list):
        kept["lines"] = [
            _cut(line, columns.lines, whole, f"line {place} ")
            for place, line in enumerate(kept["lines"], 1)
        ]
    if isinstance(besides.get(_LINK), Mapping):
        besides[_LINK] = _cut(besides[_LINK], LINK, [])
    if whole and columns.note:
        into = kept if columns.note in kept else besides
        said = str(into.get(columns.note) or "")
        into[columns.note] = "\n\n".join(filter(None, [said, *whole]))
    return kept, besides


def told_apart(resource: str, field: str, text: str, by: str) -> str:
    """A text with what tells it apart behind it, which is not cut: the text before it is."""
    most = COLUMNS[resource].own[field]
    return f"{cut(text, max(most - units(by), units(_MARK)))}{by}"


def units(text: str) -> int:
    """The length of a text as SQL Server counts it: in UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, most: int) -> str:
    """A text of at most so many units, with a mark at its end where it is not whole."""
    if units(text) <= most:
        return text
    kept, left = [], most - units(_MARK)
    for character in text:
        left -= units(character)
        if left < 0:
            break
        kept.append(character)
    return "".join(kept).rstrip() + _MARK


def _cut(
    row: Mapping[str, Any], lengths: Mapping[str, int], whole: list[str], of: str = ""
) -> dict[str, Any]:
    found = dict(row)
    for name, most in lengths.items():
        text = found.get(name)
        if not isinstance(text, str) or units(text) <= most:
            continue
        if name in IDENTITIES:
            raise Unmappable(
                f"{name} has {units(text)} characters, and Halo holds {most}.",
                field=name,
                remedy="Correct it where the record was made: it is too long. Then retry.",
            )
        found[name] = cut(text, most)
        whole.append(f"{of}{name}: {text}")
    return found
