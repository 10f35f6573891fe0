"""The part of a note that keeps in full what its row's columns are too short for.

It stands between two lines of ours, so that it can be told apart from what people write around it,
and each update puts its texts in the place of the ones before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from typing import Any, Final

KEY: Final = "texts_in_full"
"""What it is called among what is compared of a row."""

_BEGIN: Final = "[Texts in full, kept by syncline]"
_END: Final = "[End of texts in full]"
_PART: Final = re.compile(f"{re.escape(_BEGIN)}(.*?){re.escape(_END)}", re.DOTALL)
_TAG: Final = re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE)


def part_of(texts: Sequence[str]) -> str:
    """The part that keeps these texts; nothing for none."""
    if not texts:
        return ""
    told = "\n\n".join(texts)
    for mark in (_BEGIN, _END):
        told = told.replace(mark, mark.strip("[]"))
    return f"{_BEGIN}\n{told}\n{_END}"


def put_into(note: str, part: str) -> str:
    """A note with this part in the place of an earlier one, or behind all else.

    Args:
        note: as it stands.
        part: as `part_of` gave it; "" takes an earlier one out.
    """
    before = _PART.search(note)
    if before is None:
        return "\n\n".join(filter(None, [note.rstrip(), part])) if part else note
    behind = _PART.sub("", note[before.end() :])
    pieces = (note[: before.start()].rstrip(), part, behind.strip())
    return "\n\n".join(filter(None, pieces))


def shown_in(note: Any) -> dict[str, str]:
    """What a note keeps in full, as it is compared; nothing where it has no such part.

    A person may take the part out of a note, and a tenant may show a note as HTML: neither makes
    the row another one than was wanted.
    """
    found = _PART.search(note) if isinstance(note, str) else None
    return {} if found is None else {KEY: _normal(found[1])}


def _normal(text: str) -> str:
    return " ".join(unescape(_TAG.sub(" ", text)).split())
