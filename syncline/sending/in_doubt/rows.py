"""Judged: a row that was found for a delivery in doubt is delivered, written again or parked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import Connection

from syncline.calls.calls import NoQuota
from syncline.deliveries import leased
from syncline.deliveries.delivery import Confirmation, Lease
from syncline.deliveries.in_doubt.ahead import gone_ahead
from syncline.deliveries.states import UNTOLD
from syncline.deliveries.target_rows import none_is_ours
from syncline.engine.failures import PARK_AFTER, Move, still_in_doubt
from syncline.errors import (
    Absent,
    Again,
    Doubtful,
    NotSent,
    Rejected,
    SynclineError,
    Unmappable,
    Unreadable,
)
from syncline.flows.flow import Difference
from syncline.halo.round_trip import Mismatch
from syncline.sending import inputs, outcomes, round_trips
from syncline.sending.completing import completed
from syncline.sending.decide import illegible
from syncline.sending.find import read_row
from syncline.sending.in_doubt import verdicts
from syncline.sending.in_doubt.seek import Seek
from syncline.sending.restored import mark
from syncline.sending.restored.ownership import no_longer_ours, others_reference
from syncline.sending.tenant.references import (
    only_reference,
    reason_of,
    reference_is_accepted,
    taking,
)

NOT_READ = (Again, Unmappable, Doubtful, Rejected, Unreadable)
"""How a row that is there can fail to be read."""


class SeenRow(NamedTuple):
    """A row as it was found.

    Attributes:
        row: what is shown of it.
        whole: whether it was read by its id, so that nothing lacks.
        linked: whether an external link names it for our whole reference, so that it is found
            again whatever Halo keeps of that in the row.
    """

    row: dict[str, Any]
    whole: bool
    linked: bool = False


def found_row(
    seek: Seek,
    lease: Lease,
    target_id: str,
    whole: Callable[[], SeenRow],
    canonical: inputs.Canonical,
) -> Move:
    """Its row is known: delivered if it holds what was sent, else due again as an update."""
    target = seek.target
    try:
        shown = whole()
    except (NoQuota, NotSent):
        raise
    except Absent:
        return lambda connection: leased.park(
            connection,
            [lease],
            reason=f"{target.name} {target_id} was there and is gone from Halo",
            field=None,
            gone=True,
        )
    except NOT_READ as error:
        return unread(seek, lease, target_id, error)
    return compared(seek, lease, target_id, shown, canonical)


def unread(seek: Seek, lease: Lease, target_id: str, error: SynclineError) -> Move:
    """Its row is there, but could not be read whole."""
    if isinstance(error, Again):
        return verdicts.unanswered(seek, lease, error)
    if isinstance(error, Unmappable):
        reason, name = str(error), error.field
        return lambda connection: leased.park(connection, [lease], reason=reason, field=name)
    if isinstance(error, Doubtful):
        return _unsettled(seek, lease, target_id, error)
    return verdicts.unsure(seek, lease)


def compared(
    seek: Seek, lease: Lease, target_id: str, shown: SeenRow, canonical: inputs.Canonical
) -> Move:
    """A row that is this delivery's: it holds what was sent, or is written again as an update."""
    target, row = seek.target, shown.row
    if not target.shows_enough(row, seek.known):
        return _illegible(seek, lease, target_id, target.lacks(row))
    currency = inputs.currency_of(canonical)
    different: list[Difference] = []
    carried = others_reference(
        target, lease.sent_projection, lease.target_meta, row, seek.line.document, currency
    )
    # What was never confirmed, and is not named by a link, is known by our reference alone.
    if carried is not None and (shown.linked or lease.delivered_version is not None):
        return _others_row(seek, lease, target_id, carried)
    if lease.sent_projection:
        wanted = lease.sent_projection
        different = target.compares(wanted, row, seek.line.document, currency, whole=shown.whole)
        done = _untold(target.confirmation(lease, {**row, "id": target_id}, wanted))
        if only_reference(target.resource, different):
            if shown.linked or reference_is_accepted(done, different):
                done, different = taking(done, different), []
            elif lease.target_id is None:  # else our update may not have been done at all
                return kept_otherwise(seek, lease, {**row, "id": target_id}, different)
        if not different:
            return lambda connection: leased.confirm(connection, [done], wrote=True)
    if lease.failures >= PARK_AFTER:
        return verdicts.in_vain(lease, different)
    if lease.target_id is not None:
        round_trips.let_go(seek.line, target, seek.known, lease)
    news = _untold(Confirmation(lease, target_id, target.meta({**row, "id": target_id}), None))
    return lambda connection: target.learns(connection, [news])


