"""Requested again: all records of a connection, when its mapping or mode has changed.

What renders to the same as before costs no call; a version of syncline that knows a further flow
comes to its old records in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from syncline.calls.context import Line, Nudge
from syncline.deliveries.requests import existing_roles
from syncline.engine import connection_rules
from syncline.fingerprint import fingerprint
from syncline.flows import orders, payments, subscriptions
from syncline.ingest import requests
from syncline.ingest.rereading import Version
from syncline.ledger import connections, modes, records
from syncline.ledger.connections import Link

PAGE = 500
"""Records of one transaction."""

_FLOWS = {
    orders.SOURCE_KIND: orders.FLOW,
    payments.SOURCE_KIND: payments.FLOW,
    subscriptions.SOURCE_KIND: subscriptions.FLOW,
}
"""Kind of a record → the flow in which it is in line."""


def request_again(line: Line) -> None:
    """Go through all records; killed on the way, it begins anew, which changes nothing."""
    link = line.link
    if line.worker.ledger.run(lambda connection: _is_done(connection, link.name)):
        return
    targets: set[str] = set()
    since, gently = line.worker.ledger.run(lambda connection: _begin(connection, link))
    for kind in requests.KINDS:
        targets |= _request_kind(line, kind, again=not gently)
    if line.worker.ledger.run(lambda connection: modes.requested_under(connection, link, since)):
        line.worker.announce([Nudge(link.name, "send", target) for target in sorted(targets)])


def _begin(connection: Connection, link: Link) -> tuple[str | None, bool]:
    """The mark of what is under way, and whether what was delivered stays as it is.

    What workers have requested or parked by the mode of before, while they had not noticed the new
    one, is put right.
    """
    since = modes.rules_mark(connection, link)
    gently = modes.goes_live_gently(connection, link)
    if connections.is_as(connection, link, hold=True):
        connection_rules.hold_or_let_go(connection, link)
    return since, gently


def _is_done(connection: Connection, name: str) -> bool:
    """Whether another worker was here already."""
    return name not in modes.under_new_rules(connection)


def _request_kind(line: Line, kind: str, *, again: bool) -> set[str]:
    targets: set[str] = set()
    # Of its own for each document, by which rows in a worker's hands are known to be outdated.
    mark = fingerprint({"mapping": line.link.mapping, "mode": line.link.mode}).hex()[:8]
    cause = f"mapping {mark}"
    after: str | None = ""
    while after is not None:
        start = after

        def work(connection: Connection) -> tuple[frozenset[str], str | None]:
            place = line.link.location_place
            records.lock(connection, place, kind)
            page = records.page(connection, place, kind, start, PAGE)  # noqa: B023 - run at once
            due = requests.request_deliveries(
                connection,
                line.link,
                line.document,
                kind,
                kept_in_line(connection, line.link, kind, [Version(*one) for one in page]),
                cause,
                again=again,
            )
            return due, page[-1][0] if len(page) == PAGE else None

        found, after = line.worker.ledger.run(work)
        targets |= found
    return targets


def kept_in_line(
    connection: Connection, link: Link, kind: str, versions: Sequence[Version]
) -> list[Version]:
    """Without those from before the connection begins for which nothing was asked.

    An adoption leaves them alone: Halo may hold them, and nobody knows where.
    """
    begins = link.start_from.isoformat()
    older = [
        v.foreign_id for v in versions if str(v.canonical.get("created_at") or begins) < begins
    ]
    asked = existing_roles(connection, link.tenant, _FLOWS[kind], older) if older else {}
    left = set(older) - asked.keys()
    return [one for one in versions if one.foreign_id not in left]
