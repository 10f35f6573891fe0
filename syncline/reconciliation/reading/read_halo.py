"""What a reconciliation reads of Halo: what it holds now of our rows.

Reports where the tenant runs them; else lists and rows by id, at a small share of the tenant's
calls. What was read is kept page by page, so that a run goes on where it was cut.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection

from syncline.calls.calls import NoQuota
from syncline.calls.halo_queries import NO_REPORT
from syncline.errors import Unreadable
from syncline.flows import projections
from syncline.halo.entities.resources import AnyResource
from syncline.halo.models import number, whole
from syncline.halo.sql import readback
from syncline.halo.sql.readback import ListReading
from syncline.mapping.document import Document
from syncline.reconciliation import compare_records, queries
from syncline.reconciliation.compare_records import UnshownFields
from syncline.reconciliation.compare_rows import Scope
from syncline.reconciliation.queries import Run
from syncline.reconciliation.reading import observed_rows, voiding
from syncline.reconciliation.reading.observed_rows import RowRead
from syncline.reconciliation.reading.paced_calls import Reader

SQL, LIST, BY_ID = "report", "list", "id"

MOST_COMPLETED = 1_000
"""Rows of a kind that a run reads by id, since their list does not show all that is compared."""

_SHAPES: Mapping[str, tuple[projections.Shape, ...]] = {
    "order": (projections.ORDER,),
    "invoice": (projections.INVOICE, projections.CREDIT),
    "payment": (projections.PAYMENT,),
    "recurring": (projections.RECURRING,),
    "consignment": (),
}
_AMOUNTS = frozenset(name for shapes in _SHAPES.values() for one in shapes for name in one.amounts)
_FLAGS = frozenset({*projections.RECURRING.flags, readback.VOIDED})


def read_kind(
    reader: Reader,
    scope: Scope,
    kind: AnyResource,
    targets: Collection[str],
    progress: dict[str, Any],
    floor: int,
) -> None:
    """Read what Halo holds of a kind, from where an earlier reading ended.

    Where reports are gone in the middle of it, the kind is read from the start by its list.

    Args:
        reader: makes the calls.
        scope: the run in this worker's hands, and what it compares.
        kind: which rows.
        targets: whose rows are of this kind.
        progress: of the run; this kind's part of it is kept with every page.
        floor: the lowest id of ours.

    Raises:
        NoQuota: there is none for longer than a task may sleep.
        SynclineError: the rows cannot be read whole.
    """
    run = scope.run
    mine = progress["kinds"].setdefault(kind.name, {})
    floor = mine.setdefault("floor", floor)
    if not mine.get("way"):
        mine["way"] = SQL if readback.is_reported(kind) and reader.reports else LIST
    if mine["way"] == SQL:
        try:
            _by_report(reader, run, kind, progress, floor)
        except NO_REPORT:
            progress["kinds"][kind.name] = {"way": LIST, "floor": floor}
            _keep(reader, run, kind, progress, [], anew=True)
    if progress["kinds"][kind.name]["way"] == LIST:
        _by_list(reader, run, kind, progress, floor)
        _complete(reader, scope, kind, targets, progress)


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
    _one_by_one(reader, run, kind, progress, ids)


def _one_by_one(
    reader: Reader, run: Run, kind: AnyResource, progress: dict[str, Any], ids: Sequence[int]
) -> None:
    mine = progress["kinds"][kind.name]
    reader.remember(kind, mine.get("showed"))
    for at in range(mine["at"], len(ids)):
        found = reader.row(kind, ids[at])
        mine |= {"at": at + 1, "showed": reader.showed.get(kind.name)}
        mine["done"] = at + 1 == len(ids)
        voiding.note(kind, mine, found.row)
        kept = [] if found.row is None else [found.row]
        gone = [ids[at]] if found.is_shown and not kept else []
        _keep(reader, run, kind, progress, kept, way=BY_ID, gone=gone)


def _complete(
    reader: Reader,
    scope: Scope,
    kind: AnyResource,
    targets: Collection[str],
    progress: dict[str, Any],
) -> None:
    """Read by id what the list does not show whole: as many rows as a run may."""
    mine = progress["kinds"][kind.name]
    if "incomplete" not in mine:
        hidden = voiding.are_hidden(reader, kind)
        found = [_unshown(reader, scope, one, MOST_COMPLETED, hidden=hidden) for one in targets]
        rows = [row for one in found for row in one.rows][:MOST_COMPLETED]
        if hidden:
            rows = list(dict.fromkeys([*rows, *voiding.drawn(reader, scope, targets)]))
        ours = sum(len(one.deliveries) for one in found)
        nameless = reader.worker.ledger.run(
            lambda c: observed_rows.nameless(c, scope.run.id, kind.name) if ours else 0
        )
        mine |= {"incomplete": rows, "nameless": max(nameless - ours, 0), "at": 0, "done": not rows}
        _keep(reader, scope.run, kind, progress, [])
    _one_by_one(reader, scope.run, kind, progress, mine["incomplete"])
    voiding.conclude(reader, kind, mine)


def _unshown(
    reader: Reader, scope: Scope, target: str, most: int, *, hidden: bool
) -> UnshownFields:
    fields = compare_records.fields_of(target, hidden=hidden)
    return reader.worker.ledger.run(
        partial(compare_records.unshown, scope=scope, target=target, most=most, fields=fields)
    )


class RereadBudget:
    """How many rows may still be read one by one."""

    def __init__(self, left: int) -> None:
        self.left = left


@dataclass(frozen=True, slots=True)
class RowsReadAgain:
    """Rows that were read once more.

    Attributes:
        rows: those that are there, by id.
        read: the ids that were looked for, but those of which Halo does not say what is there.
        way: how.
    """

    rows: Mapping[int, dict[str, Any]]
    read: Collection[int]
    way: str


def reread(
    reader: Reader,
    run: Run,
    kind: AnyResource,
    progress: dict[str, Any],
    ids: Collection[int],
    allowed: RereadBudget,
) -> RowsReadAgain:
    """Rows that seem to differ, read once more; what they show now is kept.

    Args:
        reader: makes the calls.
        run: the run in this worker's hands.
        kind: which rows.
        progress: of the run.
        ids: of the rows.
        allowed: how many may be read by id, where there is no report; what is used is taken off.

    Raises:
        SynclineError: a row cannot be read.
    """
    mine = progress["kinds"].setdefault(kind.name, {})
    if not ids:
        return RowsReadAgain({}, (), mine.get("way", LIST))
    found = _reread(reader, kind, mine, ids, allowed)
    gone = [row_id for row_id in found.read if row_id not in found.rows]
    _keep(reader, run, kind, progress, [*found.rows.values()], way=found.way, gone=gone)
    return found


def _reread(
    reader: Reader,
    kind: AnyResource,
    mine: Mapping[str, Any],
    ids: Collection[int],
    allowed: RereadBudget,
) -> RowsReadAgain:
    if mine.get("way") == SQL:
        try:
            rows = readback.report_of(reader.ask, kind, ids, reader.digits)
        except NO_REPORT:
            pass  # there was one, and is none now
        else:
            return RowsReadAgain({int(row["id"]): row for row in rows}, ids, SQL)
    pages = int(mine.get("pages", 0))
    if 0 < pages < len(ids) and not mine.get("incomplete"):
        return RowsReadAgain(_walked(reader, kind, ids), ids, LIST)
    reader.remember(kind, mine.get("showed"))
    some = sorted(ids)[: allowed.left]
    allowed.left -= len(some)
    read = {row_id: reader.row(kind, row_id) for row_id in some}
    there = {row_id: one.row for row_id, one in read.items() if one.row is not None}
    return RowsReadAgain(there, [row_id for row_id in some if read[row_id].is_shown], BY_ID)


def _walked(reader: Reader, kind: AnyResource, ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """The list gone through once more: fewer calls than for each row by its id."""
    walk = ListReading(kind, min(ids), {}, ())
    found: dict[int, dict[str, Any]] = {}
    while (query := walk.pending()) is not None:
        reader.rest()
        rows = walk.take(reader.ask(query))
        found |= {row["id"]: row for row in rows if row["id"] in ids}
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
    if mine.get("listed"):
        return
    state = mine.get("list") or {}
    seen = reader.worker.ledger.run(
        lambda c: observed_rows.ids_of(c, run.id, kind.name) if state else []
    )
    walk = ListReading(kind, floor, state, seen)
    while (query := walk.pending()) is not None:
        reader.rest()
        rows = walk.take(reader.ask(query))
        mine |= {"list": walk.state(), "pages": mine.get("pages", 0) + 1}
        _keep(reader, run, kind, progress, rows)
    if not walk.whole:
        raise _not_whole(kind)
    mine["listed"] = True
    _keep(reader, run, kind, progress, [])


def _keep(
    reader: Reader,
    run: Run,
    kind: AnyResource,
    progress: dict[str, Any],
    rows: Sequence[dict[str, Any]],
    *,
    way: str | None = None,
    gone: Collection[int] = (),
    anew: bool = False,
) -> None:
    """Keep rows and how far the reading came, also by which way, in one transaction.

    Args:
        reader: of the rows.
        run: the run in this worker's hands.
        kind: which rows.
        progress: of the run.
        rows: what was read.
        way: how these were read, where it is not how their kind is.
        gone: what was there before and is not any more.
        anew: whether nothing that was kept of the kind counts any more.

    Raises:
        NoQuota: the run has gone on to another worker.
    """
    mine = progress["kinds"][kind.name]
    mine["rows"] = max(mine.get("rows", 0) + len(rows) - len(gone), 0)
    calls, reader.calls = reader.calls, 0
    progress["calls"] = progress.get("calls", 0) + calls

    def work(connection: Connection) -> None:
        if gone or anew:
            observed_rows.drop(connection, run.id, kind.name, None if anew else gone)
        money = _currencies_of_payments(connection, run, kind, rows)
        told = (_read(reader, kind, row, way or mine["way"], money) for row in rows)
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
    """What is compared of a row of Halo; of lists' lines nothing, for their sums are compared.

    What tells nothing is not compared: null in a list, which was not loaded, and nonsense for an
    amount or a flag. A report shows every field.
    """
    got: dict[str, str] = {}
    for shape in _SHAPES[kind.name]:
        got |= projections.projection(row, currency, document, shape)
    if readback.VOIDED in row:
        got[readback.VOIDED] = _flag(row[readback.VOIDED]) or "no"
    if way == SQL:
        return {**dict.fromkeys(readback.numbers_of(kind), ""), **got}
    if way == LIST:
        got = {name: text for name, text in got.items() if not name.startswith("line")}
    return {
        name: text
        for name, text in got.items()
        if name not in row or _is_told(name, row[name], way)
    }


def _is_told(name: str, value: Any, way: str) -> bool:
    if name in _AMOUNTS:
        return number(value) is not None
    if name in _FLAGS and value is not None:
        return _flag(value) is not None
    return value is not None or way == BY_ID


def _flag(value: Any) -> str | None:
    """Yes or no; None where it says neither."""
    return {"true": "yes", "1": "yes", "false": "no", "0": "no"}.get(str(value).lower())
