"""Asking and teaching a tenant's capabilities, which all processes share through the ledger."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from syncline.calls.context import Line
from syncline.halo.capabilities import Capabilities
from syncline.ledger import capabilities


def known(line: Line) -> Capabilities:
    """What is known of the line's tenant now."""
    return line.worker.ledger.run(
        lambda connection: Capabilities.from_rows(
            capabilities.read(connection, line.link.tenant_place)
        ).as_of(line.worker.now())
    )


def teach(line: Line, change: Callable[[Capabilities], Capabilities]) -> Capabilities:
    """Change what is known, one process at a time; returns the new whole."""
    owner = line.link.tenant_place

    def work(connection: Connection) -> Capabilities:
        capabilities.lock(connection, owner)
        before = Capabilities.from_rows(capabilities.read(connection, owner))
        before = before.as_of(line.worker.now())
        after = change(before)
        if after != before:
            capabilities.write(connection, owner, after.to_rows())
        return after

    return line.worker.ledger.run(work)
