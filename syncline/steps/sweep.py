"""Swept: what is due, doubtful and settled, or owned by the dead is looked at again.

This alone makes the system converge, whatever messages were lost.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, text

from syncline.ledger import pulls, sessions, waits
from syncline.steps.parts import Nudge, Parts


def sweep(parts: Parts) -> list[Nudge]:
    """Free what the dead held, wake what is ready, and say where there is something to do."""
    settings = parts.settings

    def work(connection: Connection) -> list[Nudge]:
        sessions.recover(connection, settings.dead_after, settings.settle)
        waits.wake_ready(connection)
        return [*_deliveries(connection), *_pulls(connection)]

    return parts.ledger.run(work)


def _deliveries(connection: Connection) -> Iterable[Nudge]:
    found = connection.execute(
        text(
            """
            select distinct c.name, d.target, d.state
            from delivery d join connection c on c.id = d.connection_id
            where d.state in ('due', 'doubtful') and d.due_at <= clock_timestamp()
              and c.state = 'active'
            """
        )
    )
    for row in found:
        yield Nudge(row.name, "send" if row.state == "due" else "look_up", row.target)


def _pulls(connection: Connection) -> Iterable[Nudge]:
    names = {
        row.id: row.name for row in connection.execute(text("select id, name from connection"))
    }
    for connection_id, kind, first, last in pulls.orphans(connection):
        yield Nudge(names[connection_id], f"pull:{kind}:{first}:{last}")
