"""What the demo sees: how far it is, what both quotas have left, and what it waits for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil

from syncline.quota.bucket import WindowLeft

_WAITING_FOR: Mapping[str, str] = {
    "due": "due to be sent",
    "leased": "being sent",
    "sending": "being sent",
    "waiting": "that need another row first",
    "doubtful": "in doubt, looked up after the settle time",
    "checking": "in doubt, looked up now",
    "parked": "parked, which need a person",
}
"""By the state of a delivery."""

_LISTS = "HighLevel's lists, which are being read"


@dataclass(frozen=True, slots=True)
class Sight:
    """How far it is at one moment.

    Attributes:
        orders: in the ledger; likewise transactions and subscriptions.
        details: orders whose detail was read.
        in_line: orders that Halo confirmed.
        confirmed: versions that were confirmed, of everything; it only ever grows.
        outstanding: deliveries that are not confirmed, by their state.
        highlevel: what is left of HighLevel's quota.
        halo: likewise of Halo's.
        stopped: why the connection is stopped; None while it works.
        all_read: whether the ledger has every record of HighLevel.
    """

    orders: int
    transactions: int
    subscriptions: int
    details: int
    in_line: int
    confirmed: int
    outstanding: Mapping[str, int]
    highlevel: WindowLeft
    halo: WindowLeft
    stopped: str | None = None
    all_read: bool = False

    @property
    def moved(self) -> int:
        """A number that grows with everything that comes about, and with nothing else."""
        return self.orders + self.transactions + self.subscriptions + self.confirmed

    @property
    def needs_a_person(self) -> bool:
        """Whether it is stopped, or only what a person has to decide about is outstanding."""
        return self.stopped is not None or set(self.outstanding) == {"parked"}

    def waits_for(self) -> str:
        """What keeps it from being further, in words."""
        if self.stopped is not None:
            return f"a person, since the connection is stopped: {self.stopped}"
        quotas = (("HighLevel", self.highlevel), ("Halo", self.halo))
        used_up = [
            f"{side}'s quota: the next call may leave in {ceil(left['next_s'])} s"
            for side, left in quotas
            if left["next_s"] > 0
        ]
        rows: dict[str, int] = {}
        for state, many in self.outstanding.items():
            rows[_WAITING_FOR[state]] = rows.get(_WAITING_FOR[state], 0) + many
        open_ = [f"{many} {what}" for what, many in rows.items()]
        nothing = "nothing: all that was read is in line" if self.all_read else _LISTS
        return "; ".join([*used_up, *open_]) or nothing


class Patience:
    """Until when it makes sense to wait: as long as the quotas may keep everything standing still.

    How long the work takes says something about the machine, so only standstill counts. After the
    longest window of both sides every call is back, and then something must move.

    Args:
        seconds: the longest standstill that can be explained.
        now: a clock that only goes forward, in seconds.
    """

    def __init__(self, seconds: float, now: Callable[[], float]) -> None:
        self._seconds = seconds
        self._now = now
        self._moved = -1
        self._since = now()

    def standstill(self, moved: int) -> float:
        """For how many seconds nothing has moved, by a number that grows when something does."""
        if moved > self._moved:
            self._moved, self._since = moved, self._now()
        return self._now() - self._since

    def is_over(self, moved: int) -> bool:
        """Whether nothing has moved for longer than can be explained."""
        return self.standstill(moved) > self._seconds
