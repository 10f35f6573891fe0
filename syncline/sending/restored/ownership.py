"""Rows that stand under an id of ours and are somebody else's by now.

Halo gives ids anew after it was restored from a backup. A reference that a person typed over tells
nothing of that by itself, so that such a row must differ in what else it is known by, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from syncline.deliveries.target_rows import TargetRow, accepted_in
from syncline.flows import projections
from syncline.flows.flow import Difference
from syncline.halo.entities.resources import USER
from syncline.halo.matching import is_like, reference
from syncline.halo.models import whole
from syncline.mapping.document import Document
from syncline.sending.targets import TARGETS, Target

NOT_OURS = "in Halo is no longer ours"
"""How a reason says it; what stands under the id is never written."""

_SOLD = ("client_id", "currency_code")
_KNOWN_BY: Mapping[str, tuple[str, ...]] = {
    "client": ("name",),
    "user": ("name",),
    "order": _SOLD,
    "invoice": _SOLD,
    "credit": _SOLD,
    "payment": ("invoice_id", "amount"),
    "recurring": _SOLD,
}
"""Target → the fields that a row is known by, besides our reference.

What people change of what is theirs to work on, such as an order's prices, is none of them: were it
taken for somebody else's, it would be made a second time.
"""

_NOTHING = ("", "0")
"""What a field holds that is not shown; Halo writes none of an id as nought too."""


def others_reference(
    target: Target,
    wanted: Mapping[str, str] | None,
    meta: Mapping[str, Any] | None,
    row: Mapping[str, Any],
    document: Document,
    currency: str,
) -> str | None:
    """The reference that a row carries which is not ours any more; None where it may be ours.

    Args:
        target: the kind of row.
        wanted: what was confirmed of it last, else what was sent.
        meta: what the delivery keeps beside its row, what a person accepted of it among that.
        row: as Halo shows it under the id that is ours.
        document: the mapping of the delivery's connection.
        currency: ISO 4217 of its amounts; "" where it is not known.
    """
    if not wanted or target.name not in _KNOWN_BY or _carried(target, wanted, row) is None:
        return None
    found = target.compares(wanted, row, document, currency)
    different = projections.remaining(found, accepted_in(meta))
    return stray_reference(target, wanted, row, different, has_moved=_has_moved(target, meta, row))


def strays_reference(
    standing: TargetRow, row: Mapping[str, Any], document: Document, currency: str
) -> str | None:
    """The same of the row that a delivery holds, by what was confirmed of it."""
    target, meta = TARGETS[standing.target], standing.target_meta
    return others_reference(target, standing.confirmed, meta, row, document, currency)


def stray_reference(
    target: Target,
    wanted: Mapping[str, str],
    row: Mapping[str, Any],
    different: Iterable[Difference],
    *,
    has_moved: bool = False,
) -> str | None:
    """The same where it is known in what the row differs, but for what was accepted of it.

    Args:
        target: the kind of row.
        wanted: what was confirmed of it.
        row: as Halo shows it.
        different: in what it is not as it was wanted.
        has_moved: whether it differs in something that is not compared, too.
    """
    found = list(different)
    references = {target.resource.reference, target.resource.carries_too}
    is_accepted = not any(one.field in references for one in found)
    tells = any(one.field in _KNOWN_BY[target.name] and one.got not in _NOTHING for one in found)
    if is_accepted or not (has_moved or tells):
        return None
    return _carried(target, wanted, row)


def no_longer_ours(name: str, row_id: str, carried: str) -> str:
    """Why such a row's delivery needs a person."""
    return f"{name} {row_id} {NOT_OURS}: it carries {carried}."


def _carried(target: Target, wanted: Mapping[str, str], row: Mapping[str, Any]) -> str | None:
    """Somebody else's reference on a row; None where it has none, or one that may be ours."""
    carried = ""
    for field in (target.resource.reference, target.resource.carries_too):
        ours, theirs = wanted.get(field, ""), reference(row, field)
        if ours and theirs and is_like(theirs, ours):
            return None
        carried = carried or theirs
    return carried or None


def _has_moved(target: Target, meta: Mapping[str, Any] | None, row: Mapping[str, Any]) -> bool:
    """Whether a user belongs to another client than when it was confirmed."""
    was, now = whole((meta or {}).get("client_id")), whole(row.get("client_id"))
    return target.resource is USER and was is not None and now is not None and was != now
