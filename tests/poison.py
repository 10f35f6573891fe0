"""One row at which the other side fails, for tests: looks at what is due, and what came of it."""

from __future__ import annotations

from tests.in_between import QuotaClock, said
from tests.world import World

OWN_500 = said(500, {"Message": "An error has occurred."})
STEP = 20
"""Seconds of quota's time between two looks: waits of a breaker end within three of them."""


def go_on(world: World, clock: QuotaClock, looks: int, *, passes: str = "1 minute") -> None:
    """Look so often at what is due, unless nothing is left to be done.

    Args:
        world: the worker.
        clock: of its quota.
        looks: how often.
        passes: how long all that was sent is ago with each look, as an interval of SQL.
    """
    while looks and world.is_something_open():
        looks -= 1
        world.follow_all()
        clock.pass_by(STEP)
        world.do(
            """
            update delivery set sent_at = sent_at - cast(:passes as interval),
                                confirmed_at = confirmed_at - cast(:passes as interval)
            """,
            passes=passes,
        )


def parked(world: World) -> dict[str, str]:
    """What is parked, and why."""
    return {
        row.source_id: row.reason
        for row in world.rows("select source_id, reason from delivery where state = 'parked'")
    }


def failures(world: World) -> int:
    """The most failures in a row that count against a delivery."""
    return int(world.rows("select max(failures) as most from delivery")[0].most)
