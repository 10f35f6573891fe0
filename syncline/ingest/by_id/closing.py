"""How a reading ends that brought nothing, or what cannot be believed yet.

A record of which HighLevel says two things, or which it does not show by its id, is read again
before a person is told. It may be so new that not all of HighLevel knows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from syncline.calls.calls import Outcome
from syncline.deliveries import leased
from syncline.deliveries.delivery import Confirmation, Lease
from syncline.engine.failures import backoff, is_of_the_record, is_set_apart
from syncline.errors import Absent, Again, Rejected, Unreadable
from syncline.highlevel.merging import CONTESTED, contested_in_words
from syncline.ingest import rereading
from syncline.ledger import records
from syncline.ledger.connections import Link

CONTESTED_READINGS = 6
"""So often a record is read that is contested; then a person is told."""

CONTESTED_PAUSE = timedelta(seconds=10)
"""After the first of these readings; it doubles with each."""

WHAT_BECOMES_OF_IT = (
    f"Neither is newer, and {CONTESTED_READINGS} readings brought nothing else, so nothing of it "
    "is written. It goes on by itself when a pull or a reading shows that they agree; a list that "
    "shows it has it read again. Correct it in HighLevel, or try it anew: syncline parked retry."
)

GONE_READINGS = 4
"""So often a record is asked for by its id that HighLevel does not show; then a person is told."""


def contested(
    connection: Connection, link: Link, kind: str, facet: str, read: Sequence[Lease]
) -> dict[str, Mapping[str, Any]]:
    """The records among those whose detail was read of which HighLevel says two things."""
    if facet != "detail":
        return {}
    place = link.location_place
    wanted = [(place, kind, lease.source_id) for lease in read]
    known = records.canonical(connection, wanted)
    return {key: one for (_, _, key), (_, one) in known.items() if CONTESTED in one}


def close(
    connection: Connection,
    link: Link,
    kind: str,
    read: Sequence[Lease],
    contested: Mapping[str, Mapping[str, Any]],
) -> None:
    """Close readings; the detail of what is contested is read again, and then a person is told."""
    again = [lease for lease in read if lease.role == "detail" and lease.source_id in contested]
    done = [Confirmation(lease, None, None, None) for lease in read if lease not in again]
    leased.confirm(connection, done, wrote=False)
    looked = {one.source_id: one.cause for one in read if one.role == rereading.LOOK}
    rereading.settle(connection, link, kind, looked.keys() - contested.keys(), looked)
    for lease in again:
        told = contested[lease.source_id]
        said = f"HighLevel says two things of it: {contested_in_words(told)}."
        if lease.failures + 1 < CONTESTED_READINGS:
            after = backoff(lease.failures, CONTESTED_PAUSE)
            leased.give_back(connection, [lease], after=after, why=said, failed=True)
        else:
            reason = f"{said} {WHAT_BECOMES_OF_IT}"
            field = next(iter(told[CONTESTED]))
            leased.park(connection, [lease], reason=reason, field=field)


def fail(connection: Connection, lease: Lease, came: Outcome) -> None:
    """Put a reading off, or to a person, for what it failed of."""
    error = came.error
    if isinstance(error, Absent):
        _not_shown(connection, lease)
    elif isinstance(error, (Unreadable, Rejected)) or is_set_apart(came, lease):
        leased.park(connection, [lease], reason=str(error), field=None)
    else:
        failed = came.error is not None and is_of_the_record(came.error)
        rest = backoff(lease.failures if failed else 0)
        after = max(error.after, rest) if isinstance(error, Again) else rest
        why = None if error is None else error.what
        leased.give_back(connection, [lease], after=after, why=why, failed=failed)


def _not_shown(connection: Connection, lease: Lease) -> None:
    if lease.role == rereading.LOOK:  # it stays as a person was told it is
        leased.confirm(connection, [Confirmation(lease, None, None, None)], wrote=False)
    elif lease.failures + 1 < GONE_READINGS:
        after = backoff(lease.failures, CONTESTED_PAUSE)
        why = f"HighLevel does not show this {lease.source_kind} by its id"
        leased.give_back(connection, [lease], after=after, why=why, failed=True)
    else:
        reason = f"HighLevel no longer has this {lease.source_kind}"
        leased.park(connection, [lease], reason=reason, field=rereading.GONE)
