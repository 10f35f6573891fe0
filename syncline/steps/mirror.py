"""Halo's users by e-mail, asked right before customers are created, so that none is doubled."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from syncline.errors import Absent, MissingScope, Rejected
from syncline.halo.abilities import FindProof, FindWay
from syncline.quota.keys import Lane
from syncline.steps import abilities
from syncline.steps.find import find
from syncline.steps.gate import Gate, halo_gate
from syncline.steps.parts import Line, Parts
from syncline.steps.targets import TARGETS


def users(parts: Parts, line: Line, emails: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Halo's users with these normalised addresses; of several, the oldest.

    Raises:
        SynclineError: Halo could not be asked.
    """
    wanted = sorted(set(emails))
    if not wanted:
        return {}
    target = TARGETS["user"]
    gate = halo_gate(parts, line, Lane.DELIVERIES)
    found = find(line, gate, target, _way(parts, line, gate), wanted)
    return {
        email: dict(min(rows, key=lambda row: row.id).row)
        for email, rows in found.rows.items()
        if rows
    }


def _way(parts: Parts, line: Line, gate: Gate) -> FindWay:
    """SQL where the tenant runs it, else whole pages; which one is asked once and remembered."""
    known = abilities.known(parts, line).find_proof("user", FindWay.SQL)
    if known is not None:
        return FindWay.SQL if known.proved else FindWay.PAGES
    try:
        find(line, gate, TARGETS["user"], FindWay.SQL, ["nobody@invalid"])
    except (Absent, MissingScope, Rejected):
        works = False
    else:
        works = True
    abilities.teach(
        parts,
        line,
        lambda before: before.with_find_proof(
            "user",
            FindWay.SQL,
            FindProof(proved=works, lag=timedelta(0)),
            found_at=parts.now(),
            how="a report that finds nobody",
        ),
    )
    return FindWay.SQL if works else FindWay.PAGES
