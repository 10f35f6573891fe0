"""Calls to Halo that read many rows: reports where it runs them, lists, rows.

A tenant that refuses reports is not asked for one again before a day has passed: who asks finds out
without a call, and takes another way. Where reports alone fail, or somebody else answers them, they
rest too, ever longer: nothing depends on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from syncline.calls import capabilities
from syncline.calls.calls import ApiCalls, Outage
from syncline.calls.context import Line
from syncline.calls.faults import fault_of
from syncline.errors import (
    Absent,
    Again,
    MissingScope,
    NotSent,
    Rejected,
    Suspended,
    SynclineError,
    Unreadable,
)
from syncline.halo.capabilities import Capabilities
from syncline.halo.entities.resources import REPORT
from syncline.halo.sql.queries import Query, ask
from syncline.halo.sql.reports import report_rows
from syncline.ledger import left_out
from syncline.ledger.calls import last_answer
from syncline.leniency import noting

NO_REPORT = (Absent, MissingScope, Rejected, Unreadable)
"""How it shows that a report cannot be had now: who wants one takes another way."""

REFUSED_FOR = timedelta(days=1)
"""How long reports are not asked for after they were refused; a check of the connection asks."""

FEW = 3
"""Failures in a row after which reports are taken for not there: fewer are chance, and more would
have all callers wait for one that tries."""

LEAST_REST = timedelta(minutes=1)
"""How long reports rest at first where they alone fail; each further time it is twice as long."""

_OPERATION = f"POST {REPORT.path}"


def asked(line: Line, api: ApiCalls, query: Query) -> Any:
    """The document that answers a query.

    Raises:
        MissingScope: the tenant refuses reports, now or lately.
        Absent: there are none, or they have failed for a while.
        SynclineError: the call failed.
    """
    if query.path != REPORT.path:
        return _made(line, api, query)
    known = capabilities.known(line)
    if known.refuses_reports and known.reports_fail_for:
        raise Absent("Halo's reports failed lately, so they rest.")
    if known.refuses_reports:
        raise MissingScope(
            "Halo refuses reports to our application.",
            remedy="Give it the reporting permissions, then run: syncline connection check NAME.",
        )
    try:
        document = _made(line, api, query)
    except Again as error:
        if not _is_not_there(line, known, error):
            raise
        raise Absent(f"Halo's reports are not there for now: {error.what}") from error
    except (Absent, MissingScope) as error:
        _forgo(line, error)
        raise
    except Rejected as error:
        # Where one report ran, it is this statement that is wrong.
        if not known.ran_reports:
            _forgo(line, error)
        raise
    if known.reports_fail_for:
        let_reports_be_asked(line)
    return document


def reported(line: Line, api: ApiCalls, sql: str) -> list[dict[str, str]]:
    """The rows of one SELECT, every value as text.

    Raises:
        MissingScope: the tenant refuses reports, now or lately.
        Rejected: Halo could not run it; the text is Halo's.
        Unreadable: the answer holds no report, or as many rows as Halo gives at most.
    """
    return report_rows(asked(line, api, Query.of_sql(sql)))


@contextmanager
def counting(line: Line) -> Iterator[None]:
    """Count what is left out of rows that are read meanwhile, outside the call that brought them.

    Raises:
        SynclineError: the ledger is away.
    """
    with noting() as noted:
        yield
    if noted:
        line.worker.ledger.run(lambda c: left_out.count(c, line.link.id, noted))


def let_reports_be_asked(line: Line) -> None:
    """A report ran: whatever refused them before is forgotten."""
    known = capabilities.known(line)
    if known.refuses_reports or known.reports_fail_for:
        now = line.worker.now()
        capabilities.teach(
            line,
            lambda known: known.with_reports_failing(
                timedelta(0), found_at=now, how="a report ran"
            ),
        )


def _made(line: Line, api: ApiCalls, query: Query) -> Any:
    return api.read(f"{query.method} {query.path}", lambda permit: ask(line.halo, permit, query))


def _forgo(line: Line, error: SynclineError) -> None:
    now = line.worker.now()
    capabilities.teach(
        line,
        lambda known: known.with_reports_refused(
            until=now + REFUSED_FOR, found_at=now, how=error.what
        ),
    )


def _is_not_there(line: Line, known: Capabilities, error: Again) -> bool:
    """Whether reports are taken for not there, since asking for one keeps failing.

    That says nothing of the tenant, so lists are read at once: where they fail too, it is all of it
    that fails. Only where something else was answered meanwhile do reports rest.
    """
    if isinstance(error, (NotSent, Suspended)):
        return False
    if fault_of(error) is None and not isinstance(error, Outage):
        return False
    faulty = line.worker.ledger.run(lambda c: last_answer(c, line.halo_key.name)).faulty
    failing = {one.operation: one for one in faulty}
    reports = failing.get(_OPERATION)
    if reports is None or (reports.many < FEW and not known.reports_fail_for):
        return False
    if isinstance(error, Outage):
        return True  # nothing was asked, so nothing new is known
    everything = failing.get("")
    if everything is None or everything.since > reports.since:
        _rest(line, error)
    return True


def _rest(line: Line, error: SynclineError) -> None:
    now = line.worker.now()

    def change(known: Capabilities) -> Capabilities:
        if known.refuses_reports:
            return known  # another worker has met the same failure
        rest = min(max(2 * known.reports_fail_for, LEAST_REST), REFUSED_FOR)
        return known.with_reports_failing(rest, found_at=now, how=error.what)

    capabilities.teach(line, change)
