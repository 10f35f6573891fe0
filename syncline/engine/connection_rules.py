"""The rules of a connection: its mapping document, under its mode, and what they hold back."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from sqlalchemy import Connection

from syncline.calls.context import Line
from syncline.deliveries import unleased
from syncline.engine.refusals import Concerns, concerns
from syncline.errors import Refused
from syncline.ledger import connections, modes
from syncline.ledger.connections import Link
from syncline.mapping.document import Document
from syncline.mapping.parsing import load

_WHY: Final = (
    "It was owed before its connection came into sandbox mode. Set the connection live with "
    "`syncline golive switch NAME`; it then goes by itself."
)


def rules_of(link: Link) -> Document:
    """What a connection delivers, and how.

    In sandbox mode only rows of HighLevel's test mode are let through. The emulation holds nothing
    else than play money, so there the mapping alone decides.

    Raises:
        BadDocument: its mapping cannot be read.
    """
    document = load(link.mapping)
    if link.mode == "sandbox" and not link.is_emulated:
        return replace(document, only_test_rows=True)
    return document


def as_live(line: Line) -> Line:
    """A line whose rules include live records: an adoption looks at what is to come."""
    return replace(line, document=load(line.link.mapping))


def hold_live(connection: Connection, link: Link) -> int:
    """Hold back what sandbox mode does not let through, whoever requested it; returns how much.

    It cannot be told of a customer whose it is, so all that is not sent yet is parked. What test
    records ask for is then requested again, and goes on.
    """
    if link.mode != "sandbox" or link.is_emulated:
        return 0
    held = unleased.hold_back(connection, link.id, reason=_WHY)
    if held:
        modes.forget_rules(connection, link)
    return held


def hold_or_let_go(connection: Connection, link: Link) -> None:
    """Hold back or let go what its mode says, before all records are requested again under it."""
    if link.mode == "live":
        unleased.release_held(connection, link.id)
    elif not link.is_emulated:
        unleased.hold_back(connection, link.id, reason=_WHY)


def hold_after_requests(connection: Connection, link: Link) -> None:
    """After requests by a link that may be old: hold back what it let out wrongly."""
    if modes.requested_under_old_rules(connection, link):
        hold_live(connection, connections.by_id(connection, link.id))


def begin(connection: Connection, link: Link) -> None:
    """Let a connection that stood still, or rehearses, work for real in its mode."""
    hold_live(connection, link)
    connections.start(connection, link.id)


def stop_if_all_is_refused(line: Line, error: Refused) -> bool:
    """Stop a connection whose list was refused, if something harmless is refused too.

    Why stands in the ledger, for `status`. Returns whether it was stopped.
    """
    if concerns(line, error) is not Concerns.ALL:
        return False
    line.worker.ledger.run_patiently(
        lambda connection: connections.stop(connection, line.link, str(error)),
        sleep=line.worker.sleep,
    )
    return True
