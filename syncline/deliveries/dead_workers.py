"""What becomes of the deliveries of workers that have died."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from syncline.deliveries.states import PINNED
from syncline.ledger import sessions
from syncline.ledger.database import text
from syncline.ledger.modes import HELD


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was taken from dead sessions: how many of them, deliveries due at once, and in doubt."""

    sessions: int
    due: int
    doubtful: int


def recover(connection: Connection, dead_after: timedelta, settle: timedelta) -> Recovered:
    """LEASED → DUE, SENDING or CHECKING → DOUBTFUL for the deliveries of dead sessions.

    What was leased was never written: due at once, or in doubt as before where it is pinned to a
    row that nobody has read whole. What was being sent may have been written: looked up after the
    settle time. What was being looked up is looked up again at once. Silent sessions are ended
    first.

    Args:
        connection: the transaction.
        dead_after: how long a session may be silent.
        settle: the settle time of tenants that have none of their own.
    """
    ended = sessions.end_silent(connection, dead_after)
    states = list(
        connection.execute(
            text(
                """
                with lost as (
                    select d.id from delivery d join session s on s.id = d.owner
                    where d.state in ('leased', 'sending', 'checking') and s.ended_at is not null
                    order by d.id for update of d skip locked
                )
                update delivery d
                set state = case when d.state <> 'leased' then 'doubtful'
                                 when d.field = :held then 'parked'
                                 when d.target_meta ? :pinned then 'doubtful' else 'due' end,
                    due_at = clock_timestamp() + case d.state when 'sending'
                        then make_interval(secs => coalesce(
                            (select settle_seconds from tenant where tenant.id = d.tenant_id),
                            :settle)) else interval '0' end,
                    reason = case d.state when 'sending'
                        then 'its worker died while it was being sent' else d.reason end,
                    owner = null
                from lost where d.id = lost.id
                returning d.state
                """
            ),
            {"settle": settle.total_seconds(), "held": HELD, "pinned": PINNED},
        ).scalars()
    )
    return Recovered(sessions=ended, due=states.count("due"), doubtful=states.count("doubtful"))
