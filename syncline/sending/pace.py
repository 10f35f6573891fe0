"""Paced: a part-filled array leaves at most once in the time that a call of the quota takes.

Rows come in batches, and several senders look at once. If each took what it found, a tenant of 300
calls in 300 s would see its calls go out on arrays of one or two rows. An array that can be filled
to a proved size is never held back, nor is the first row after a pause. What an event asks for does
not come here: it leaves at once, and fills its arrays by itself where quota makes it wait.
"""

from __future__ import annotations

from syncline.calls.context import Line
from syncline.deliveries import outstanding
from syncline.engine.rounds import NextRun
from syncline.halo.array_size import ArraySize
from syncline.queues import Lane


def hold_back(line: Line, target: str, size: ArraySize) -> NextRun | None:
    """When to look again, for more rows or since none is due; None to send at once.

    Args:
        line: the connection.
        target: what is to be written.
        size: how many elements the target takes; one that is not proved is tried in turn too,
            so that senders do not all try it before the first has learnt from it.
    """
    found = line.worker.ledger.run(
        lambda connection: outstanding.count_due(connection, line.link.id, target, size.next())
    )
    if not found:
        return NextRun.when_due()
    if found >= size.next() and size.next() <= size.proved:
        return None
    pause = max(limit.window / limit.calls for limit in line.halo_key.limits)
    turn = f"array:{target}"
    if line.worker.nudges.claim(line.link.tenant_place, Lane.DELIVERIES, turn, forget=pause):
        return None
    return NextRun.later(pause)
