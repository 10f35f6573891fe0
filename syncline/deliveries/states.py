"""The states of a delivery and the moves between them, as data.

    due ──claim──► leased ──depart──► sending ──confirm──► delivered
     ▲               │ │ │               │ │
     │◄──give back───┘ │ └─confirm as is─│─┼──► delivered        (nothing had to be written)
     │                 └─wait──► waiting │ ├──► parked           (the other side said no)
     │◄──wake──────────────────────┘     │ └──► doubtful ──check──► checking ──► delivered
     │◄──not sent, 429───────────────────┘          ▲                  │ │
     │                                              └──still unknown───┘ │
     └◄──absent after the settle time────────────────────────────────────┘

    What a reading would bring may come by itself: due, waiting or parked ──complete──► delivered.
    What was shown cannot be read: due, waiting or delivered ──park──► parked; now it can be:
    parked ──unpark──► delivered.
    Somebody changed the target row: delivered ──overwrite──► due, or ──► parked where a person
    must decide; its row is gone: delivered ──lose──► parked, or doubtful to be made again.
    What asked for it is gone: due, waiting or delivered ──cancel──► parked.
    A person decided: delivered or parked ──write again──► due, ──make again──► doubtful;
    parked ──accept──► delivered, as the other side holds it.
    The other side holds a row for it that we never sent: due ──pin──► doubtful. Until that row is
    read whole it is never due: leased, sending, checking or parked ──give back──► doubtful.

Every move is one conditional UPDATE … RETURNING, and all of them stand in this package: of
deliveries that a worker holds in `leased`, of those that none holds in `unleased`, of what records
make due in `requests`, of what waits in `waits`, of what is adopted in `pinned`, of what
the dead have left in `dead_workers`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from syncline.ledger.modes import HELD

NEEDS_A_PERSON: Final = f"(d.state = 'parked' and d.field is distinct from '{HELD}')"
"""SQL: parked, and not only until its connection is live."""


DOUBTED: Final = "adopt"
"""The field by which a delivery is known that is parked since its row may be there already."""

MAY_BE_THERE: Final = f"(d.field is not distinct from '{DOUBTED}' and d.target_id is null)"
"""SQL: the other side may hold a row for it that we did not make."""

URGENT: Final = "urgent and state = 'due' and array_limit is null"
"""SQL: an event asked for it, so it goes before all else; but not once its array has failed, which
may be for its sake."""

AHEAD: Final = "ahead"
"""The key in `target_meta` under which stands how often a delivery was sent again ahead of others,
while nothing proved that its row was not there."""

SECOND_LOOK: Final = "second_look"
"""The key in `target_meta` of such a one, once it is delivered, under which stands when it is
looked whether its row stands there twice, in seconds of the ledger's clock."""

UNTOLD: Final = "untold"
"""The key in `target_meta` of a delivery that was sent ahead of others and whose row was found by a
look-up: which of its calls made that is not told."""

ABSENT: Final = "absent"
"""The key in `target_meta` under which stands when it was last decided that its row is not there,
in seconds of the ledger's clock."""

PINNED: Final = "adopting"
"""The key in `target_meta` of a delivery that is pinned to a row which was not read whole yet."""


def counted_as(of: str) -> str:
    """SQL: as what a delivery is counted: its flow, and for payments what it makes too.

    Args:
        of: the name of the delivery in the statement.
    """
    return (
        f"case when {of}.flow = 'payments' then {of}.flow || '/' || {of}.target else {of}.flow end"
    )


class State(StrEnum):
    """Where a delivery stands."""

    DUE = "due"
    LEASED = "leased"
    SENDING = "sending"
    WAITING = "waiting"
    DOUBTFUL = "doubtful"
    CHECKING = "checking"
    DELIVERED = "delivered"
    PARKED = "parked"


MOVES: dict[State, frozenset[State]] = {
    State.DUE: frozenset({State.LEASED, State.DELIVERED, State.PARKED, State.DOUBTFUL}),
    State.LEASED: frozenset(
        {
            *(State.DUE, State.WAITING, State.SENDING, State.DELIVERED),
            *(State.PARKED, State.DOUBTFUL),
        }
    ),
    State.SENDING: frozenset({State.DELIVERED, State.DUE, State.DOUBTFUL, State.PARKED}),
    State.WAITING: frozenset({State.DUE, State.DELIVERED, State.PARKED}),
    State.DOUBTFUL: frozenset({State.CHECKING}),
    State.CHECKING: frozenset({State.DELIVERED, State.DUE, State.DOUBTFUL, State.PARKED}),
    State.DELIVERED: frozenset({State.DUE, State.PARKED, State.DOUBTFUL}),
    State.PARKED: frozenset({State.DUE, State.DOUBTFUL, State.DELIVERED}),
}
"""The only moves there are; the databases of all tests refuse every other one."""

FIRST: frozenset[State] = frozenset({State.DUE, State.WAITING, State.DELIVERED, State.PARKED})
"""The states in which a delivery begins; PARKED where what asks for it cannot be read."""
