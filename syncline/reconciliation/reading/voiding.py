"""Tenants that leave out whether an invoice is voided: what is missing everywhere is taken as no.

`voided` is nullable by the published schema, and whoever writes no nulls writes nothing. So where
several invoices were read whole by their ids and none of them showed it, its absence means that an
invoice is not voided. The certificate says that this was taken so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any, Final

from syncline.calls import capabilities
from syncline.halo.entities.resources import INVOICE, AnyResource
from syncline.halo.sql.readback import VOIDED
from syncline.reconciliation import compare_records
from syncline.reconciliation.compare_rows import Scope
from syncline.reconciliation.reading.paced_calls import Reader

PROOF: Final = 3
"""So many rows that were read whole by their ids, without it, show that it is left out."""

STILL_READ: Final = 5
"""Rows of a target that a run reads by id once that is known, drawn anew by each run: a tenant that
shows it after all is noticed."""

_SHOWN, _LEFT_OUT = "shows_voided", "leaves_voided_out"


def are_hidden(reader: Reader, kind: AnyResource) -> bool:
    """Whether rows of a kind are known to leave it out."""
    return kind is INVOICE and capabilities.known(reader.line).hides_voided


def drawn(reader: Reader, scope: Scope, targets: Collection[str]) -> list[int]:
    """Some of the invoices that do not show it."""
    look = partial(compare_records.unshown, scope=scope, fields=(VOIDED,), most=STILL_READ)
    found = (reader.worker.ledger.run(partial(look, target=target)) for target in targets)
    return [row for one in found for row in one.rows]


def note(kind: AnyResource, mine: dict[str, Any], row: Mapping[str, Any] | None) -> None:
    """Count a row that was read whole by its id; one that is voided shows it either way.

    Args:
        kind: which row.
        mine: how far the reading of its kind came.
        row: the row, where there is one.
    """
    if kind is not INVOICE or row is None or row.get(VOIDED) is True:
        return
    counted = _SHOWN if VOIDED in row else _LEFT_OUT
    mine[counted] = mine.get(counted, 0) + 1


def conclude(reader: Reader, kind: AnyResource, mine: Mapping[str, Any]) -> None:
    """Learn from what was counted whether it is left out; one row that shows it says no."""
    if kind is not INVOICE:
        return
    known = capabilities.known(reader.line).hides_voided
    hidden = not mine.get(_SHOWN) and (known or mine.get(_LEFT_OUT, 0) >= PROOF)
    if hidden != known:
        how = f"invoices were read by their ids, {mine.get(_SHOWN, 0)} of which showed it"
        now = reader.worker.now()
        capabilities.teach(
            reader.line,
            lambda before: before.with_voided_hidden(hidden=hidden, found_at=now, how=how),
        )
