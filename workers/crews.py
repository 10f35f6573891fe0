"""Which worker process serves which lanes, and how wide: as data."""

from __future__ import annotations

from dataclasses import dataclass

from syncline.queues import Lane


@dataclass(frozen=True, slots=True)
class Crew:
    """One worker process: its name, its lanes, and its share of `worker_threads`.

    A thread waits for an API most of its life, so threads cost memory and not processors.
    """

    name: str
    lanes: tuple[Lane, ...]
    share: float = 1.0

    def threads(self, of: int) -> int:
        """How many tasks it runs at once when the setting says `of`.

        Never less than two, so that upkeep is not stuck behind one long call.
        """
        return max(2, round(of * self.share))

    @property
    def queues(self) -> str:
        """Its queues as Celery's `-Q` takes them."""
        return ",".join(lane.queue for lane in self.lanes)


# Reading has a crew of its own, so that a long backfill never delays what is due to the other
# side. Upkeep belongs to both: the sweep goes on while either lives.
CREWS = (
    Crew("deliver", (Lane.EVENTS, Lane.DELIVERIES, Lane.UPKEEP)),
    Crew("pull", (Lane.PULLS, Lane.BACKFILL, Lane.UPKEEP), share=0.5),
)

# For a small machine, and for tests: one process that does everything.
EVERYTHING = Crew("all", tuple(Lane))
