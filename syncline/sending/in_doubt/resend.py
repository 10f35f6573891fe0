"""Sent again: what a look-up did not show, as far as it is proved that it is not there.

A list that lags shows nothing of what was made lately. Where it shows a row that was made after the
write that is asked about, it shows that one's too, if there is one. Where nothing was made since,
nothing proves it. Then the ids that follow our newest one are read, since what was made stands
there and is never hidden from who asks by its id; and if nothing stands there, one is sent again
ahead of the others. Once it shows, it speaks for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import Connection

from syncline.deliveries import leased, needs
from syncline.deliveries.delivery import Lease
from syncline.deliveries.in_doubt import ahead
from syncline.deliveries.in_doubt.absent import send_again
from syncline.deliveries.target_rows import none_is_ours
from syncline.engine.failures import PARK_AFTER, Move, is_of_the_record
from syncline.errors import Absent, Again, Doubtful, MissingScope, Rejected, Unmappable, Unreadable
from syncline.halo.matching import reference
from syncline.halo.sql.finding import FoundRow
from syncline.sending import inputs, outcomes, round_trips
from syncline.sending.find import is_one_a_call, readable_id, reference_on
from syncline.sending.in_doubt import verdicts
from syncline.sending.in_doubt.freshness import Looked
from syncline.sending.in_doubt.looking import or_why
from syncline.sending.in_doubt.rows import found_row, whole_row
from syncline.sending.in_doubt.seek import Seek

MOST_NEXT = 20
"""So many of the ids that follow are read: people make rows too."""

NONE_FOLLOWS = 3
"""After so many ids in a row that nothing stands under, no more of them are read."""

MOST_RESTED = 4
"""Settle times after which one that was not sent ahead is looked for once more at the latest."""

_EVER = timedelta(days=36_500)

_NOT_PROVED = "looked up: not shown, and Halo shows nothing that was made since"
_GOES_AHEAD = f"{_NOT_PROVED}; sent again ahead of others"


@dataclass(frozen=True, slots=True)
class Unread:
    """A row that could not be read.

    Attributes:
        what: which.
        error: why not.
    """

    what: str
    error: Again | MissingScope


@dataclass(frozen=True, slots=True)
class Following:
    """What stands under the ids that follow our newest one.

    Attributes:
        rows: what they carry where our reference stands, in small letters → their ids.
        unread: one that could not be read, where that keeps the others from being judged.
    """

    rows: Mapping[str, list[int]]
    unread: Unread | None = None


@dataclass(frozen=True, slots=True)
class Absence:
    """That a look-up does not show a row.

    Attributes:
        looked: what it shows, and how new that is.
        following: what no look-up shows may stand here; read when it is asked for first.
        ended_at: when a call had ended, by its id; many were written by one.
    """

    looked: Looked
    following: Callable[[], Following]
    ended_at: Callable[[UUID], datetime | None]


def absent(seek: Seek, lease: Lease, canonical: inputs.Canonical, absence: Absence) -> Move:
    """What becomes of a delivery whose row is not shown: sent again, or looked for once more.

    A person's word that none is its row is proof enough, and so is that it was never sent. Of
    kinds that Halo need not show, none is a witness. A look-up that cannot show it proves
    nothing.
    """
    if seek.target.reference(lease.source_id, lease.role) in absence.looked.found.unsure:
        return _unlisted(seek, lease, canonical, absence) or verdicts.unsure(seek, lease)
    is_proved = (
        seek.target.gives_up is not None
        or lease.sent_at is None
        or none_is_ours(lease.target_meta)
        or covers(lease, absence)
    )
    if is_proved:
        return verdicts.absent(seek, lease)
    return _unlisted(seek, lease, canonical, absence) or _ahead(seek, lease, absence)


def covers(lease: Lease, absence: Absence) -> bool:
    """Whether what is shown is newer than the write that is asked about.

    Args:
        lease: the delivery.
        absence: how far it is proved that no row has our reference.
    """
    shows_until, call_id = absence.looked.shows_until, lease.call_id
    if shows_until is None or call_id is None:
        return False
    ended = absence.ended_at(call_id)
    return ended is not None and shows_until > ended


def waits(seek: Seek, lease: Lease) -> bool:
    """Whether a delivery is not sent again now, unless it is proved that its row is not there."""
    settle = outcomes.settle_times(seek.line, seek.target, seek.known).unknown
    return seek.line.worker.ledger.run(
        lambda connection: ahead.waits_for(connection, lease, settle) is not None
    )


def _unlisted(
    seek: Seek, lease: Lease, canonical: inputs.Canonical, absence: Absence
) -> Move | None:
    """What becomes of a delivery where a row of ours stands under an id that follows.

    It is this one's, or another one's, which is not shown either; None where there is none, and of
    kinds that Halo need not show.
    """
    if lease.sent_at is None or seek.target.gives_up is not None:
        return None
    following = absence.following()
    key = seek.target.key
    ours = reference({key: seek.target.reference(lease.source_id, lease.role)}, key)
    ids = following.rows.get(ours.casefold(), [])
    if len(ids) > 1:
        return verdicts.doubled(lease, ours, [FoundRow(one, ours, {}) for one in ids])
    if ids:
        whole = partial(whole_row, seek, lease, str(ids[0]), {})
        return found_row(seek, lease, str(ids[0]), whole, canonical)
    if following.unread is not None:
        return _unread(seek, lease, following.unread)
    return verdicts.unsure(seek, lease) if _shows_another(seek, following) else None


def _unread(seek: Seek, lease: Lease, unread: Unread) -> Move:
    if isinstance(unread.error, Again):
        return verdicts.unanswered(seek, lease, unread.error, unread.what)
    return verdicts.unsure(seek, lease, f"{unread.what} may be its row: {unread.error.what}")


def _shows_another(seek: Seek, following: Following) -> bool:
    """Whether a row stands there that is another delivery's in doubt, which no look-up shows."""
    if not following.rows:
        return False
    open_now = seek.line.worker.ledger.run(
        lambda connection: ahead.in_doubt(connection, seek.line.link.tenant, seek.target.name)
    )
    key = seek.target.key
    wanted = (reference({key: seek.target.reference(*one)}, key).casefold() for one in open_now)
    return any(one in following.rows for one in wanted)


