"""SQL through a report: one call reads up to 50,000 rows of any table.

Source: POST /Report with `_loadreportonly`; needs the reporting permissions. A failure comes with
status 200 and a text in `load_error`, and every value comes as text.
"""

from __future__ import annotations

import unicodedata
from typing import Any

from syncline.errors import Rejected, Unmappable, Unreadable
from syncline.halo.answers import Effect, elements
from syncline.halo.client import HaloClient
from syncline.halo.entities.resources import REPORT
from syncline.transport import Permit

ROW_CAP = 50_000
"""Rows that Halo gives at most; a report that long may have been cut."""


def run_sql(client: HaloClient, permit: Permit, sql: str) -> list[dict[str, str]]:
    """The rows of one SELECT, every value as text, NULL as empty text.

    Raises:
        Rejected: Halo could not run it; the text is Halo's.
        Unreadable: the answer holds no report, or as many rows as Halo gives at most.
    """
    received = client.post(REPORT.path, [sql_element(sql)], permit, effect=Effect.READ)
    return report_rows(received.document)


def sql_element(sql: str) -> dict[str, Any]:
    """The element to post for a statement that is run and not kept.

    Source: as a public module posts it, which asks for the rows and not for a test of the SQL.
    """
    unnamed = {"id": 0, "name": "", "apiquery_id": 0}
    return {**unnamed, "sql": sql, "_testonly": False, "_loadreportonly": True}


def report_rows(document: Any) -> list[dict[str, str]]:
    """The rows in the answer to `sql_element`, which is an array of one or a bare object.

    Raises:
        Rejected: Halo could not run the statement.
        Unreadable: the answer holds no report, or as many rows as Halo gives at most.
    """
    found = elements(document)
    report = found[0].get("report") if len(found) == 1 else None
    if not isinstance(report, dict):
        raise Unreadable("The answer of POST /Report holds no report.")
    error = report.get("load_error")
    if error:
        raise Rejected(
            f"Halo could not run the report: {error}",
            text=str(error),
            field="sql",
            remedy="Another way to find the rows is used, if one was proved.",
        )
    rows = report.get("rows")
    if not report.get("loaded", True) or not isinstance(rows, list):
        raise Unreadable("The report of POST /Report was not loaded.")
    if len(rows) >= ROW_CAP:
        raise Unreadable(
            f"The report has {len(rows)} rows, which is where Halo cuts.",
            remedy="Ask for fewer at a time.",
        )
    return [{key: _text(value) for key, value in row.items()} for row in elements(rows)]


def quoted(text: str) -> str:
    """A T-SQL string literal that holds exactly this text.

    Raises:
        Unmappable: for control characters and unpaired surrogates, which no reference has.
    """
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise Unmappable(
            f"{text!r} has a control character and is not put into SQL.", field="reference"
        )
    return "N'" + text.replace("'", "''") + "'"


def _text(value: Any) -> str:
    return "" if value is None else str(value)
