"""Texts that are longer than Halo's columns: cut where the column ends, kept whole in a note.

They are cut before anything is compared, so that what is wanted is what Halo can hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from syncline.errors import Unmappable
from syncline.flows.flow import Desired
from syncline.flows.texts.in_full import part_of, shown_in
from syncline.halo.entities.columns import COLUMNS, IDENTITIES, LINK

_MARK = "…"
_LINK = "new_external_link"

Project = Callable[[dict[str, Any]], dict[str, str]]
"""A body → what is compared of it."""


def fitted(
    resource: str,
    body: Mapping[str, Any],
    at_create: Mapping[str, Any],
    project: Project,
    *,
    ends: Mapping[str, str] | None = None,
) -> Desired:
    """What Halo shall hold, with texts that it can hold.

    What was cut stands whole in the row's note, in a part of it that is ours: behind what the
    mapping writes there, else behind what people write, which stays. Of a text that only a create
    carries the whole is written then, and is not touched again.

    Args:
        resource: what it is a row of.
        body: what every write carries.
        at_create: what a create carries besides.
        project: what is compared of a body.
        ends: field → the end of its text, which stays where the text is cut.

    Raises:
        Unmappable: a text by which the row is found again is too long, or one of a row that has no
            note to keep it in.
    """
    kept, texts = _cut(resource, body, ends or {})
    besides, once = _cut(resource, at_create, ends or {})
    note, part = COLUMNS[resource].note, part_of(texts)
    whole = [*once, part] if part else once
    if whole:
        into = kept if note in kept else besides
        into[note] = "\n\n".join(filter(None, [str(into.get(note) or ""), *whole]))
    projection = {**project(kept), **shown_in(part)}
    return Desired(kept, projection, besides, note=note, in_full=part)


def units(text: str) -> int:
    """The length of a text as SQL Server counts it: in UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, most: int, end: str = "") -> str:
    """A text of at most so many units, with a mark where it is not whole.

    Args:
        text: the whole.
        most: so many units.
        end: how the text ends; it is cut before that.
    """
    if units(text) <= most:
        return text
    kept, left = [], most - units(_MARK) - units(end)
    for character in text.removesuffix(end):
        left -= units(character)
        if left < 0:
            break
        kept.append(character)
    return "".join(kept).rstrip() + _MARK + end


def _cut(
    resource: str, row: Mapping[str, Any], ends: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """A row with texts that fit, and those that did not, each whole and with its name."""
    columns = COLUMNS[resource]
    whole: list[str] = []
    found = _fitting(row, columns.own, whole, ends=ends)
    if isinstance(found.get("lines"), list):
        found["lines"] = [
            _fitting(line, columns.lines, whole, of=f"line {place} ")
            for place, line in enumerate(found["lines"], 1)
        ]
    if whole and not columns.note:
        name, _, text = whole[0].partition(": ")
        raise Unmappable(
            f"{name} has {units(text)} characters, Halo holds {columns.own[name]}, and a "
            f"{resource} has no note to keep the whole in.",
            field=name,
            remedy="Set something shorter for it with the mapping, such as what the transform "
            "find takes out of it; then retry.",
        )
    if isinstance(found.get(_LINK), Mapping):
        found[_LINK] = _fitting(found[_LINK], LINK, [])  # it says what stands elsewhere too
    return found, whole


def _fitting(
    row: Mapping[str, Any],
    lengths: Mapping[str, int],
    whole: list[str],
    *,
    of: str = "",
    ends: Mapping[str, str] | None = None,
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
        found[name] = cut(text, most, (ends or {}).get(name, ""))
        whole.append(f"{of}{name}: {text}")
    return found
