"""A table of our own in Halo's database, in which reports may read what only the ledger knows.

Seen live by others: names are letters and digits,
`db_name` is made by Halo and must not be sent back, rows go in by `_add_rows`, under `column_1` and
so on. That reports read the rows under `db_name` is a guess, which is tried out before it is used.
No way to take single rows out is known: only the table goes, with all of them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from syncline.errors import Unreadable

LONGEST_CELL = 250
"""Characters of a cell; what a column takes is not published."""

_NO_NAME = re.compile(r"[^A-Za-z0-9]")
_DB_NAME = re.compile(r"[A-Za-z_]\w{0,127}")


def table_name(prefix: str, name: str) -> str:
    """A name that Halo takes: letters and digits only, and another one for every other name."""
    plain = _NO_NAME.sub("", name)
    told_apart = "" if plain[:30] == name else hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{prefix}{plain[:30]}{told_apart}"


def table_body(name: str, note: str, columns: int) -> dict[str, Any]:
    """What makes a table of so many columns."""
    return {"name": name, "note": note, "columns": columns}


def rows_body(table_id: int, rows: Sequence[Sequence[str]]) -> dict[str, Any]:
    """What puts rows into a table, each with its cells in the order of the columns."""
    return {"id": table_id, "_add_rows": [_row(cells) for cells in rows]}


def db_name_of(row: Mapping[str, Any]) -> str:
    """Under which name reports read a table.

    Raises:
        Unreadable: Halo does not say, or says what is no name and does not go into SQL.
    """
    name = str(row.get("db_name") or "")
    if not _DB_NAME.fullmatch(name):
        raise Unreadable(f"Halo calls the custom table {name!r}, which is no name of a table.")
    return name


def _row(cells: Sequence[str]) -> dict[str, str]:
    return {f"column_{at}": cell[:LONGEST_CELL] for at, cell in enumerate(cells, 1)}
