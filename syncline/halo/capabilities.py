"""What was found to work at one tenant, when and how. Nothing here is assumed.

Halo versions differ and much is undocumented; every step asks here before it relies on anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, get_args

LADDER = (1, 2, 5, 10, 25, 50, 100)
"""Sizes of arrays that are tried, each only after the one before has been proved."""

LinesOnUpdate = Literal["replace", "merge"]


@dataclass(frozen=True, slots=True)
class ArraySize:
    """How many elements a tenant takes in one POST.

    Attributes:
        proved: most elements that were sent at once and all came back matched; 0: none yet.
        ceiling: the smallest size at which that failed; sizes from there on are not tried.
    """

    proved: int = 0
    ceiling: int | None = None

    def next(self) -> int:
        """The size to send now: one rung above what is proved, below the ceiling."""
        for rung in LADDER:
            if rung > self.proved:
                return rung if self._below_ceiling(rung) else max(self.proved, 1)
        return self.proved

    def matched(self, size: int) -> ArraySize:
        """After an array of that size of which every element was matched and none doubled."""
        if size <= self.proved or not self._below_ceiling(size):
            return self
        return replace(self, proved=size)

    def doubted(self, size: int) -> ArraySize:
        """After an array of that size that was not wholly matched: back below it, for good.

        A single element says nothing about arrays, so it changes nothing.
        """
        if size <= 1:
            return self
        ceiling = size if self.ceiling is None else min(size, self.ceiling)
        rung = max(rung for rung in LADDER if rung < ceiling)
        return ArraySize(proved=min(self.proved, rung), ceiling=ceiling)

    def _below_ceiling(self, size: int) -> bool:
        return self.ceiling is None or size < self.ceiling


class FindWay(StrEnum):
    """Ways to find our own rows in Halo, best first."""

    SQL = "sql"
    LINK = "link"
    SEARCH = "search"
    PAGES = "pages"


@dataclass(frozen=True, slots=True)
class FindProof:
    """What a round trip showed of one way to find a target's rows.

    Attributes:
        proved: whether the row was found again by it.
        lag: how long after its creation the row could be found.
    """

    proved: bool
    lag: timedelta


@dataclass(frozen=True, slots=True)
class Capability:
    """One finding: its name, a JSON object, when (aware UTC) and how it was found."""

    name: str
    value: Mapping[str, Any]
    found_at: datetime
    how: str


@dataclass(frozen=True, slots=True)
class Capabilities:
    """All findings of one tenant; every change makes a new value."""

    by_name: Mapping[str, Capability] = field(default_factory=dict)

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]]) -> Capabilities:
        """From rows with `name`, `value`, `found_at` (aware, or ISO text) and `how`."""
        return cls({row["name"]: _capability(row) for row in rows})

    def to_rows(self) -> list[dict[str, Any]]:
        """One row a finding; `value` is a JSON object, `found_at` is aware."""
        return [
            {"name": a.name, "value": dict(a.value), "found_at": a.found_at, "how": a.how}
            for a in self.by_name.values()
        ]

    def array_size(self, target: str) -> ArraySize:
        """How many elements of a target go into one array."""
        value = self._value(f"array_size.{target}")
        return ArraySize(int(value.get("proved", 0)), value.get("ceiling"))

    def find_way(self, target: str) -> FindWay | None:
        """The best way that was proved for a target; None: nothing may be created there yet."""
        for way in FindWay:
            proof = self.find_proof(target, way)
            if proof is not None and proof.proved:
                return way
        return None

    def find_proof(self, target: str, way: FindWay) -> FindProof | None:
        """What is known of one way for a target; None: not tried."""
        value = self._value(f"find.{target}.{way}")
        if not value:
            return None
        return FindProof(bool(value["proved"]), timedelta(seconds=float(value["lag_s"])))

    @property
    def change_seq_enforced(self) -> bool | None:
        """Whether an order's update must carry its current `change_seq`; None: not known."""
        enforced = self._value("change_seq").get("enforced")
        return None if enforced is None else bool(enforced)

    @property
    def lines_on_update(self) -> LinesOnUpdate | None:
        """What posted lines do to an order's present ones; None: not known."""
        posted = self._value("lines_on_update").get("posted")
        return posted if posted in get_args(LinesOnUpdate) else None

    @property
    def currencies(self) -> dict[str, int]:
        """ISO 4217 code → Halo's currency id."""
        return dict(self._value("currencies"))

    @property
    def currency_rates(self) -> dict[str, Decimal]:
        """ISO 4217 code → its conversion rate as Halo gave it; a code without one is not there."""
        return {code: Decimal(rate) for code, rate in self._value("currency_rates").items()}

    @property
    def tickets(self) -> Mapping[str, Any] | None:
        """How it keeps tickets, as it was told last; None: it was not asked."""
        return self._value("tickets") or None

    @property
    def shows_integration_errors(self) -> bool | None:
        """Whether integration errors of ours are shown; None: it was not tried."""
        if self.find_way("integration_error") is not None:
            return True
        return self._value("integration_errors").get("shown")

    def with_tickets(
        self, value: Mapping[str, Any], *, found_at: datetime, how: str
    ) -> Capabilities:
        """The same with how tickets are kept."""
        return self._with("tickets", dict(value), found_at, how)

    def without_integration_errors(self, *, found_at: datetime, how: str) -> Capabilities:
        """The same, knowing that integration errors of ours are refused or not shown."""
        return self._with("integration_errors", {"shown": False}, found_at, how)

    def offers(self, what: str) -> bool | None:
        """Whether it lets our application keep something, such as `reports`; None: not tried."""
        offered = self._value(f"offers.{what}").get("offered")
        return None if offered is None else bool(offered)

    def with_offer(self, what: str, *, offered: bool, found_at: datetime, how: str) -> Capabilities:
        """The same, knowing whether it lets our application keep something."""
        return self._with(f"offers.{what}", {"offered": offered}, found_at, how)

    def with_array_size(
        self, target: str, size: ArraySize, *, found_at: datetime, how: str
    ) -> Capabilities:
        """The same with another array size."""
        value = {"proved": size.proved, "ceiling": size.ceiling}
        return self._with(f"array_size.{target}", value, found_at, how)

    def with_find_proof(
        self, target: str, way: FindWay, proof: FindProof, *, found_at: datetime, how: str
    ) -> Capabilities:
        """The same with what a round trip showed."""
        value = {"proved": proof.proved, "lag_s": proof.lag.total_seconds()}
        return self._with(f"find.{target}.{way}", value, found_at, how)

    def with_change_seq_enforced(
        self, *, enforced: bool, found_at: datetime, how: str
    ) -> Capabilities:
        """The same, knowing whether `change_seq` is enforced."""
        return self._with("change_seq", {"enforced": enforced}, found_at, how)

    def with_lines_on_update(
        self, lines: LinesOnUpdate, *, found_at: datetime, how: str
    ) -> Capabilities:
        """The same, knowing what posted lines do."""
        return self._with("lines_on_update", {"posted": lines}, found_at, how)

    def with_currencies(
        self,
        ids: Mapping[str, int],
        *,
        rates: Mapping[str, Decimal] | None = None,
        found_at: datetime,
        how: str,
    ) -> Capabilities:
        """The same with the tenant's currencies; None: the rates stay as they are known."""
        if rates is not None:
            # As text: the finding is stored as JSON, whose numbers need not be exact.
            exact = {code: str(rate) for code, rate in rates.items()}
            rated = self._with("currency_rates", exact, found_at, how)
            return rated.with_currencies(ids, found_at=found_at, how=how)
        return self._with("currencies", dict(ids), found_at, how)

    def _value(self, name: str) -> Mapping[str, Any]:
        capability = self.by_name.get(name)
        return {} if capability is None else capability.value

    def _with(
        self, name: str, value: Mapping[str, Any], found_at: datetime, how: str
    ) -> Capabilities:
        return Capabilities({**self.by_name, name: Capability(name, value, found_at, how)})


def _capability(row: Mapping[str, Any]) -> Capability:
    found_at = row["found_at"]
    if isinstance(found_at, str):
        found_at = datetime.fromisoformat(found_at)
    return Capability(row["name"], row["value"], found_at, row["how"])
