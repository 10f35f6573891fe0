"""Ids that answers name for new rows: which of them are believed, and which are kept in mind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import Connection

from syncline.calls import capabilities
from syncline.calls.calls import Outcome
from syncline.calls.context import Line
from syncline.deliveries import target_rows
from syncline.deliveries.delivery import Lease
from syncline.halo.capabilities import Capabilities
from syncline.halo.matching import may_be
from syncline.halo.models import HaloRow
from syncline.sending.decide import Write
from syncline.sending.outcomes import Array
from syncline.sending.targets import TARGETS, Target


def believed(
    line: Line,
    target: Target,
    known: Capabilities,
    writes: Iterable[Write],
    came: Mapping[int, HaloRow],
) -> dict[int, HaloRow]:
    """The rows that came back, but for new ones whose id cannot be theirs.

    An id that is none, that two of them share, or that is another delivery's row already says
    nothing: such a row is looked up by its reference, and so is each new one from then on.

    Args:
        line: the connection.
        target: the kind.
        known: what is known of the tenant.
        writes: what was sent.
        came: the rows by the number of the delivery.
    """
    leases = [write.lease for write in writes]
    new = {one.id: came[one.id].id for one in leases if one.target_id is None and one.id in came}
    if not new or target.resource.within:
        return dict(came)
    owners = line.worker.ledger.run_patiently(
        lambda connection: owners_of(connection, target, line.link.tenant, new.values()),
        sleep=line.worker.sleep,
    )
    shared = Counter(new.values())
    wrong = {
        key
        for key, row_id in new.items()
        if row_id <= 0 or shared[row_id] > 1 or owners.get(row_id, key) != key
    }
    if wrong or known.misnames(target.name):
        wrong = set(new)
    return {key: row for key, row in came.items() if key not in wrong}


def disbelieve(line: Line, target: Target) -> None:
    """Keep that an answer named an id that is not its new row's."""
    now, how = line.worker.now(), "a new row has another id than was answered"

    def change(known: Capabilities) -> Capabilities:
        if known.misnames(target.name):
            return known
        return known.with_misnamed(target.name, found_at=now, how=how)

    capabilities.teach(line, change)


def remember(
    line: Line,
    target: Target,
    known: Capabilities,
    ends: Iterable[tuple[Array, Outcome]],
    came: Mapping[int, HaloRow],
    *,
    reads_back: bool,
) -> None:
    """Note the ids that answers name for new rows which the answers alone do not settle.

    Whatever becomes of what is done next, these rows are not made once more. Of the first of a kind
    it is noted that Halo answered, also where it named no id: no second one is made before it is
    known what became of that.
    """
    if target.resource.within or target.gives_up is not None:
        return  # not to be read by an id, or not kept at all
    is_first = target.vital and known.find_way(target.name) is None
    named: dict[int, list[int]] = {}
    leases: list[Lease] = []
    for array, outcome in ends:
        open_ones = {
            write.lease.id
            for write in array.writes
            if write.lease.target_id is None
            and (reads_back or not _is_settled(target, known, came.get(write.lease.id)))
        }
        if outcome.error is not None or not open_ones:
            continue
        rows: Sequence[HaloRow] = outcome.result  # type: ignore[assignment]  # what was saved
        maybe = may_be([write.body for write in array.writes], rows, target.key)
        for write, ids in zip(array.writes, maybe, strict=True):
            if (ids or is_first) and write.lease.id in open_ones:
                leases.append(write.lease)
                named[write.lease.id] = ids
    if leases:
        line.worker.ledger.run_patiently(
            lambda connection: target_rows.note_answered(connection, leases, named),
            sleep=line.worker.sleep,
        )


def _is_settled(target: Target, known: Capabilities, row: HaloRow | None) -> bool:
    return row is not None and target.shows_enough(row.raw, known)


def owners_of(
    connection: Connection, target: Target, tenant_id: int, ids: Collection[int]
) -> dict[int, int]:
    """Whose these rows are known to be: row → delivery."""
    kin = {one.name for one in TARGETS.values() if one.resource is target.resource}
    names = sorted(kin | {target.name})
    owned = target_rows.of_targets(connection, tenant_id, names, ids)
    return {row_id: standing.id for row_id, standing in owned.items()}