def _untold(found: Confirmation) -> Confirmation:
    """What was found; of one that was sent ahead of others it is kept that no call is known by it.

    It may be what the first call made, though the last one was answered.
    """
    is_told = found.lease.target_id is not None or not gone_ahead(found.lease.target_meta)
    return found if is_told else replace(found, meta={**(found.meta or {}), UNTOLD: True})


def _others_row(seek: Seek, lease: Lease, target_id: str, carried: str) -> Move:
    """Under its id, or where a link leads, stands somebody else's row: never written over."""
    if lease.target_id is not None:
        reason = no_longer_ours(seek.target.name, target_id, carried)
    elif none_is_ours(lease.target_meta):
        return verdicts.absent(seek, lease)  # as a person says who saw that row
    else:
        reason = (
            "It is not found by our reference, and the external link with it leads to "
            f"{seek.target.name} {target_id}, which carries {carried}."
        )

    def park(connection: Connection) -> object:
        mark.note(connection, seek.line.link, reason)
        return leased.park(connection, [lease], reason=reason, field=None, gone=True)

    return park


def whole_row(
    seek: Seek, lease: Lease, target_id: str, row: dict[str, Any], *, linked: bool = False
) -> SeenRow:
    """The row with what is compared and needed, read by id where the finding did not show it.

    The first of a kind is always read by its id: it is what others are judged by.
    """
    target, known = seek.target, seek.known
    needs_sequence = target.name == "order" and known.change_seq_enforced
    is_tried = target.reads_back and known.round_trip(target.name).trying == lease.id
    is_enough = target.shows_enough(row, known) and (not needs_sequence or row.get("change_seq"))
    if is_enough and not is_tried:
        return SeenRow(row, whole=False, linked=linked)
    read = read_row(seek.line, seek.api, target, int(target_id))
    return SeenRow(completed(seek.line, seek.api, target, read), whole=True, linked=linked)


def _unsettled(seek: Seek, lease: Lease, target_id: str, error: Doubtful) -> Move:
    """What it lacks may be in the making: as with any doubtful write, that is let to show."""
    if lease.failures >= PARK_AFTER:
        is_news = lease.target_id is None
        held = Confirmation(lease, target_id, lease.target_meta, None) if is_news else None
        reason = f"{seek.target.name} {target_id} is there, and not whole: {error}"
        return lambda connection: leased.park(
            connection, [lease], reason=reason, field=None, known=held
        )
    settle = outcomes.settle_times(seek.line, seek.target, seek.known).unknown
    return lambda connection: leased.doubt(
        connection, [lease], settle=settle, why=error.what, failed=True
    )


def _illegible(seek: Seek, lease: Lease, target_id: str, lacking: Sequence[str]) -> Move:
    """It is there, but does not show what it holds: never written again for that."""
    error = illegible(seek.target, target_id, lacking)
    if lease.failures < PARK_AFTER:
        return still_in_doubt(lease, error.what)
    failed = Mismatch(lease.id, target_id, lacking[0], "something that can be read", "nothing")
    round_trips.give_up(seek.line, seek.target, failed)
    return lambda connection: leased.park(connection, [lease], reason=str(error), field=lacking[0])


def kept_otherwise(
    seek: Seek, lease: Lease, row: dict[str, Any], different: Sequence[Difference]
) -> Move:
    """The row is known and is as it was sent, but for our reference: a person is asked, once.

    Written again it would come back so again; and where it is the first of its kind, no other one
    of it would be found again either.
    """
    target, first = seek.target, different[0]
    held = Confirmation(lease, str(row["id"]), target.meta(row), None)
    failed = Mismatch(lease.id, str(row["id"]), *first)
    round_trips.give_up(seek.line, target, failed)
    known = held if lease.target_id is None else None
    is_first = target.vital and seek.known.find_way(target.name) is None
    reason = reason_of(target.name, str(row["id"]), first, is_first=is_first)
    return lambda connection: leased.park(
        connection, [lease], reason=reason, field=first.field, known=known
    )
