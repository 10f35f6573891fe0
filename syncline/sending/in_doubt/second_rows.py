"""Second rows: what was sent again unproved may stand in Halo twice, and a person is told."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from sqlalchemy import Connection

from syncline.calls import capabilities
from syncline.calls.calls import halo_calls
from syncline.calls.context import Line
from syncline.deliveries import unleased
from syncline.deliveries.in_doubt import sent_again
from syncline.deliveries.in_doubt.sent_again import SentAgain
from syncline.deliveries.states import UNTOLD
from syncline.deliveries.target_rows import accepted_in
from syncline.errors import Again
from syncline.halo.sql.finding import FoundRow
from syncline.ledger import calls
from syncline.sending import outcomes
from syncline.sending.find import is_one_a_call
from syncline.sending.in_doubt import looking, verdicts
from syncline.sending.in_doubt.freshness import Looked
from syncline.sending.in_doubt.seek import Seek
from syncline.sending.targets import Target

MOST_ALONE = 5
"""So many are looked for at a time where each is a call of its own."""


def look(line: Line, target: Target) -> None:
    """Look whether rows that were sent again unproved stand there twice.

    Raises:
        SynclineError: Halo refused to tell. It is asked again later all the same.
    """
    known = capabilities.known(line)
    settle = outcomes.settle_times(line, target, known).unknown
    most = MOST_ALONE if is_one_a_call(target, known) else looking.MOST
    found = line.worker.ledger.run(
        lambda connection: sent_again.due(connection, line.link.id, target.name, settle, most)
    )
    if not found:
        return
    seek = Seek(line, halo_calls(line, line.lane), target, known)
    try:
        looked = looking.looked_again(seek, [_reference(target, one) for one in found])
    except Again:
        return  # it is due again by then
    line.worker.ledger.run_patiently(partial(_write, seek, found, looked), sleep=line.worker.sleep)


def _reference(target: Target, one: SentAgain) -> str:
    return target.reference(one.standing.source_id, one.standing.role)


def _write(seek: Seek, found: Sequence[SentAgain], looked: Looked, connection: Connection) -> None:
    settled = []
    for one in found:
        name = _reference(seek.target, one)
        rows, is_sure = looked.found.rows[name], name not in looked.found.unsure
        if accepted_in(one.standing.target_meta):
            settled.append(one.standing.id)  # a person has judged this row
        elif any(str(row.id) != one.standing.target_id for row in rows):
            _tell(connection, seek, one, rows)
        elif one.is_last or (is_sure and _shows_all(connection, one, looked, rows)):
            settled.append(one.standing.id)
    sent_again.settled(connection, settled)


def _tell(connection: Connection, seek: Seek, one: SentAgain, rows: Sequence[FoundRow]) -> None:
    ids = sorted({*(row.id for row in rows), int(one.standing.target_id or 0)})
    reason = verdicts.several_rows(_reference(seek.target, one), ids)
    # Which of them is to stay is for a person to say, so neither is known to be its row.
    unleased.disown(connection, one.standing, reason=reason)


def _shows_all(
    connection: Connection, one: SentAgain, looked: Looked, rows: Sequence[FoundRow]
) -> bool:
    """Whether a row that an earlier call made would be shown too.

    It would where the row of the last call is, and where one is that was made after it; but not
    where the answer hides a row that Halo has.
    """
    if rows and UNTOLD not in (one.standing.target_meta or {}):
        return True
    if looked.shows_until is None or one.call_id is None:
        return False
    ended = calls.ended_at(connection, one.call_id)
    return ended is not None and looked.shows_until > ended
