"""Asking and teaching a tenant's abilities, which all processes share through the ledger."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from syncline.halo.abilities import Abilities
from syncline.ledger import abilities
from syncline.steps.parts import Line, Parts


def known(parts: Parts, line: Line) -> Abilities:
    """What is known of the line's tenant now."""
    return parts.ledger.run(
        lambda connection: Abilities.from_rows(abilities.read(connection, line.link.tenant_place))
    )


def teach(parts: Parts, line: Line, change: Callable[[Abilities], Abilities]) -> Abilities:
    """Change what is known, one process at a time; returns the new whole."""
    owner = line.link.tenant_place

    def work(connection: Connection) -> Abilities:
        abilities.lock(connection, owner)
        before = Abilities.from_rows(abilities.read(connection, owner))
        after = change(before)
        if after != before:
            abilities.write(connection, owner, after.to_rows())
        return after

    return parts.ledger.run(work)
