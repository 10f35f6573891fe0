"""Whether a look-up is fresh: one that does not show what was made lately proves no absence.

Lists and reports may lag, and not always by as much; and whoever loses a right may be shown empty
lists. So a look-up after an unknown outcome asks for the newest rows of its kind too. Where Halo
has one of them that the look-up does not show, any other may be there as well. Where it shows one
that was made after the write which is asked about, that write's row would be shown too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from syncline.deliveries import needs
from syncline.errors import Absent, Doubtful, Rejected, Unmappable, Unreadable
from syncline.halo.matching import reference
from syncline.halo.sql.finding import LookupResult
from syncline.sending.find import readable_id, reference_on
from syncline.sending.in_doubt.seek import Seek

LATELY = timedelta(days=1)
"""What was confirmed before may be kept out of lists for reasons of its own."""

MOST = 3
"""So many rows are witnesses: a person may have deleted one, and not all of them at once."""


@dataclass(frozen=True, slots=True)
class Witness:
    """A row of ours that a fresh look-up shows.

    Attributes:
        reference: by which it is looked for.
        row_id: Halo's id of it.
        made_after: a moment before which it was not there; None where that is not known.
    """

    reference: str
    row_id: int
    made_after: datetime | None


@dataclass(frozen=True, slots=True)
class Freshness:
    """How new what a look-up shows is.

    Attributes:
        is_stale: it hides a row that Halo has.
        shows_until: it shows what was made until then, as a witness tells; None: it is not told.
    """

    is_stale: bool = False
    shows_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look-up shows, and how new what it shows is.

    Attributes:
        found: the outcome.
        shows_until: it shows what was made until then, as a witness tells; None: it is not told.
        is_sure: whether it was asked for after a witness, where that is a call of its own.
    """

    found: LookupResult
    shows_until: datetime | None = None
    is_sure: bool = True


def witnesses(seek: Seek) -> list[Witness]:
    """The newest rows that Halo confirmed to us lately, the newest first, of kinds that count."""
    target = seek.target
    if target.gives_up is not None:
        return []  # Halo may never show such rows
    tenant = seek.line.link.tenant
    made = seek.line.worker.ledger.run(
        lambda connection: needs.made_last(connection, tenant, target.name, LATELY, MOST)
    )
    return [
        Witness(target.reference(one.source_id, one.role), row_id, one.made_after)
        for one in made
        if (row_id := readable_id(target, one.target_id)) is not None
    ]


def of(seek: Seek, asked: Sequence[Witness], found: LookupResult) -> Freshness:
    """How new what a look-up shows is, by the witnesses that it was asked for.

    Raises:
        SynclineError: it could not be asked whether Halo has a witness.
    """
    told = [one.made_after for one in _shown(asked, found) if one.made_after is not None]
    return Freshness(_is_stale(seek, asked, found), max(told, default=None))


def looked(found: LookupResult, references: Sequence[str], fresh: Freshness) -> Looked:
    """What a look-up says of references alone; no absence where what it shows is stale."""
    rows = {one: found.rows[one] for one in references}
    absent = {one for one, its in rows.items() if not its}
    unsure = found.unsure | absent if fresh.is_stale else found.unsure
    return Looked(replace(found, rows=rows, unsure=unsure), fresh.shows_until)


def is_shown(witness: Witness, found: LookupResult) -> bool:
    """Whether a look-up shows a witness, and not another row that has its reference."""
    name = witness.reference
    shown = [*found.rows.get(name, ()), *found.like.get(name, ())]
    return any(row.id == witness.row_id for row in shown)


def _shown(asked: Sequence[Witness], found: LookupResult) -> list[Witness]:
    return [one for one in asked if is_shown(one, found)]


def _is_stale(seek: Seek, asked: Sequence[Witness], found: LookupResult) -> bool:
    looked_for = [one for one in asked if one.reference in found.rows]
    shown = _shown(asked, found)
    hidden = [one for one in looked_for if one not in shown and one.reference not in found.unsure]
    if any(_has(seek, one) for one in hidden):
        return True
    # Several that are gone at once speak of a right that was lost, or of a tenant put back in time.
    return not shown and len(hidden) > 1


def _has(seek: Seek, shown: Witness) -> bool:
    """Whether Halo has the witness under our reference: it may be deleted, or kept otherwise."""
    try:
        kept = reference_on(seek.line, seek.api, seek.target, shown.row_id)
    except Absent:
        return False
    except (Doubtful, Rejected, Unmappable, Unreadable):
        return True  # it is there, whatever it looks like
    key = seek.target.key
    return kept == reference({key: shown.reference}, key)
