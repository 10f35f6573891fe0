"""Swept: what is due, doubtful and settled, or owned by the dead is looked at again.

This alone makes the system converge, whatever messages were lost.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from syncline.calls.context import Nudge, WorkerContext
from syncline.deliveries import dead_workers, unleased, waits
from syncline.deliveries.in_doubt import sent_again
from syncline.engine.handlers import Works
from syncline.errors import SynclineError
from syncline.flows import customers
from syncline.halo_changes import reading
from syncline.ingest import pull_windows
from syncline.ledger import connections, modes, statistics
from syncline.ledger.database import text
from syncline.runtime.registry import HANDLERS
from syncline.webhooks import queue as event_queue

_log = logging.getLogger(__name__)


def sweep(worker: WorkerContext) -> list[Nudge]:
    """Free what the dead held, wake what is ready, and say where there is something to do."""
    settings = worker.settings

    def work(connection: Connection) -> tuple[list[Nudge], list[str]]:
        dead_workers.recover(connection, settings.dead_after, settings.settle)
        # Rows of Halo are read for the whole tenant, whoever's webhook or poll hinted at them.
        connections.hand_over(connection, [customers.FLOW], also_never_worked=[reading.FLOW])
        unleased.release_held_for_others(connection, [customers.FLOW])
        waits.wake_ready(connection)
        nudges = [
            *_events(connection),
            *_deliveries(connection),
            *_sent_again(connection, settings.settle),
            *_pulls(connection),
            *_new_rules(connection),
        ]
        return nudges, statistics.missing(connection)

    nudges, unknown = worker.ledger.run(work)
    _tell_the_planner(worker, unknown)
    return nudges


def _tell_the_planner(worker: WorkerContext, tables: Iterable[str]) -> None:
    """Without it all is slower and nothing is wrong: a failure holds back nothing that is due."""
    for table in tables:
        try:
            worker.ledger.run(partial(statistics.gather, table=table))
        except (DBAPIError, SynclineError):
            _log.warning(
                "%s could not be analysed; the next sweep tries again", table, exc_info=True
            )


def _events(connection: Connection) -> Iterable[Nudge]:
    if event_queue.is_waiting(connection):
        yield Nudge("", "events")


def _deliveries(connection: Connection) -> Iterable[Nudge]:
    """One look into the index for each connection, target and state: cheap however much is due."""
    found = connection.execute(
        text(
            """
            select c.name, t.target, s.state
            from connection c
            cross join unnest(cast(:targets as text[])) as t (target)
            cross join unnest(array['due', 'doubtful']) as s (state)
            cross join lateral (
                select d.id from delivery d
                where d.connection_id = c.id and d.target = t.target
                  and d.state in ('due', 'doubtful') and d.state = s.state
                  and d.due_at <= statement_timestamp()
                order by d.due_at limit 1) d
            where c.state = 'active' or c.state = 'rehearsing' and t.target = any(:read)
               or c.state = 'stopped' and c.note not like all(:by_a_person)
                  and t.target = any(:told)
            """
        ),
        {
            "targets": list(HANDLERS),
            "read": [name for name, one in HANDLERS.items() if one.may_work is Works.READS],
            "told": [name for name, one in HANDLERS.items() if one.may_work is Works.TELLS],
            "by_a_person": [f"{begin}%" for begin in connections.BY_A_PERSON],
        },
    )
    for row in found:
        yield Nudge(row.name, "send" if row.state == "due" else "look_up", row.target)


def _sent_again(connection: Connection, settle: timedelta) -> Iterable[Nudge]:
    for name, target in sent_again.to_look_at(connection, settle):
        yield Nudge(name, "look_up", target)


def _pulls(connection: Connection) -> Iterable[Nudge]:
    for name, kind, first, last in pull_windows.orphans(connection):
        yield Nudge(name, f"pull:{kind}:{first}:{last}")


def _new_rules(connection: Connection) -> Iterable[Nudge]:
    for name in modes.under_new_rules(connection):
        yield Nudge(name, "owe_again")
