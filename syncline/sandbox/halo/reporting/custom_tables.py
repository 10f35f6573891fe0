"""Custom tables of the emulated Halo, and their rows, which a report may read.

Source: schema CustomTable; seen live by others: a name is letters and digits, `db_name` is made by
Halo and must not come back, rows go in by `_add_rows` with `column_1` and so on, a row that is
posted with the guid of another takes its place, and rows go with their table. How rows are read
back is an open question: here a report reads them under `db_name`, where the tenant lets it.
"""

from __future__ import annotations

import re
import sqlite3

from syncline.sandbox.halo.resources.fields import fields, plain
from syncline.sandbox.halo.tenant.store import HaloStore, Row
from syncline.sandbox.halo.tenant.tenant import RefusalError, Tenant

TABLE = fields(
    integers="id columns linkto_table_id data_entry_type primary_field_1 primary_field_2 "
    "customextratableid customtable_orderby access_control_level",
    texts="guid name db_name note import_folder",
    flags="clear_on_close can_load_data _isimport",
    lists="customfields add_customfields access_control _add_rows",
)
DETAILS = frozenset({"customfields", "access_control"})
"""What a list does not show."""

_NAME = re.compile(r"[A-Za-z0-9]+")


def check_table(tenant: Tenant, posted: Row) -> None:
    """Refuse a name that is none or is taken, a database name that comes back, rows of no table.

    Raises:
        RefusalError: 404 or 400 with the rule's text.
    """
    standing = _standing(tenant, posted)
    if posted.get("id") and standing is None:
        raise RefusalError(404, {"Message": f"CustomTable {posted['id']} was not found."})
    name = {**(standing or {}), **posted}.get("name") or ""
    if not _NAME.fullmatch(name) or (standing and posted.get("db_name")):
        raise RefusalError(400, {"ClassName": "System.Exception", "Message": "Invalid Name"})
    for other in tenant.store.custom_tables.values():
        if other is not standing and other["name"].casefold() == name.casefold():
            raise RefusalError(400, {"Message": "Name must be unique"})


def save_table(tenant: Tenant, posted: Row) -> Row:
    """Create or update a table, and put its rows in."""
    store = tenant.store
    standing = _standing(tenant, posted)
    row_id = standing["id"] if standing else store.next_id("CustomTable")
    made: Row = {"guid": tenant.store.new_guid(), "columns": 1, "note": "", **(standing or {})}
    row = {**made, **plain({key: value for key, value in posted.items() if value is not None})}
    row |= {"id": row_id, "db_name": f"CT{row['name']}"}
    store.custom_tables[row_id] = row
    known = [f"column_{number}" for number in range(1, row["columns"] + 1)]
    rows = store.custom_rows.setdefault(row_id, [])
    rows += [
        {name: None if one.get(name) is None else str(one[name]) for name in known}
        for one in posted.get("_add_rows") or []
    ]
    return row


def removed_table(tenant: Tenant, row: Row) -> None:
    """The rows go with their table."""
    tenant.store.custom_rows.pop(row["id"], None)


def offered(tenant: Tenant) -> bool:
    """Whether the tenant's application may use custom tables at all."""
    return tenant.profile.custom_tables


Shown = dict[str, tuple[int, int]]
"""Name of a table that reports read → the custom table's number, and how many rows it shows."""


def show_to_reports(store: HaloStore, database: sqlite3.Connection, shown: Shown) -> None:
    """Bring the tables that reports read in step with the custom tables.

    Args:
        store: what the tenant holds.
        database: that of the reports.
        shown: what it showed so far; kept by the caller.
    """
    wanted = {row["db_name"]: row for row in store.custom_tables.values()}
    for name in [one for one in shown if one not in wanted]:
        database.execute(f'DROP TABLE "{name}"')
        del shown[name]
    for name, table in wanted.items():
        rows = store.custom_rows.get(table["id"], [])
        if shown.get(name) == (table["id"], len(rows)):
            continue
        columns = [f"column_{number}" for number in range(1, table["columns"] + 1)]
        database.execute(f'DROP TABLE IF EXISTS "{name}"')
        database.execute(f'CREATE TABLE "{name}" ({", ".join(columns)})')
        marks = ", ".join("?" * len(columns))
        database.executemany(
            f'INSERT INTO "{name}" VALUES ({marks})',  # noqa: S608
            [tuple(row.get(column) for column in columns) for row in rows],
        )
        shown[name] = (table["id"], len(rows))


def _standing(tenant: Tenant, posted: Row) -> Row | None:
    """The table that a write goes to, by its number or by its guid."""
    tables = tenant.store.custom_tables
    if posted.get("id"):
        return tables.get(posted["id"])
    guid = (posted.get("guid") or "").lower()
    return next((row for row in tables.values() if guid and row["guid"] == guid), None)
