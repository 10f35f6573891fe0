"""Which of Halo's currency ids stands for an ISO code, asked when a code is new."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from syncline.halo.abilities import Abilities
from syncline.halo.currencies import currency_ids, list_currencies
from syncline.quota.keys import Lane
from syncline.steps import abilities
from syncline.steps.gate import halo_gate
from syncline.steps.parts import Line, Parts


def ids(parts: Parts, line: Line, known: Abilities, wanted: Collection[str]) -> Mapping[str, int]:
    """ISO 4217 code → Halo's id; a code that is not known is looked for once more at Halo.

    Raises:
        SynclineError: Halo could not be asked.
    """
    if set(wanted) - {""} <= set(known.currencies):
        return known.currencies
    gate = halo_gate(parts, line, Lane.DELIVERIES)
    rows = gate.read("GET /Currency", lambda permit: list_currencies(line.halo, permit))
    found = currency_ids(rows)
    abilities.teach(
        parts,
        line,
        lambda before: before.with_currencies(found, found_at=parts.now(), how="GET /Currency"),
    )
    return found
