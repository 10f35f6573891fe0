"""What keeps an empty answer from meaning that all is well: nothing read, nobody at work, silence.

"Nothing is parked" is true of a connection that never read anything. So beside such an answer a
person is told what nobody can know yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Connection

from syncline.calls.context import WorkerContext
from syncline.calls.quota_keys import halo_key, highlevel_key
from syncline.deliveries import status_counts
from syncline.errors import sentence
from syncline.ledger import connections
from syncline.ledger.calls import last_answer
from syncline.ledger.connections import Link
from syncline.ledger.database import text
from syncline.terminal.messages import remark
from syncline.terminal.output import ago

NO_CONNECTION = "No connection yet. Add one with: syncline connection add NAME"
NO_WORKER = "No worker runs, so nothing is read, sent or noticed. Start them with: syncline up"

_READ = ("order", "transaction", "subscription")


def remark_on_emptiness(worker: WorkerContext, name: str | None) -> None:
    """Say what an empty answer about a connection, or about all, does not mean.

    Args:
        worker: what the command works with.
        name: the connection; None for all.
    """

    def work(connection: Connection) -> list[str]:
        links = (
            connections.everyone(connection)
            if name is None
            else [connections.by_name(connection, name)]
        )
        return caveats(connection, links, worker.settings.dead_after)

    for one in worker.ledger.run(work):
        remark(one)


def remark_on_idleness(worker: WorkerContext) -> None:
    """Say beside what a worker is to do that none runs."""
    if worker.ledger.run(lambda c: _is_idle(c, worker.settings.dead_after)):
        remark(NO_WORKER)


def caveats(connection: Connection, links: Sequence[Link], dead_after: timedelta) -> list[str]:
    """What nobody can know of these connections now, a sentence each."""
    if not links:
        return [NO_CONNECTION]
    found = [one for link in links for one in _of(connection, link)]
    if parked := _parked_events(connection):
        found.append(
            f"Webhooks that could not be understood are parked: {parked}. See them with: syncline "
            "events list --state parked"
        )
    if _is_idle(connection, dead_after):
        found.append(NO_WORKER)
    return found


def _is_idle(connection: Connection, dead_after: timedelta) -> bool:
    return not any(one.alive for one in status_counts.workers(connection, dead_after))


def never_read(connection: Connection, link: Link) -> str | None:
    """That lists of HighLevel were never read to their end; None once each was."""
    read = connection.execute(
        text(
            """
            select distinct kind from pull
            where connection_id = :id and finished_at is not null and kind = any(:kinds)
            """
        ),
        {"id": link.id, "kinds": list(_READ)},
    )
    known = set(read.scalars())
    missing = [f"{kind}s" for kind in _READ if kind not in known]
    if not missing:
        return None
    what = "nothing" if len(missing) == len(_READ) else f"no {' and no '.join(missing)}"
    return f"{link.name} has read {what} from HighLevel yet, so what is owed is not known."


def _unread_windows(connection: Connection, link: Link) -> str | None:
    """That some days cannot be read; None where none were tried in vain."""
    many = connection.execute(
        text(
            """
            select count(*) from pull
            where connection_id = :id and state = 'running' and (refused or failures > 0)
            """
        ),
        {"id": link.id},
    ).scalar_one()
    if not many:
        return None
    return (
        f"{link.name} could not read {many} {'window' if many == 1 else 'windows'} of HighLevel's "
        "lists, so what is owed there is not known. See them with: syncline status"
    )


def _parked_events(connection: Connection) -> int:
    """How many webhooks wait for a person, of whichever connection: some say of none."""
    many: int = connection.execute(
        text("select count(*) from event where state = 'parked'")
    ).scalar_one()
    return many


def _of(connection: Connection, link: Link) -> list[str]:
    found = [never_read(connection, link), _unread_windows(connection, link)]
    if link.state == "stopped":
        note = link.note or "by hand"
        found.append(f"{link.name} is stopped: {sentence(note)}")
    for side, key in (("HighLevel", highlevel_key(link)), ("Halo", halo_key(link))):
        answer = last_answer(connection, key.name)
        if answer.outage is not None:
            told = (
                f"{side} has answered {link.name} nothing within a day"
                if answer.answered_s is None
                else f"{side} has not answered {link.name} since {ago(answer.answered_s)}"
            )
            found.append(f"{told}: {answer.outage.error}")
    return [one for one in found if one is not None]
