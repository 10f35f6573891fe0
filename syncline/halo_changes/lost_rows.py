"""Rows under ids of ours that are somebody else's by now: their deliveries part with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from syncline.deliveries import target_rows, unleased
from syncline.deliveries.delivery import Lease
from syncline.deliveries.target_rows import TargetRow
from syncline.errors import SynclineError
from syncline.flows import orders, payments, subscriptions
from syncline.halo.models import HaloRow
from syncline.halo.sql.changes import Noun
from syncline.halo_changes.row_changes import being_written
from syncline.halo_changes.unit_of_work import WRITTEN, UnitOfWork
from syncline.sending.restored import mark
from syncline.sending.restored.ownership import no_longer_ours, strays_reference

_NOUN_OF: Mapping[str, Noun] = {
    target: noun for noun, targets in WRITTEN.items() for target in targets
}


class Stray(NamedTuple):
    """A delivery whose row is not its own any more, and the reference which that carries."""

    standing: TargetRow
    carried: str


def find_stray(unit: UnitOfWork, noun: Noun, row: HaloRow) -> Stray | None:
    """The delivery that holds the id of a row which is somebody else's; None where none does.

    Raises:
        BadDocument: the mapping of its connection cannot be read.
    """
    held = target_rows.holding(unit.connection, unit.tenant, WRITTEN[noun], [row.id])
    for standing in held:
        _, document = unit.opened(standing)
        carried = strays_reference(standing, row.raw, document, unit.currency(standing))
        if carried is not None:
            return Stray(standing, carried)
    return None


def part_with(unit: UnitOfWork, lease: Lease, stray: Stray) -> SynclineError | None:
    """Park the delivery without its row, and have the other rows of the same sale looked at."""
    standing, carried = stray
    if unit.is_moving(standing):
        return being_written(standing)
    reason = no_longer_ours(standing.target, standing.target_id or "", carried)
    if not unleased.disown(unit.connection, standing, reason=reason):
        return being_written(standing)
    mark.note(unit.connection, unit.line.link, reason)
    # Whoever got the id of one of them may have got those of the others, which no poll may show.
    others = [one for one in _of_the_same_sale(unit, standing) if one.id != standing.id]
    wanted = [
        (_NOUN_OF[one.target], int(one.target_id))
        for one in others
        if one.target_id and one.target in _NOUN_OF
    ]
    unit.read(wanted, f"{lease.cause}, then {standing.target} {standing.target_id}")
    return None


def _of_the_same_sale(unit: UnitOfWork, standing: TargetRow) -> list[TargetRow]:
    order_id = unit.order_of(standing)
    sale = order_id or standing.source_id
    edge = (orders.FLOW, sale, orders.SOURCE_KIND)
    found = target_rows.of_sources(unit.connection, unit.tenant, [edge])
    depending = target_rows.depending(
        unit.connection,
        unit.tenant,
        standing.place,
        (payments.FLOW, subscriptions.FLOW),
        orders=[sale],
        invoices=[sale],
    )
    return [*found.values(), *depending]
