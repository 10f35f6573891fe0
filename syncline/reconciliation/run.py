"""Reconciled: what Halo holds now is set against what HighLevel has, and certified.

A run stands in the ledger and goes on where it was cut: by a crash, by a quota that is used up, or
to let others go first. What differs is read once more before it is called a difference.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import Connection

from syncline.calls import capabilities
from syncline.calls.calls import NoQuota
from syncline.calls.context import Line, WorkerContext, in_hand
from syncline.errors import SynclineError
from syncline.halo.paging import PAGE_SIZE
from syncline.halo.sql.queries import ROWS_PER_REPORT
from syncline.halo.sql.readback import IDS_PER_REPORT, KINDS, is_reported
from syncline.highlevel import paging
from syncline.ingest.pull import request_windows
from syncline.ledger import database, records
from syncline.ledger.connections import Link
from syncline.ledger.database import LedgerAway
from syncline.mapping.document import Document
from syncline.reconciliation import compare_records, compare_rows, queries
from syncline.reconciliation.compare_rows import KIND_OF, Scope
from syncline.reconciliation.queries import Run
from syncline.reconciliation.reading import observed_rows
from syncline.reconciliation.reading.paced_calls import Paused, Reader, Tell, runs_reports
from syncline.reconciliation.reading.read_halo import MOST_COMPLETED, read_ids, read_kind
from syncline.reconciliation.reading.read_highlevel import Counting, read_some, readings_of
from syncline.reconciliation.second_reading import read_again_and_judge

IDS_PER_CALL = IDS_PER_REPORT
"""Rows that differ which one call reads once more, where the tenant runs reports."""

LATE = timedelta(hours=1)
"""How long something may be outstanding before that is a difference."""

GIVES_UP = timedelta(hours=1)
"""How long a run may come no further before it ends and says so."""

_PARKING = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Advanced:
    """How far a run came: ended as `state`, or to go on in so many seconds for want of `why`."""

    run_id: int
    state: str
    again_after: float | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class PlannedCalls:
    """The calls that a run would make: what for, to which side, at most how many."""

    what: str
    side: str
    calls: int


def begin(
    worker: WorkerContext,
    link: Link,
    period: tuple[date, date],
    cause: str,
    *,
    sample: int | None = None,
    seed: int = 0,
) -> int | None:
    """Note a run that is requested; None where one is running already."""
    return worker.ledger.run(
        lambda c: queries.begin(c, link.id, period, cause, sample=sample, seed=seed)
    )


def advance(line: Line, tell: Tell, *, by_hand: bool = False) -> Advanced | None:
    """Go on with the run of a connection; None where there is none, or another worker has it.

    Args:
        line: the connection.
        tell: is told how far it came.
        by_hand: whether a person waits for it.

    Raises:
        SynclineError: a side could not be read; the run has failed and says so.
    """
    with in_hand(line.worker):
        owner = line.worker.session()
        run = line.worker.ledger.run(lambda c: queries.take(c, line.link.id, owner))
        if run is None:
            return None
        reader = _reader(line, run, tell)
        reader.by_hand = by_hand
    try:
        _run(line, run, reader)
    except (NoQuota, Paused, LedgerAway) as error:
        if line.worker.ledger.run_patiently(
            lambda c: queries.stands_still(c, run.id, GIVES_UP), sleep=line.worker.sleep
        ):
            _fail(line.worker, run, reader, f"It came no further for an hour. {error.what}")
            return Advanced(run.id, "failed", None)
        _leave(line.worker, run, error.after, error.what)
        return Advanced(run.id, "running", error.after.total_seconds(), error.what)
    except SynclineError as error:
        _fail(line.worker, run, reader, str(error))
        raise
    except BaseException as error:
        if isinstance(error, Exception) and not isinstance(error, RedisError):
            # A fault of our own comes again at every try, and nobody would hear of it.
            why = f"It broke off with {type(error).__name__}: see the log of the workers."
            _fail(line.worker, run, reader, why)
        else:
            _leave(line.worker, run, _PARKING, "")
        raise
    return Advanced(run.id, "done", None)


def targets_of(document: Document) -> list[str]:
    """The targets that a mapping keeps in line, in the order in which they are read."""
    targets = ["order"]
    if document.payments.into != "none":
        targets += ["invoice", "payment", "credit"]
    if document.subscriptions.into != "none":
        targets.append("recurring")
    return targets


def plan(line: Line, period: tuple[date, date], sample: int | None) -> list[PlannedCalls]:
    """The calls that a run would make, none of which is made.

    Lists may hold rows that others made, so of those only our own can be counted.
    """
    scope, targets = _planned(line, period), targets_of(line.document)
    reports = runs_reports(capabilities.known(line))
    counts = line.worker.ledger.run(
        lambda c: {target: _count(c, scope, target) for target in targets}
    )
    planned = [
        PlannedCalls("HighLevel's own counts", "highlevel", len(_record_kinds(line.document)))
    ]
    if sample:
        most = min(sample, sum(counts.values()))
        readings = len(readings_of(line.document, [("order", "")]))
        planned.append(PlannedCalls("HighLevel's records by id", "highlevel", most * readings))
    for kind in dict.fromkeys(KIND_OF[target] for target in targets):
        rows = sum(many for target, many in counts.items() if KIND_OF[target] == kind)
        if not rows:
            continue
        if reports and is_reported(KINDS[kind]):
            calls = 1 if sample else -(-rows // ROWS_PER_REPORT)
            planned.append(PlannedCalls(f"report of {kind}s", "halo", calls))
        elif sample:
            planned.append(PlannedCalls(f"{kind}s by id", "halo", min(rows, sample)))
        else:
            planned.append(PlannedCalls(f"list of {kind}s", "halo", -(-rows // PAGE_SIZE)))
            most = min(rows, MOST_COMPLETED)
            planned.append(
                PlannedCalls(f"{kind}s by id, if it does not show them whole", "halo", most)
            )
    return planned


def _run(line: Line, run: Run, reader: Reader) -> None:
    progress = _progress(line.worker, run)
    document = line.document
    if "complete" not in progress:
        counting = Counting(line, (run.first, run.last))
        progress["complete"] = [counting.count(kind) for kind in _record_kinds(document)]
        progress["highlevel_calls"] = counting.calls
        line.worker.ledger.run(lambda c: _pull_again(c, line, run, progress["complete"]))
        _note(line.worker, run, progress)
    scope = _scope_of(line, run, progress)
    targets = targets_of(document)
    if run.sample is not None:
        scope = _sampled(line.worker, scope, targets, run.sample, progress)
        _read_again(line, scope, progress)
    for kind in dict.fromkeys(KIND_OF[target] for target in targets):
        _read(line.worker, reader, run, scope, kind, progress)
    if document.fulfillments.into != "none" and run.sample is None:
        _read(line.worker, reader, run, scope, "consignment", progress)
    read_again_and_judge(reader, scope, targets, progress)


def _reader(line: Line, run: Run, tell: Tell) -> Reader:
    place = line.link.location_place
    sold_in = line.worker.ledger.run(lambda c: records.currencies(c, place, run.first, run.last))
    return Reader.of(line, tell, sold_in)


def _read(
    worker: WorkerContext,
    reader: Reader,
    run: Run,
    scope: Scope,
    kind: str,
    progress: dict[str, Any],
) -> None:
    if progress["kinds"].get(kind, {}).get("done"):
        return
    if scope.sample is not None:
        ids = worker.ledger.run(lambda c: compare_records.rows_of(c, scope, kind))
        if ids:
            read_ids(reader, run, KINDS[kind], progress, ids)
        return
    floor = worker.ledger.run(lambda c: _floor(c, scope, kind))
    if floor is not None:
        targets = [target for target in targets_of(reader.line.document) if KIND_OF[target] == kind]
        read_kind(reader, scope, KINDS[kind], targets, progress, floor)


def _floor(connection: Connection, scope: Scope, kind: str) -> int | None:
    """The lowest id that is read: of all days, all of ours; else where our rows of these begin."""
    if scope.run.first <= scope.link.start_from and kind != "consignment":
        return 1
    if kind == "consignment":
        return compare_records.parcels(connection, scope).lowest
    targets = [target for target, of in KIND_OF.items() if of == kind]
    return compare_rows.lowest(connection, scope, targets)


def _progress(worker: WorkerContext, run: Run) -> dict[str, Any]:
    """How far the run came; anew where the rows that it had kept are not there any more."""
    progress = dict(run.progress or {})
    kept = worker.ledger.run(lambda c: observed_rows.counted(c, run.id))
    read = {kind: one.get("rows", 0) for kind, one in progress.get("kinds", {}).items()}
    if not progress or any(many and not kept.get(kind) for kind, many in read.items()):
        began = worker.ledger.run(database.now)
        progress = {**progress, "began": began.isoformat(), "kinds": {}}
    return progress


def _note(worker: WorkerContext, run: Run, progress: dict[str, Any]) -> None:
    owner = worker.session()
    if not worker.ledger.run(lambda c: queries.advance(c, run.id, owner, progress, 0)):
        raise NoQuota("This reconciliation has gone on to another worker.", after=_PARKING)


def _scope_of(line: Line, run: Run, progress: dict[str, Any]) -> Scope:
    began = datetime.fromisoformat(progress["began"])
    return Scope(run, line.link, began, line.document.payments.paid, LATE)


def _sampled(
    worker: WorkerContext, scope: Scope, targets: list[str], most: int, progress: dict[str, Any]
) -> Scope:
    if "sample" not in progress:
        progress["sample"] = worker.ledger.run(
            lambda c: compare_records.draw(c, scope, targets, most)
        )
        _note(worker, scope.run, progress)
    return replace(scope, sample=progress["sample"])


def _read_again(line: Line, scope: Scope, progress: dict[str, Any]) -> None:
    """The records of a sample, as HighLevel has them now."""
    sampled = line.worker.ledger.run(lambda c: compare_records.records_of(c, scope))
    wanted = readings_of(line.document, sampled)
    read = progress.setdefault("records", {"read": 0, "differing": [], "young": 0, "untold": []})
    while read["read"] < len(wanted):
        came = read_some(line, wanted[read["read"] :])
        read["read"] += came.done
        read["differing"] += came.differing
        read["young"] += came.young
        read["untold"] += came.untold
        progress["highlevel_calls"] += came.done
        _note(line.worker, scope.run, progress)


def _pull_again(
    connection: Connection, line: Line, run: Run, complete: list[dict[str, Any]]
) -> None:
    """What HighLevel counts otherwise than we do is requested to be read again."""
    windows = paging.windows(run.first, run.last, today=line.worker.now().date())
    for one in complete:
        if not one["equal"]:
            request_windows(connection, line.link.id, one["kind"], windows)


def _record_kinds(document: Document) -> list[str]:
    kinds = ["order"]
    if document.payments.into != "none":
        kinds.append("transaction")
    if document.subscriptions.into != "none":
        kinds.append("subscription")
    return kinds


def _planned(line: Line, period: tuple[date, date]) -> Scope:
    now = line.worker.ledger.run(database.now)
    run = Run(
        id=0, connection_id=line.link.id, first=period[0], last=period[1], mode="full",
        sample=None, seed=0, state="running", cause="", calls=0, found=0, progress=None,
        certificate=None, note=None, started_at=now, finished_at=None,
    )  # fmt: skip
    return Scope(run, line.link, now, line.document.payments.paid, LATE)


def _count(connection: Connection, scope: Scope, target: str) -> int:
    found = compare_rows.sums(connection, scope, target)
    return sum(one.count for one in found if one.side == "highlevel")


def _fail(worker: WorkerContext, run: Run, reader: Reader, why: str) -> None:
    owner, calls = worker.session(), reader.calls
    worker.ledger.run_patiently(
        lambda c: queries.finish(c, run.id, owner, state="failed", calls=calls, note=why),
        sleep=worker.sleep,
    )


def _leave(worker: WorkerContext, run: Run, after: timedelta, why: str) -> None:
    owner = worker.session()
    worker.ledger.run_patiently(
        lambda c: queries.leave(c, run.id, owner, after, why), sleep=worker.sleep
    )
