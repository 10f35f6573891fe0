"""Halo's users by e-mail, asked right before customers are created, so that none is doubled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syncline.calls import capabilities
from syncline.calls.calls import ApiCalls, halo_calls
from syncline.calls.context import Line
from syncline.calls.halo_queries import NO_REPORT, asked
from syncline.errors import Unreadable
from syncline.flows import customers
from syncline.halo.answers import listing
from syncline.halo.capabilities import FindWay
from syncline.halo.entities.resources import USER
from syncline.halo.matching import reference
from syncline.halo.models import whole
from syncline.halo.sql.finding import FoundRow, LookupResult, RowLookup
from syncline.sending import prove
from syncline.sending.find import find, take
from syncline.sending.targets import TARGETS
from syncline.sending.tenant.by_id import NOT_SHOWN


def users(line: Line, emails: Sequence[str]) -> tuple[dict[str, dict[str, Any]], frozenset[str]]:
    """Halo's users with these normalised addresses; of several, the oldest that names a client.

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
    return {email: dict(min(rows, key=_rank).row) for email, rows in known.items() if rows}, unsure


def _rank(found: FoundRow) -> tuple[bool, int]:
    """The oldest goes first; behind it one that was taken from its client, as a leaver may be."""
    return not customers.names_client(found.row), found.id


def not_shown() -> Unreadable:
    """Why a customer waits of whom Halo does not show whether it has a user already."""
    return Unreadable(
        "Halo's list of users cannot be seen whole, and its search proves nothing: nobody knows "
        "whether it has a user with this address. Nothing was made, since it might be there twice.",
        remedy="Give our application in Halo leave to run reports (scopes read:reporting and "
        "edit:reporting), or to search users by address; then retry.",
    )


def _found(line: Line, api: ApiCalls, wanted: Sequence[str]) -> LookupResult:
    """By a report where one has found a user, else by lists: no customer waits for a report."""
    known = capabilities.known(line)
    proof = known.find_proof("user", FindWay.SQL)
    if known.refuses_reports or proof is None or not proof.proved:
        return _listed(line, api, wanted)
    try:
        return find(line, api, TARGETS["user"], FindWay.SQL, wanted)
    except NO_REPORT:  # it ran before, and does not now
        return find(line, api, TARGETS["user"], FindWay.PAGES, wanted)


def _listed(line: Line, api: ApiCalls, wanted: Sequence[str]) -> LookupResult:
    """By whole pages; where there are several, by a report if it finds a user of the first.

    One that finds nobody would prove nothing: there are tenants that run a report and show no row.
    """
    target, lookup = TARGETS["user"], RowLookup(FindWay.PAGES, "user", wanted)
    shown: tuple[str, str] | None = None
    while (query := lookup.pending()) is not None:
        if shown is not None and prove.by_report(line, target, api, *shown):
            return find(line, api, target, FindWay.SQL, wanted)
        document = asked(line, api, query)
        take(line, lookup, document)
        shown = _with_address(document)
    return lookup.found()


def _with_address(document: Any) -> tuple[str, str] | None:
    """The address and the id of a user that a page shows."""
    rows = listing(document, USER.list_key).rows
    shown = ((reference(row, USER.reference), whole(row.get("id"))) for row in rows)
    return next(((email, str(row_id)) for email, row_id in shown if email and row_id), None)
