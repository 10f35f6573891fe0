"""Deliveries whose row is not there: they are sent again, while that is news."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from syncline import jsontext
from syncline.deliveries import leased
from syncline.deliveries.delivery import Lease
from syncline.deliveries.states import ABSENT, AHEAD
from syncline.ledger.database import text

_OUTDATED = "looked up again: that it was not there is no news any more"


def send_again(connection: Connection, lease: Lease, why: str) -> bool:
    """CHECKING → DUE: its row is not there. When that was decided is kept.

    It goes before what has become due since it was sent: behind all that, it would be no news.

    Args:
        connection: the transaction.
        lease: the delivery.
        why: how it is known.

    Returns:
        Whether it was still this worker's.
    """
    if not leased.give_back(connection, [lease], why=why):
        return False
    connection.execute(
        text(
            """
            update delivery
            set target_meta = coalesce(target_meta, '{}') || jsonb_build_object(
                    cast(:key as text), extract(epoch from clock_timestamp())),
                due_at = least(due_at, sent_at)
            where id = :id
            """
        ),
        {"id": lease.id, "key": ABSENT},
    )
    return True


class Claimed(NamedTuple):
    """What one claim has taken.

    Attributes:
        leases: what is to be sent.
        is_any: whether it took anything, be it for a look-up.
        is_full: whether there may be more.
    """

    leases: list[Lease]
    is_any: bool
    is_full: bool


def claim(
    take: Callable[[Connection], list[Lease]],
    most: int,
    news: timedelta,
    connection: Connection,
) -> Claimed:
    """Claim; what was looked up too long ago to be sent upon that is looked up once more.

    Args:
        take: claims what is due.
        most: of one claim.
        news: for so long it is news that a row is not there.
        connection: the transaction.
    """
    leases = take(connection)
    again = _look_again(connection, leases, news)
    left = [lease for lease in leases if lease.id not in again]
    return Claimed(left, bool(leases), len(leases) == most)


def _look_again(connection: Connection, leases: Sequence[Lease], news: timedelta) -> set[int]:
    """LEASED → DOUBTFUL: those of which that was decided too long ago; returns their ids.

    What is sent may be held back, by quota or since its endpoint fails, and meanwhile the row may
    have come to be shown.

    Args:
        connection: the transaction.
        leases: the deliveries.
        news: for so long it is news that a row is not there.
    """
    asked = [one for one in leases if one.target_id is None and ABSENT in (one.target_meta or {})]
    if not asked:
        return set()
    rows = [{"id": one.id, "attempt": one.attempt} for one in asked]
    found = connection.execute(
        text(
            f"""
            update delivery d
            set state = 'doubtful', owner = null, due_at = clock_timestamp(), reason = :why,
                target_meta = case when not d.target_meta ? '{AHEAD}' then d.target_meta
                    else d.target_meta || jsonb_build_object('{AHEAD}',
                        greatest((d.target_meta ->> '{AHEAD}')::int - 1, 0)) end
            from jsonb_to_recordset(cast(:rows as jsonb)) as told (id bigint, attempt bigint)
            where d.id = told.id and d.attempt = told.attempt
              and d.owner = :owner and d.state = 'leased' and d.target_id is null
              and cast(d.target_meta ->> :key as double precision)
                  < extract(epoch from clock_timestamp()) - :news
            returning d.id
            """  # noqa: S608 - built from a constant
        ),
        {
            "rows": jsontext.dumps(rows).decode(),
            "owner": asked[0].owner,
            "key": ABSENT,
            "news": news.total_seconds(),
            "why": _OUTDATED,
        },
    )
    return set(found.scalars())
