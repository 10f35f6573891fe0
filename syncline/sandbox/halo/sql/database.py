"""Ad-hoc SQL over the tenant's rows: T-SQL in, run on SQLite, strings out.

An error never is an HTTP error: it comes back as the report's `load_error`.
"""

from __future__ import annotations

import sqlite3
from collections import ChainMap, defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from syncline.sandbox.halo.reporting.custom_tables import Shown, show_to_reports
from syncline.sandbox.halo.sql.dialect import (
    SqlError,
    date_add,
    date_part,
    day,
    normal_time,
    translate,
)
from syncline.sandbox.halo.sql.tables import TABLES, Table
from syncline.sandbox.halo.tenant.catalogue import CURRENCIES
from syncline.sandbox.halo.tenant.store import HaloStore, Row, stamp

ROW_CAP = 50_000

_ENTITY_ROWS: dict[str, Callable[[HaloStore], Mapping[int, Row]]] = {
    "SalesOrder": lambda store: store.orders,
    "Consignment": lambda store: store.consignments,
    "Client": lambda store: store.clients,
    "Site": lambda store: store.sites,
    "Users": lambda store: store.users,
    "ExternalLink": lambda store: store.links,
    "Invoice": lambda store: store.invoices,
    "RecurringInvoice": lambda store: store.recurring_invoices,
    "InvoicePayment": lambda store: store.payments,
    "Tickets": lambda store: ChainMap(store.tickets, store.deleted_tickets),
    "Actions": lambda store: store.actions,
    "IntegrationError": lambda store: store.integration_errors,
}
_AFFINITY = {"INT": "INTEGER", "BIGINT": "INTEGER", "BIT": "INTEGER", "FLOAT": "REAL",
             "DECIMAL": "NUMERIC"}  # fmt: skip


class Reports:
    """The reports' database of one store, kept in step with its rows."""

    def __init__(
        self, store: HaloStore, now: Callable[[], datetime], *, shows_custom_tables: bool = True
    ) -> None:
        self._store = store
        self._shows_custom_tables = shows_custom_tables
        self._custom_tables: Shown = {}
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        self._database.create_function("halo_now", 0, lambda: stamp(now()))
        self._database.create_function("halo_time", 1, normal_time)
        self._database.create_function("halo_day", 1, day)
        self._database.create_function("halo_part", 2, date_part)
        self._database.create_function("halo_add", 3, date_add)
        for table in TABLES:
            self._create(table)
        self._write("CURRENCY", CURRENCIES.values())
        for entity, rows in _ENTITY_ROWS.items():
            self._store.touched.update((entity, row_id) for row_id in rows(store))

    def run(self, sql: str) -> list[dict[str, str | None]]:
        """The rows of one SELECT, at most 50,000, every value as text.

        Raises:
            SqlError: if it is no single SELECT or does not run.
        """
        self._keep_step()
        if self._shows_custom_tables:
            show_to_reports(self._store, self._database, self._custom_tables)
        translated, lists = translate(sql)
        try:
            cursor = self._database.execute(translated, lists)
            rows = cursor.fetchmany(ROW_CAP)
        except sqlite3.Error as error:
            raise SqlError(_as_halo_says(str(error))) from None
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, map(_as_text, row), strict=True)) for row in rows]

    def _create(self, table: Table) -> None:
        key = table.key if table.of_lines else None
        columns = ", ".join(
            f'"{name}" {_AFFINITY.get(kind, "TEXT COLLATE NOCASE")}'
            + (" PRIMARY KEY" if name == table.key != key else "")
            for name, kind, _ in table.columns
        )
        self._database.execute(f'CREATE TABLE "{table.name}" ({columns})')
        for name in (*table.indexed, *((key,) if key else ())):
            self._database.execute(f'CREATE INDEX "ix_{name}" ON "{table.name}" ("{name}")')

    def _keep_step(self) -> None:
        """Write again the rows that were touched since the last report."""
        touched, self._store.touched = self._store.touched, set()
        by_entity: dict[str, list[int]] = defaultdict(list)
        for entity, row_id in touched:
            by_entity[entity].append(row_id)
        for table in TABLES:
            for entity in table.entities:
                self._rewrite(table, entity, by_entity[entity])

    def _rewrite(self, table: Table, entity: str, ids: list[int]) -> None:
        if not ids:
            return
        self._database.executemany(
            f'DELETE FROM "{table.name}" WHERE "{table.key}" = ?',  # noqa: S608
            [(row_id,) for row_id in ids],
        )
        rows = _ENTITY_ROWS[entity](self._store)
        present = (rows[row_id] for row_id in ids if row_id in rows)
        self._write(table.name, self._as_stored(table, entity, present))

    def _as_stored(self, table: Table, entity: str, rows: Iterator[Row]) -> Iterator[Row]:
        for row in rows:
            if table.of_lines:
                yield from row["lines"]
            else:
                yield {**row, "@updated": self._store.updated.get((entity, row["id"]))}

    def _write(self, name: str, rows: Any) -> None:
        table = next(table for table in TABLES if table.name == name)
        marks = ", ".join("?" * len(table.columns))
        self._database.executemany(
            f'INSERT INTO "{name}" VALUES ({marks})',  # noqa: S608
            [tuple(row.get(field) for _, _, field in table.columns) for row in rows],
        )


def _as_text(value: Any) -> str | None:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return None if value is None else str(value)


def _as_halo_says(text: str) -> str:
    problem, _, name = text.partition(": ")
    if problem == "no such table":
        return f"Invalid object name '{name}'."
    if problem == "no such column":
        return f"Invalid column name '{name}'."
    return f"Incorrect syntax: {text}."
