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
from datetime import timedelta
from functools import partial

from sqlalchemy import Connection

from syncline.calls.calls import NoQuota
from syncline.deliveries import leased, needs
from syncline.deliveries.delivery import Lease
from syncline.deliveries.target_rows import none_is_ours
from syncline.engine.failures import PARK_AFTER, Move
from syncline.errors import Absent, Again, Doubtful, NotSent, Rejected, Unmappable, Unreadable
from syncline.halo.matching import reference
from syncline.ledger import calls
from syncline.sending import inputs, outcomes, round_trips
from syncline.sending.find import is_one_a_call, readable_id, reference_on
from syncline.sending.in_doubt import verdicts
from syncline.sending.in_doubt.freshness import Looked
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
class Following:
    """What stands under the ids that follow our newest one.

    Attributes:
        rows: what each carries where our reference stands, in small letters → its id.
        error: why not all of them could be read.
    """

    rows: Mapping[str, int]
    error: Again | None = None


@dataclass(frozen=True, slots=True)
class Absence:
    """That a look-up which can show a row does not.

    Attributes:
        looked: what it shows, and how new that is.
        following: what no look-up shows may stand here; read when it is asked for first.
    """

    looked: Looked
    following: Callable[[], Following]


def absent(seek: Seek, lease: Lease, canonical: inputs.Canonical, absence: Absence | None) -> Move:
    """What becomes of a delivery whose row is not shown: sent again, or looked for once more.

    A person's word that none is its row is proof enough, and so is that it was never sent. Of
    kinds that Halo need not show, none is a witness. A look-up that cannot show it proves
    nothing.
    """
    if absence is None:
        return verdicts.unsure(seek, lease)
    is_proved = (
        seek.target.gives_up is not None
        or lease.sent_at is None
        or none_is_ours(lease.target_meta)
        or _covers(seek, lease, absence)
    )
    if is_proved or lease.failures >= PARK_AFTER:
        return verdicts.absent(seek, lease)
    return _unlisted(seek, lease, canonical, absence.following()) or _ahead(seek, lease, absence)


def _covers(seek: Seek, lease: Lease, absence: Absence) -> bool:
    """Whether what is shown is newer than the write that is asked about."""
    shows_until, call_id = absence.looked.shows_until, lease.call_id
    if shows_until is None or call_id is None:
        return False
    ended = seek.line.worker.ledger.run(lambda connection: calls.ended_at(connection, call_id))
    return ended is not None and shows_until > ended


def _unlisted(
    seek: Seek, lease: Lease, canonical: inputs.Canonical, following: Following
) -> Move | None:
    """What becomes of a delivery where a row of ours stands under an id that follows.

    It is this one's, or another one's, which is not shown either; None where there is none.
    """
    key = seek.target.key
    ours = reference({key: seek.target.reference(lease.source_id, lease.role)}, key)
    row_id = following.rows.get(ours.casefold())
    if row_id is not None:
        whole = partial(whole_row, seek, lease, str(row_id), {})
        return found_row(seek, lease, str(row_id), whole, canonical)
    if following.error is not None:
        return verdicts.unanswered(seek, lease, following.error)
    return verdicts.unsure(seek, lease) if _shows_another(seek, following) else None


def _shows_another(seek: Seek, following: Following) -> bool:
    """Whether a row stands there that is another delivery's in doubt, which no look-up shows."""
    if not following.rows:
        return False
    open_now = seek.line.worker.ledger.run(
        lambda connection: needs.in_doubt(connection, seek.line.link.tenant, seek.target.name)
    )
    key = seek.target.key
    wanted = (reference({key: seek.target.reference(*one)}, key).casefold() for one in open_now)
    return any(one in following.rows for one in wanted)


def following(seek: Seek) -> Following:
    """Read the rows that stand under the ids that follow our newest one.

    Raises:
        NoQuota: there is none for that now.
        NotSent: nothing leaves this machine.
    """
    tenant, target = seek.line.link.tenant, seek.target
    made = seek.line.worker.ledger.run(
        lambda connection: needs.made_last(connection, tenant, target.name, _EVER, 1)
    )
    newest = readable_id(target, made[0].target_id) if made else None
    rows, misses = dict[str, int](), 0
    if newest is None:
        return Following(rows)
    for row_id in range(newest + 1, newest + 1 + MOST_NEXT):
        try:
            rows[reference_on(seek.line, seek.api, target, row_id).casefold()] = row_id
            misses = 0
        except (NoQuota, NotSent):
            raise
        except Absent:
            misses += 1
        except Again as error:
            return Following(rows, error)
        except (Doubtful, Rejected, Unmappable, Unreadable):
            misses = 0  # whatever stands there does not tell whose it is
        if misses == NONE_FOLLOWS:
            break
    return Following(rows)


def _ahead(seek: Seek, lease: Lease, absence: Absence) -> Move:
    """Sent again ahead of the others, unless another one has gone ahead and is not known yet."""
    times = outcomes.settle_times(seek.line, seek.target, seek.known)
    waited = seek.line.worker.now() - lease.tried_at
    least = times.unknown if is_one_a_call(seek.target, seek.known) else times.answered
    rest = min(max(waited / 4, least), MOST_RESTED * times.unknown)

    def move(connection: Connection) -> object:
        if absence.looked.is_sure and needs.go_ahead(connection, lease, times.unknown):
            return leased.give_back(connection, [lease], why=_GOES_AHEAD)
        return leased.doubt(connection, [lease], settle=rest, why=_NOT_PROVED, failed=False)

    round_trips.let_go(seek.line, seek.target, seek.known, lease)
    return move
