"""Rows that may be a delivery's own, though they are not found by our reference as it was sent.

An answer named their id, a list shows our reference in another letter case or cut, or an external
link names them. They are read by their ids and compared: nothing is made again before.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection

from syncline.calls.calls import NoQuota
from syncline.calls.halo_queries import NO_REPORT, REFUSED_FOR
from syncline.deliveries import leased, needs
from syncline.deliveries.delivery import Lease
from syncline.deliveries.target_rows import answered_in, none_is_ours
from syncline.engine.failures import PARK_AFTER, Move, still_in_doubt
from syncline.errors import Absent, Again, Doubtful, NotSent, Rejected, Unmappable, Unreadable
from syncline.flows.flow import Difference
from syncline.halo.capabilities import FindWay
from syncline.halo.matching import reference
from syncline.halo.sql.finding import FoundRow, ways_of
from syncline.queues import Lane
from syncline.sending import inputs
from syncline.sending.completing import completed
from syncline.sending.find import find, read_row
from syncline.sending.in_doubt import verdicts
from syncline.sending.in_doubt.answered_ids import owners_of
from syncline.sending.in_doubt.resend import Absence, absent
from syncline.sending.in_doubt.rows import (
    NOT_READ,
    SeenRow,
    compared,
    kept_otherwise,
    unread,
    whole_row,
)
from syncline.sending.in_doubt.seek import Seek
from syncline.sending.tenant.references import only_reference

TRIES = 4
"""So often a row that an answer named is read before a person is asked which one it is: it may be
changing still."""

MOST_READ = 10
"""So many rows are read for one delivery at a time: an answer may name many that are nobody's."""


def of_maybe(
    seek: Seek,
    lease: Lease,
    like: Sequence[int],
    canonical: inputs.Canonical,
    absence: Absence,
) -> Move:
    """What becomes of a delivery that no row was found for by its reference.

    Args:
        seek: where it was looked for.
        lease: the delivery.
        like: rows whose reference may be ours.
        canonical: its record.
        absence: how far it is proved that no row has our reference.
    """
    answered = answered_in(lease.target_meta)
    told_none = none_is_ours(lease.target_meta)
    nobodys = [] if told_none else _nobodys(seek, lease, [*answered, *like])
    ids, left = _in_turn(nobodys, lease.failures)
    others, gone = list[str](), list[int]()
    for row_id in ids:
        try:
            shown = _read(seek, row_id)
        except (NoQuota, NotSent):
            raise
        except Absent:
            gone.append(row_id)
            continue
        except Again as error:
            return verdicts.unanswered(seek, lease, error)
        except (Doubtful, Rejected, Unmappable, Unreadable) as error:
            others.append(f"{row_id} ({error.what})")
            continue
        why = _why_not(seek, lease, shown, canonical)
        if why is None:
            return _taken(seek, lease, row_id, _as_ours(seek, lease, row_id, shown, canonical))
        others.append(f"{row_id} ({why})")
    if left:
        others.append(f"{left} more")
    if others:
        return _another(seek, lease, others, is_answered=bool(answered))
    if gone and lease.failures < TRIES:
        # Halo named it, so that it may only not be shown yet; made again at once, it would be two.
        return still_in_doubt(lease, f"looked up: Halo does not show {seek.target.name} {gone[0]}")
    return absent(seek, lease, canonical, absence)


def rows_by_link(seek: Seek, ours: str) -> list[FoundRow]:
    """The rows that external links name for our reference, at a tenant with links."""
    if not _has_links(seek):
        return []
    rows = _linked(seek, ours)
    if rows == [] and _shows_none(seek):
        _note(seek, "no links")
    return rows or []


def of_linked(seek: Seek, lease: Lease, row_id: int, canonical: inputs.Canonical) -> Move | None:
    """What becomes of a delivery whose row a link names; None where Halo has no such row.

    None too where that is another record's row and a person has said that none is this one's.
    """
    if is_anothers(seek, lease, row_id):
        return None if none_is_ours(lease.target_meta) else of_anothers(seek, lease, row_id)
    try:
        shown = whole_row(seek, lease, str(row_id), {}, linked=True)
    except (NoQuota, NotSent):
        raise
    except Absent:
        return None  # the link may have outlived it
    except NOT_READ as error:
        return unread(seek, lease, str(row_id), error)
    return _taken(seek, lease, row_id, compared(seek, lease, str(row_id), shown, canonical))


def is_anothers(seek: Seek, lease: Lease, row_id: int) -> bool:
    """Whether a row that a link leads to is known to be another delivery's."""
    return not _nobodys(seek, lease, [row_id])


def of_anothers(seek: Seek, lease: Lease, row_id: int) -> Move:
    """A link leads to another delivery's row: somebody merged two rows, or moved the link."""
    name = seek.target.name
    if lease.failures < TRIES:
        return still_in_doubt(lease, f"looked up: {name} {row_id} is another one's")
    reason = (
        f"It is not found by our reference, and the external link with it leads to {name} "
        f"{row_id}, which is another record's."
    )
    return lambda connection: leased.park(connection, [lease], reason=reason, field=None)


