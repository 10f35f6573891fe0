"""In which line of a mapping document something stands.

The TOML parser gives lines for broken syntax only; errors of meaning need this scan, which knows
headers, keys and multi-line strings and no more of TOML.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

Place = tuple[str | int, ...]

_HEADER = re.compile(r"\s*(\[\[?)([^\[\]]+)\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"""\s*("[^"]*"|'[^']*'|[\w-]+(?:\.[\w-]+)*)\s*=(.*)""")
_LONG_STRING = re.compile(r'"""|\'\'\'')


class Positions:
    """The 1-based line of every header and key of a document, by its place such as
    `("orders", "field", 0, "target")`.
    """  # noqa: D205

    def __init__(self, text: str) -> None:
        self._lines: dict[Place, int] = {}
        rows: Counter[Place] = Counter()
        table: Place = ()
        inside_string = False
        for number, line in enumerate(text.splitlines(), start=1):
            starts_inside = inside_string
            inside_string ^= len(_LONG_STRING.findall(line)) % 2 == 1
            if starts_inside:
                continue
            if header := _HEADER.fullmatch(line):
                table = _keys(header[2])
                if header[1] == "[[":
                    rows[table] += 1
                    table = (*table, rows[table] - 1)
                self._lines.setdefault(table, number)
            elif key := _KEY.fullmatch(line):
                self._lines.setdefault((*table, *_keys(key[1])), number)

    def line(self, place: Sequence[str | int]) -> int | None:
        """The line of a place, or of the nearest thing around it."""
        for length in range(len(place), 0, -1):
            if found := self._lines.get(tuple(place[:length])):
                return found
        return None


def _keys(dotted: str) -> Place:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))
