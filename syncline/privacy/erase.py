"""Erased: what the ledger holds about one contact is taken out of it, and the log says that it was.

What stands in HighLevel and in Halo is erased there, and first: from a source that still has it, it
comes back with the next change of a record.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import Connection

from syncline.actor import actor
from syncline.calls.context import WorkerContext
from syncline.errors import Again, UnknownName
from syncline.ledger.database import text
from syncline.privacy import erase_person
from syncline.privacy.erase_person import Erased
from syncline.privacy.traces import Traces, person, traces


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was found of a contact, and what was erased; None in a dry run."""

    found: Traces
    erased: Erased | None


def erase(worker: WorkerContext, who: str, *, dry_run: bool) -> Erasure:
    """Erase a contact's personal data from the ledger.

    Args:
        worker: what the process works with.
        who: HighLevel's id of the contact, or its e-mail address.
        dry_run: only look.

    Raises:
        UnknownName: nothing is known of it.
        Again: a worker has something of it in its hands.
    """
    if dry_run:
        return Erasure(worker.ledger.run(lambda c: _look(c, who)), None)
    by = actor(worker.settings)

    def work(connection: Connection) -> Erasure:
        connection.execute(text("set local statement_timeout = 0"))  # it looks through everything
        places = sorted({one.place for one in _look(connection, who).records})
        erase_person.keep_others_out(connection, places)
        found = _look(connection, who)
        if found.at_work or found.unhandled:
            raise Again(
                f"{found.at_work} deliveries and {found.unhandled} webhooks about this contact "
                "are at work.",
                remedy="Run the command again in a minute; see: syncline status",
            )
        words = [secrets.token_hex(12) for _ in found.records]
        return Erasure(found, erase_person.erase(connection, found, words, by=by))

    return worker.ledger.run(work)


def _look(connection: Connection, who: str) -> Traces:
    found = traces(connection, person(connection, who))
    if not (found.records or found.changes or found.events):
        raise UnknownName(
            "Nothing is known of this contact.",
            remedy="Give HighLevel's id of the contact, or its e-mail address.",
        )
    return found
