"""Halo's users by e-mail, asked right before customers are created, so that none is doubled."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from syncline.calls import capabilities
from syncline.calls.calls import ApiCalls, halo_calls
from syncline.calls.context import Line
from syncline.calls.halo_queries import NO_REPORT
from syncline.errors import Rejected
from syncline.halo.capabilities import FindProof, FindWay
from syncline.halo.sql.finding import LookupResult
from syncline.sending.find import find
from syncline.sending.targets import TARGETS
from syncline.sending.tenant.by_id import NOT_SHOWN


def users(line: Line, emails: Sequence[str]) -> tuple[dict[str, dict[str, Any]], frozenset[str]]:
    """Halo's users with these normalised addresses; of several, the oldest.

    Returns:
        Users by address, and the addresses of which Halo does not show whether it has a user.

    Raises:
        SynclineError: Halo could not be asked.
    """
    wanted = sorted(set(emails))
    if not wanted:
        return {}, frozenset()
    target = TARGETS["user"]
    api = halo_calls(line, line.lane)
    found = _found(line, api, wanted)
    known, unsure = dict(found.rows), found.unsure
    for email in sorted(unsure):
        # A list that ignores page numbers, or grew while it was read: asked one by one.
        try:
            again = find(line, api, target, FindWay.SEARCH, [email])
        except NOT_SHOWN:
            continue  # it stays unsure, and the others need not wait for it
        known, unsure = {**known, **again.rows}, (unsure - {email}) | again.unsure
    oldest = {
        email: dict(min(rows, key=lambda row: row.id).row) for email, rows in known.items() if rows
    }
    return oldest, unsure


def _found(line: Line, api: ApiCalls, wanted: Sequence[str]) -> LookupResult:
    """By a report where one can be had, else by lists: no customer waits for a report."""
    target = TARGETS["user"]
    if _way(line, api) is FindWay.SQL:
        try:
            return find(line, api, target, FindWay.SQL, wanted)
        except NO_REPORT:
            pass  # it ran before, and does not now
    return find(line, api, target, FindWay.PAGES, wanted)


def _way(line: Line, api: ApiCalls) -> FindWay:
    """SQL where the tenant runs it, else whole pages; which one is asked once and remembered."""
    known = capabilities.known(line)
    proof = known.find_proof("user", FindWay.SQL)
    if known.refuses_reports:
        return FindWay.PAGES
    if proof is not None:
        return FindWay.SQL if proof.proved else FindWay.PAGES
    try:
        find(line, api, TARGETS["user"], FindWay.SQL, ["nobody@invalid"])
    except Rejected:
        works = False
    except NO_REPORT:
        return FindWay.PAGES  # no report runs now, which is remembered for all that want one
    else:
        works = True
    capabilities.teach(
        line,
        lambda before: before.with_find_proof(
            "user",
            FindWay.SQL,
            FindProof(proved=works, lag=timedelta(0)),
            found_at=line.worker.now(),
            how="a report that finds nobody",
        ),
    )
    return FindWay.SQL if works else FindWay.PAGES
