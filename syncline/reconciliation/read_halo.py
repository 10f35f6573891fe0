"""What a reconciliation reads of Halo: what it holds now of our rows.

Reports where the tenant runs them; else lists and rows by id, at a small share of the tenant's
calls. What was read is kept page by page, so that a run goes on where it was cut.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from syncline.calls.calls import NoQuota
from syncline.calls.halo_queries import NO_REPORT
from syncline.errors import Unreadable
from syncline.flows import projections
from syncline.halo.entities.resources import AnyResource
from syncline.halo.models import whole
from syncline.halo.sql import readback
from syncline.halo.sql.readback import ListReading
from syncline.mapping.document import Document
from syncline.reconciliation import observed_rows, queries
from syncline.reconciliation.observed_rows import RowRead
from syncline.reconciliation.paced_calls import Reader
from syncline.reconciliation.queries import Run

SQL, LIST, BY_ID = "report", "list", "id"

_SHAPES: Mapping[str, tuple[projections.Shape, ...]] = {
    "order": (projections.ORDER,),
    "invoice": (projections.INVOICE, projections.CREDIT),
    "payment": (projections.PAYMENT,),
    "recurring": (projections.RECURRING,),
    "consignment": (),
}


def read_kind(
    reader: Reader, run: Run, kind: AnyResource, progress: dict[str, Any], floor: int
) -> None:
    """Read what Halo holds of a kind, from where an earlier reading ended.

    Args:
        reader: makes the calls.
        run: the run in this worker's hands.
        kind: which rows.
        progress: of the run; this kind's part of it is kept with every page.
        floor: the lowest id of ours.

    Raises:
        NoQuota: there is none for longer than a task may sleep.
        SynclineError: the rows cannot be read whole.
    """
    mine = progress["kinds"].setdefault(kind.name, {})
    if not mine.get("way"):
        mine["way"] = SQL if readback.is_reported(kind) and reader.reports else LIST
    if mine["way"] == SQL:
        try:
            _by_report(reader, run, kind, progress, floor)
        except NO_REPORT:
            if mine.get("after") is not None:
                raise
            mine["way"] = LIST
            _keep(reader, run, kind, progress, [])
    if mine["way"] == LIST:
        _by_list(reader, run, kind, progress, floor)


def read_ids(
    reader: Reader, run: Run, kind: AnyResource, progress: dict[str, Any], ids: Sequence[int]
) -> None:
    """Read these rows of a kind and no others, from where an earlier reading ended.

    Raises:
        SynclineError: a row cannot be read.
    """
    mine = progress["kinds"].setdefault(kind.name, {"at": 0})
    is_reported = readback.is_reported(kind) and reader.reports
    if is_reported and not mine["at"] and mine.get("way") != BY_ID:
        try:
            rows = readback.report_of(reader.ask, kind, ids, reader.digits)
        except NO_REPORT:
            rows = None
        if rows is not None:
            mine |= {"way": SQL, "at": len(ids), "done": True}
            _keep(reader, run, kind, progress, rows)
            return
    mine["way"] = BY_ID
    _keep(reader, run, kind, progress, [])
    for at in range(mine["at"], len(ids)):
        row = reader.row(kind, ids[at])
        mine["at"] = at + 1
        mine["done"] = at + 1 == len(ids)
        _keep(reader, run, kind, progress, [] if row is None else [row])


class RereadBudget:
    """How many rows may still be read one by one."""

    def __init__(self, left: int) -> None:
        self.left = left


def reread(
    reader: Reader,
    kind: AnyResource,
    progress: Mapping[str, Any],
    ids: Collection[int],
    allowed: RereadBudget,
) -> tuple[dict[int, dict[str, Any]], Collection[int]]:
    """Rows that seem to differ, read once more.

    Args:
        reader: makes the calls.
        kind: which rows.
        progress: how the kind was read.
        ids: of the rows.
        allowed: how many may be read by id, where there is no report; what is used is taken off.

    Returns:
        The rows that are there, by id, and the ids that were looked for.

    Raises:
        SynclineError: a row cannot be read.
    """
    if not ids:
        return {}, ()
    if progress.get("way") == SQL:
        try:
            rows = readback.report_of(reader.ask, kind, ids, reader.digits)
        except NO_REPORT:
            pass  # there was one, and is none now
        else:
            return {int(row["id"]): row for row in rows}, ids
    pages = int(progress.get("pages", 0))
    if 0 < pages < len(ids):
        return _walked(reader, kind, ids), ids
    some = sorted(ids)[: allowed.left]
    allowed.left -= len(some)
    read = {row_id: reader.row(kind, row_id) for row_id in some}
    return {row_id: row for row_id, row in read.items() if row is not None}, some


def _walked(reader: Reader, kind: AnyResource, ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """The list gone through once more: fewer calls than for each row by its id."""
    walk = ListReading(kind, min(ids), {}, ())
    found: dict[int, dict[str, Any]] = {}
    while (query := walk.pending()) is not None:
        reader.rest()
        rows = walk.take(reader.ask(query))
        some = [row for row in rows if int(row["id"]) in ids]
        found |= {int(row["id"]): row for row in _completed(reader, kind, some)}
    if not walk.whole:
        raise _not_whole(kind)
    return found


def _not_whole(kind: AnyResource) -> Unreadable:
    return Unreadable(
        f"Halo's list {kind.path} does not show all its rows.",
        remedy="Allow reports for our application, or run it while nobody changes rows.",
    )


def _by_report(
    reader: Reader, run: Run, kind: AnyResource, progress: dict[str, Any], floor: int
) -> None:
    mine = progress["kinds"][kind.name]
    after: int | None = mine.get("after", floor - 1)
    while not mine.get("done") and after is not None:
        rows, after = readback.report(reader.ask, kind, after, reader.digits)
        mine |= {"after": after, "done": after is None}
        _keep(reader, run, kind, progress, rows)


def _by_list(
    reader: Reader, run: Run, kind: AnyResource, progress: dict[str, Any], floor: int
) -> None:
    mine = progress["kinds"][kind.name]
    if mine.get("done"):
        return
    state = mine.get("list") or {}
    seen = reader.worker.ledger.run(
        lambda c: observed_rows.ids_of(c, run.id, kind.name) if state else []
    )
    walk = ListReading(kind, floor, state, seen)
    while (query := walk.pending()) is not None:
        reader.rest()
        rows = _completed(reader, kind, walk.take(reader.ask(query)))
        mine |= {"list": walk.state(), "pages": mine.get("pages", 0) + 1}
        _keep(reader, run, kind, progress, rows)
    if not walk.whole:
        raise _not_whole(kind)
    mine["done"] = True
    _keep(reader, run, kind, progress, [])


def _completed(
    reader: Reader, kind: AnyResource, rows: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Recurring invoices whose list does not say whether they bill are read by id."""
    if kind.name != "recurring":
        return list(rows)
    told = []
    for row in rows:
        is_told = "disabled" in row and row.get("total") is not None
        whole_row = row if is_told or not readback.reference_of(kind, row) else None
        told.append(whole_row or reader.row(kind, int(row["id"])) or row)
    return told