def _in_turn(ids: Sequence[int], failures: int) -> tuple[list[int], int]:
    """Which of these rows are read this time, and how many are not: each has its turn."""
    at = failures * MOST_READ % len(ids) if len(ids) > MOST_READ else 0
    turn = [*ids[at:], *ids[:at]][:MOST_READ]
    return turn, len(ids) - len(turn)


def _as_ours(
    seek: Seek, lease: Lease, row_id: int, shown: SeenRow, canonical: inputs.Canonical
) -> Move:
    """What becomes of a delivery whose row this is, or seems to be by all but our reference.

    By its contents alone a row is never confirmed: its reference is for a person to judge.
    """
    ours, key = seek.target.reference(lease.source_id, lease.role), seek.target.key
    kept = reference(shown.row, key)
    if kept.casefold() == ours.casefold():
        return compared(seek, lease, str(row_id), shown, canonical)
    differs = Difference(key, ours, kept)
    return kept_otherwise(seek, lease, {**shown.row, "id": row_id}, [differs])


def _taken(seek: Seek, lease: Lease, row_id: int, move: Move) -> Move:
    """The move, unless the row has become another delivery's meanwhile."""

    def work(connection: Connection) -> object:
        owners = owners_of(connection, seek.target, lease.tenant_id, [row_id])
        if owners.get(row_id, lease.id) == lease.id:
            return move(connection)
        why = f"looked up: {seek.target.name} {row_id} is another one's"
        return still_in_doubt(lease, why)(connection)

    return work


def _nobodys(seek: Seek, lease: Lease, ids: Collection[int]) -> list[int]:
    """Those of these rows that are not known to be another delivery's."""
    if not ids:
        return []
    owners = seek.line.worker.ledger.run(
        lambda connection: owners_of(connection, seek.target, lease.tenant_id, ids)
    )
    return [one for one in dict.fromkeys(ids) if owners.get(one, lease.id) == lease.id]


def _read(seek: Seek, row_id: int) -> SeenRow:
    row = read_row(seek.line, seek.api, seek.target, row_id)
    return SeenRow(completed(seek.line, seek.api, seek.target, row), whole=True)


def _why_not(seek: Seek, lease: Lease, shown: SeenRow, canonical: inputs.Canonical) -> str | None:
    """Why a row does not count as this delivery's; None where it does."""
    target, wanted = seek.target, lease.sent_projection
    lacking = target.lacks(shown.row)
    if lacking or not wanted:
        return f"it does not show {' and '.join(lacking) or 'what was sent'}"
    ours = target.reference(lease.source_id, lease.role)
    if reference(shown.row, target.key).casefold() == ours.casefold():
        return None
    currency = inputs.currency_of(canonical)
    different = target.compares(wanted, shown.row, seek.line.document, currency, whole=True)
    if not different or only_reference(target.resource, different):
        return None
    fields = {target.resource.reference, target.resource.carries_too}
    first = next(one for one in different if one.field not in fields)
    return f"{first.field}: wanted {first.wanted}, Halo holds {first.got}"


def _another(seek: Seek, lease: Lease, others: Sequence[str], *, is_answered: bool) -> Move:
    """No row that may be it holds what was sent: asked again for a while, and then of a person."""
    name, rows = seek.target.name, ", ".join(others)
    why = f"looked up: not found by our reference, and {name} {rows} may be ours"
    if lease.failures < min(TRIES, PARK_AFTER):
        return still_in_doubt(lease, why)
    how = "Halo's answer to our write named" if is_answered else "our reference may stand on"
    reason = f"It is not found by our reference, and {how} {name} {rows}."
    return lambda connection: leased.park(connection, [lease], reason=reason, field=None)


def _has_links(seek: Seek) -> bool:
    target, known = seek.target, seek.known
    if FindWay.LINK not in ways_of(target.name) or known.find_way(target.name) is FindWay.LINK:
        return False
    place = seek.line.link.tenant_place
    key = f"no links:{target.name}"
    return not seek.line.worker.nudges.is_pending(place, Lane.DELIVERIES, key)


def _linked(seek: Seek, ours: str) -> list[FoundRow] | None:
    """The rows that links name for a reference; None where the tenant does not offer links."""
    try:
        found = find(seek.line, seek.api, seek.target, FindWay.LINK, [ours])
    except NO_REPORT:
        _note(seek, "no links")
        return None
    return found.rows[ours]


def _shows_none(seek: Seek) -> bool:
    """Whether no link leads to a row that we made, so that none has to be asked for."""
    target, place = seek.target, seek.line.link.tenant_place
    if seek.line.worker.nudges.is_pending(place, Lane.DELIVERIES, f"links:{target.name}"):
        return False
    tenant = seek.line.link.tenant
    made = seek.line.worker.ledger.run(lambda c: needs.made_by_us(c, tenant, target.name))
    if made is None:
        return False
    rows = _linked(seek, target.reference(made.source_id, made.role))
    if rows:
        _note(seek, "links")
    return rows == []


def _note(seek: Seek, what: str) -> None:
    place = seek.line.link.tenant_place
    key = f"{what}:{seek.target.name}"
    seek.line.worker.nudges.claim(place, Lane.DELIVERIES, key, forget=REFUSED_FOR)
