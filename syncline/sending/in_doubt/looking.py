"""Looked for by our references, in the way that is proved, and the newest rows of the kind beside.

An answer tells of its own moment. Where each reference is a call of its own, what was not shown is
asked for once more after a witness was shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from syncline.calls.calls import NoQuota
from syncline.deliveries.delivery import Lease
from syncline.deliveries.in_doubt.ahead import gone_ahead
from syncline.engine.failures import is_of_the_record
from syncline.errors import Absent, Again, MissingScope, NotSent, Rejected, Unreadable
from syncline.halo.capabilities import FindWay
from syncline.halo.sql.finding import LookupResult, ways_of
from syncline.sending.find import find, is_one_a_call
from syncline.sending.in_doubt import freshness
from syncline.sending.in_doubt.freshness import Freshness, Looked, Witness
from syncline.sending.in_doubt.seek import Seek

Answer = TypeVar("Answer")

MOST = 100
"""References of one look-up: with SQL, one call answers for all."""

MOST_ONCE_MORE = 2
"""So many are asked for once more where no witness was made since: one of them goes ahead."""

Group = tuple[Sequence[Lease], Looked | Again | MissingScope]
"""Deliveries that were looked for together: what that shows, or why it could not be asked."""


def looked_for(seek: Seek, leases: Sequence[Lease]) -> Iterator[Group]:
    """Look for the rows of deliveries; what is shown comes first, one by one where it is asked so.

    Raises:
        SynclineError: none could be looked for.
    """
    if not leases:
        return
    newest = freshness.witnesses(seek)
    if is_one_a_call(seek.target, seek.known):
        yield from _one_a_call(seek, leases, newest)
        return
    for at in range(0, len(leases), MOST):
        group = leases[at : at + MOST]
        yield group, or_why(partial(_together, seek, group, newest))


def looked_again(seek: Seek, references: Sequence[str]) -> Looked:
    """Look for rows that are known, and for the newest ones beside.

    Raises:
        SynclineError: they could not be looked for.
    """
    newest = [one for one in freshness.witnesses(seek) if one.reference not in references]
    if is_one_a_call(seek.target, seek.known):
        newest = newest[:1]
        found = LookupResult({}, frozenset())
        for name in [*references, *(one.reference for one in newest)]:
            found = _both(found, _find(seek, [name]))
    else:
        found = _find(seek, [*references, *(one.reference for one in newest)])
    return freshness.looked(found, references, freshness.of(seek, newest, found))


def or_why(ask: Callable[[], Answer], *, twice: bool = False) -> Answer | Again | MissingScope:
    """What is answered, or why not, perhaps for the sake of what is asked for: others are asked.

    Args:
        ask: asks.
        twice: whether it is asked once more where that may heal it.

    Raises:
        NoQuota: there is none for that now.
        NotSent: nothing leaves this machine.
    """
    try:
        return ask()
    except (NoQuota, NotSent):
        raise
    except (Again, MissingScope) as error:
        may_heal = twice and isinstance(error, Again) and is_of_the_record(error)
        return or_why(ask) if may_heal else error


def searched(seek: Seek, references: Sequence[str]) -> LookupResult:
    """Look for references by Halo's own search."""
    return find(seek.line, seek.api, seek.target, FindWay.SEARCH, references)


def _together(seek: Seek, group: Sequence[Lease], newest: Sequence[Witness]) -> Looked:
    references = [_reference(seek, lease) for lease in group]
    asked = [one for one in newest if one.reference not in references]
    found = _find(seek, [*references, *(one.reference for one in asked)])
    is_all = all(found.rows[one] for one in references)
    fresh = Freshness() if is_all else freshness.of(seek, asked, found)
    return freshness.looked(found, references, fresh)


def _one_a_call(seek: Seek, leases: Sequence[Lease], newest: Sequence[Witness]) -> Iterator[Group]:
    absent = dict[int, Looked]()
    for lease in leases:
        looked = _alone(seek, lease, Freshness())
        is_shown = isinstance(looked, Looked) and any(looked.found.rows.values())
        if newest and isinstance(looked, Looked) and not is_shown:
            absent[lease.id] = looked
        else:
            yield [lease], looked
    left = [one for one in leases if one.id in absent]
    fresh = or_why(partial(_shown_by_now, seek, newest)) if left else Freshness()
    if isinstance(fresh, Again | MissingScope):
        yield left, fresh
        return
    for at, lease in enumerate(sorted(left, key=lambda one: gone_ahead(one.target_meta))):
        proves = fresh.shows_until is not None and fresh.shows_until > lease.tried_at
        if not fresh.is_stale and (proves or at < MOST_ONCE_MORE):
            yield [lease], _alone(seek, lease, fresh)
        else:
            # Asked for once more it could at most go ahead, which one before it does.
            found = absent[lease.id].found
            looked = freshness.looked(found, [_reference(seek, lease)], fresh)
            yield [lease], replace(looked, is_sure=False)


def _alone(seek: Seek, lease: Lease, fresh: Freshness) -> Looked | Again | MissingScope:
    reference = _reference(seek, lease)
    return or_why(lambda: freshness.looked(_find(seek, [reference]), [reference], fresh))


def _shown_by_now(seek: Seek, newest: Sequence[Witness]) -> Freshness:
    """How new what is shown is: by the first of the newest rows that is shown, twice in a row.

    An answer may be true only now and then, as where one of several servers lags.
    """
    found = LookupResult({}, frozenset())
    for one in newest:
        beside = _find(seek, [one.reference])
        found = _both(found, beside)
        if freshness.is_shown(one, beside):
            if not freshness.is_shown(one, _find(seek, [one.reference])):
                return Freshness(is_stale=True)
            break
    return freshness.of(seek, newest, found)


def _both(one: LookupResult, other: LookupResult) -> LookupResult:
    return LookupResult(
        {**one.rows, **other.rows}, one.unsure | other.unsure, {**one.like, **other.like}
    )


def _reference(seek: Seek, lease: Lease) -> str:
    return seek.target.reference(lease.source_id, lease.role)


def _find(seek: Seek, references: list[str]) -> LookupResult:
    """By the proved way; before one is proved, by those that can prove an absence."""
    line, api, target = seek.line, seek.api, seek.target
    proved = seek.known.find_way(target.name)
    table = target.resource.table
    is_guess = table is not None and table.guessed
    # Where no report has found anything yet, one that finds nothing may be unable to.
    unproved = ways_of(target.name)[0]
    if is_guess or not seek.known.ran_reports:
        unproved = FindWay.PAGES
    try:
        found = find(line, api, target, proved or unproved, references)
        return _without_link(seek, found) if proved is FindWay.LINK else found
    except (Rejected, Unreadable):
        # Reports come and go, so lists are read too; another proved way has no better one.
        if proved not in {None, FindWay.SQL}:
            return LookupResult({name: [] for name in references}, frozenset(references))
    except (Absent, MissingScope):
        pass  # that way is not offered, or not any more
    return find(line, api, target, FindWay.PAGES, references)


def _without_link(seek: Seek, found: LookupResult) -> LookupResult:
    """A row may be there whose link was not made or does not show yet: asked in a second way."""
    absent = [name for name, rows in found.rows.items() if not rows]
    if not absent:
        return found
    again = searched(seek, absent)
    like = {**found.like, **again.like}
    return LookupResult({**found.rows, **again.rows}, again.unsure, like)