def _keep(
    reader: Reader,
    run: Run,
    kind: AnyResource,
    progress: dict[str, Any],
    rows: Sequence[dict[str, Any]],
) -> None:
    """Keep a page and how far the reading came, also by which way, in one transaction.

    Raises:
        NoQuota: the run has gone on to another worker.
    """
    mine = progress["kinds"][kind.name]
    mine["rows"] = mine.get("rows", 0) + len(rows)
    calls, reader.calls = reader.calls, 0
    progress["calls"] = progress.get("calls", 0) + calls

    def work(connection: Connection) -> None:
        money = _currencies_of_payments(connection, run, kind, rows)
        told = (_read(reader, kind, row, mine["way"], money) for row in rows)
        observed_rows.keep(connection, run.id, kind.name, told)
        owner = reader.worker.session()
        if not queries.advance(connection, run.id, owner, progress, calls):
            raise NoQuota("This reconciliation has gone on to another worker.")

    reader.worker.ledger.run(work)


def _currencies_of_payments(
    connection: Connection, run: Run, kind: AnyResource, rows: Sequence[Mapping[str, Any]]
) -> Mapping[int, str]:
    """Invoice → currency, for payments whose list does not tell it: a payment has no own one."""
    if kind.name != "payment" or not rows or "currency_code" in rows[0]:
        return {}
    ids = {one for row in rows if (one := whole(row.get("invoice_id"))) is not None}
    return observed_rows.currencies(connection, run.id, "invoice", ids)


def _read(
    reader: Reader, kind: AnyResource, row: Mapping[str, Any], way: str, money: Mapping[int, str]
) -> RowRead:
    row_id = int(row["id"])
    reference = readback.reference_of(kind, row)
    if not reference and way == LIST:
        return RowRead(row_id, "", "", None)
    code = whole(row.get("currency_code"))
    currency = reader.by_currency.get(code or 0, "")
    currency = currency or money.get(whole(row.get("invoice_id")) or 0, "")
    got = compared(reader.line.document, kind, row, currency, way)
    return RowRead(row_id, reference, currency, got)


def compared(
    document: Document, kind: AnyResource, row: Mapping[str, Any], currency: str, way: str
) -> dict[str, str]:
    """What is compared of a row of Halo; of lists' lines nothing, for their sums are compared."""
    got = _all_compared(document, kind, row, currency)
    if way == LIST:
        got = {name: text for name, text in got.items() if not name.startswith("line")}
    if way == SQL:
        got = {**dict.fromkeys(readback.numbers_of(kind), ""), **got}
    return got


def _all_compared(
    document: Document, kind: AnyResource, row: Mapping[str, Any], currency: str
) -> dict[str, str]:
    got: dict[str, str] = {}
    for shape in _SHAPES[kind.name]:
        got |= projections.projection(row, currency, document, shape)
    if is_voided(row):
        got[readback.VOIDED] = "yes"
    return got


def is_voided(row: Mapping[str, Any]) -> bool:
    """Whether an invoice is not in force any more."""
    return str(row.get(readback.VOIDED)).lower() in {"true", "1"}
