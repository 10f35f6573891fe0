"""Calls to Halo that read many rows: reports where it runs them, lists, rows.

A tenant that refuses reports is not asked for one again before a day has passed: who asks finds out
without a call, and takes another way.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from syncline.calls import capabilities
from syncline.calls.calls import ApiCalls
from syncline.calls.context import Line
from syncline.errors import Absent, MissingScope, Rejected, SynclineError
from syncline.halo.entities.resources import REPORT
from syncline.halo.sql.queries import Query, ask
from syncline.halo.sql.reports import report_rows

REFUSED_FOR = timedelta(days=1)
"""How long reports are not asked for after they were refused; a check of the connection asks."""


def asked(line: Line, api: ApiCalls, query: Query) -> Any:
    """The document that answers a query.

    Raises:
        MissingScope: the tenant refuses reports, now or lately.
        SynclineError: the call failed.
    """
    if query.path != REPORT.path:
        return _made(line, api, query)
    if capabilities.known(line).refuses_reports:
        raise MissingScope(
            "Halo refuses reports to our application.",
            remedy="Give it the reporting permissions, then run: syncline connection check NAME.",
        )
    try:
        return _made(line, api, query)
    except (Absent, MissingScope) as error:
        _forgo(line, error)
        raise
    except Rejected as error:
        # Where one report ran, it is this statement that is wrong.
        if not capabilities.known(line).ran_reports:
            _forgo(line, error)
        raise


def reported(line: Line, api: ApiCalls, sql: str) -> list[dict[str, str]]:
    """The rows of one SELECT, every value as text.

    Raises:
        MissingScope: the tenant refuses reports, now or lately.
        Rejected: Halo could not run it; the text is Halo's.
        Unreadable: the answer holds no report, or as many rows as Halo gives at most.
    """
    return report_rows(asked(line, api, Query.of_sql(sql)))


def let_reports_be_asked(line: Line) -> None:
    """A report ran: whatever refused them before is forgotten."""
    if capabilities.known(line).refuses_reports:
        now = line.worker.now()
        capabilities.teach(
            line,
            lambda known: known.with_reports_refused(until=now, found_at=now, how="a report ran"),
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
