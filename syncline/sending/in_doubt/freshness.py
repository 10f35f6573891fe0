"""Whether a look-up is fresh: one that does not show what was made lately proves no absence.

Lists and reports may lag, and not always by as much. So a look-up after an unknown outcome asks
for the newest row of its kind too. Where Halo has that row and the look-up does not show it, any
other that it does not show may be there too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from syncline.deliveries import needs
from syncline.errors import Absent, Doubtful, Rejected, Unmappable, Unreadable
from syncline.halo.matching import reference as reference_of
from syncline.halo.sql.finding import LookupResult
from syncline.sending.find import read_row
from syncline.sending.in_doubt.rows import Seek

LATELY = timedelta(hours=1)
"""No look-up lags by more: what was confirmed before says nothing of how fresh it is."""


@dataclass(frozen=True, slots=True)
class Witness:
    """A row of ours that a fresh look-up shows.

    Attributes:
        reference: by which it is looked for.
        row_id: Halo's id of it.
    """

    reference: str
    row_id: int


def witness(seek: Seek) -> Witness | None:
    """The newest row that Halo confirmed to us lately; None where there is none, or none counts."""
    target = seek.target
    if target.gives_up is not None or target.resource.within:
        return None  # Halo may never show such rows, or not by an id
    tenant = seek.line.link.tenant
    made = seek.line.worker.ledger.run(
        lambda connection: needs.made_last(connection, tenant, target.name, LATELY)
    )
    if made is None or not made.target_id.isdecimal():
        return None
    return Witness(target.reference(made.source_id, made.role), int(made.target_id))


def only_what_is_fresh(
    seek: Seek, shown: Witness | None, found: LookupResult, references: Sequence[str]
) -> LookupResult:
    """What a look-up says of references alone; no absence where it does not show the witness.

    Args:
        seek: where it was looked.
        shown: the row that was looked for with them.
        found: the outcome.
        references: those that are asked about.

    Raises:
        SynclineError: it could not be asked whether Halo has the witness.
    """
    rows = {one: found.rows[one] for one in references}
    absent = {one for one, its in rows.items() if not its} - found.unsure
    if shown is None or not absent or _shows(found, shown) or not _has(seek, shown):
        return replace(found, rows=rows)
    return replace(found, rows=rows, unsure=found.unsure | absent)


def _shows(found: LookupResult, shown: Witness) -> bool:
    """Whether it is there, or whether nothing follows from that it is not."""
    ref = shown.reference
    return bool(found.rows.get(ref) or found.like.get(ref)) or ref in found.unsure


def _has(seek: Seek, shown: Witness) -> bool:
    """Whether Halo has the witness under our reference: it may be deleted, or kept otherwise."""
    try:
        row = read_row(seek.line, seek.api, seek.target, shown.row_id)
    except Absent:
        return False
    except (Doubtful, Rejected, Unmappable, Unreadable):
        return True  # it is there, whatever it looks like
    key = seek.target.key
    return reference_of(row, key) == reference_of({key: shown.reference}, key)