def following(seek: Seek) -> Following:
    """Read the rows that stand under the ids that follow our newest one.

    One that cannot be read tells nothing, and keeps nobody from reading the next.

    Raises:
        NoQuota: there is none for that now.
        NotSent: nothing leaves this machine.
    """
    tenant, target = seek.line.link.tenant, seek.target
    made = seek.line.worker.ledger.run(
        lambda connection: needs.made_last(connection, tenant, target.name, _EVER, 1)
    )
    newest = readable_id(target, made[0].target_id) if made else None
    rows, misses, is_any_told, unread = dict[str, list[int]](), 0, False, list[Unread]()
    ids = [] if newest is None else range(newest + 1, newest + 1 + MOST_NEXT)
    for row_id in ids:
        try:
            carried = or_why(partial(_carried, seek, row_id), twice=True)
        except Absent:
            misses, is_any_told = misses + 1, True
            if misses == NONE_FOLLOWS:
                break
            continue
        misses = 0
        if isinstance(carried, str):
            rows.setdefault(carried.casefold(), []).append(row_id)
            is_any_told = True
            continue
        unread.append(Unread(f"{target.name} {row_id}", carried))
        if isinstance(carried, Again) and not is_of_the_record(carried):
            return Following(rows, unread[-1])
    return Following(rows, None if is_any_told or not unread else unread[0])


def _carried(seek: Seek, row_id: int) -> str:
    """What a row carries where our reference stands; "" where what is shown does not tell it.

    Raises:
        Absent: there is no such row.
        Again: it could not be read.
        MissingScope: it must not be.
    """
    try:
        return reference_on(seek.line, seek.api, seek.target, row_id)
    except (Doubtful, Rejected, Unmappable, Unreadable):
        return ""


def _ahead(seek: Seek, lease: Lease, absence: Absence) -> Move:
    """Sent again ahead of the others, unless another one has gone ahead and is not known yet."""
    times = outcomes.settle_times(seek.line, seek.target, seek.known)
    waited = seek.line.worker.now() - lease.tried_at
    least = times.unknown if is_one_a_call(seek.target, seek.known) else times.answered
    rest = min(max(waited / 4, least), MOST_RESTED * times.unknown)

    def move(connection: Connection) -> object:
        other = ahead.waits_for(connection, lease, times.unknown)
        if absence.looked.is_sure and other is None:
            if sent := send_again(connection, lease, _GOES_AHEAD):
                ahead.go(connection, lease)
            return sent
        why = f"{_NOT_PROVED}; waits until {other}" if other else _NOT_PROVED
        return leased.doubt(connection, [lease], settle=rest, why=why, failed=False)

    round_trips.let_go(seek.line, seek.target, seek.known, lease)
    return verdicts.in_vain(lease, []) if lease.failures >= PARK_AFTER else move
