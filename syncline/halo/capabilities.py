"""What was found to work at one tenant, when and how. Nothing here is assumed.

Halo versions differ and much is undocumented; every step asks here before it relies on anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, get_args

from syncline.halo.array_size import LARGE, ArraySize
from syncline.halo.lines import SPELLINGS, Spelling
from syncline.halo.round_trip import RoundTrip

LinesOnUpdate = Literal["replace", "merge"]


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
class Sought:
    """The first row of a kind that we made, while no way finds it again.

    Attributes:
        row: Halo's id of it.
        reference: by which it is looked for.
        looks: how often it was looked for in vain.
        by: the number of the delivery that waits for it and looks; the others wait for that one.
        parked: the number of the one that was parked for it, to ask a person.
        kept: what Halo keeps on it in place of our reference; None where that is not so.
        made: the number of the delivery that made it.
    """

    row: str
    reference: str
    looks: int = 0
    by: int | None = None
    parked: int | None = None
    kept: str | None = None
    made: int | None = None


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

    def as_of(self, now: datetime) -> Capabilities:
        """The same without what has rested: it is tried again."""
        kept = {
            name: one
            for name, one in self.by_name.items()
            if name != _REPORTS or now < datetime.fromisoformat(one.value["rests_until"])
        }
        for name, one in kept.items():
            if name.startswith(_ARRAYS):
                size = ArraySize.of(one.value)
                if (lifted := size.as_of(now)) != size:
                    value = lifted.kept()
                    kept[name] = Capability(name, value, one.found_at, one.how)
        return Capabilities(kept)

    def array_size(self, target: str) -> ArraySize:
        """How many elements of a target go into one array."""
        size = ArraySize.of(self._value(f"{_ARRAYS}{target}"))
        others = (
            ArraySize.of(one.value)
            for name, one in self.by_name.items()
            if name.startswith(_ARRAYS)
        )
        return replace(size, bold=not size.falls and any(one.proved >= LARGE for one in others))

    @property
    def refuses_reports(self) -> bool:
        """Whether it has lately refused to run SQL; then nothing is asked for in that way."""
        return _REPORTS in self.by_name

    @property
    def reports_fail_for(self) -> timedelta:
        """How long they rested last since they alone failed; nothing where one ran since."""
        return timedelta(seconds=float(self._value(_FAILING).get("rest_s", 0)))

    @property
    def ran_reports(self) -> bool:
        """Whether it ever ran one of ours that found what it looked for."""
        return any(
            name.startswith("find.") and name.endswith(f".{FindWay.SQL}") and one.value["proved"]
            for name, one in self.by_name.items()
        )

    def round_trip(self, target: str) -> RoundTrip:
        """What rows of a target showed when they were read back whole."""
        return RoundTrip.of(self._value(f"{_ROUND_TRIP}{target}"))

    @property
    def read_back(self) -> list[str]:
        """The targets of which a row was read back."""
        return [
            name.removeprefix(_ROUND_TRIP) for name in self.by_name if name.startswith(_ROUND_TRIP)
        ]

    @property
    def line_spelling(self) -> Spelling:
        """Under which names it takes quantity and tax on an order's line; proved by `round_trip`.

        The likeliest one where none was proved.
        """
        name = self._value("line_spelling").get("name")
        return name if name in SPELLINGS else SPELLINGS[0]

    def find_way(self, target: str) -> FindWay | None:
        """The best way that was proved for a target; None: nothing may be created there yet."""
        for way in FindWay:
            proof = self.find_proof(target, way)
            offered = way is not FindWay.SQL or not self.refuses_reports
            if offered and proof is not None and proof.proved:
                return way
        return None

    def find_proof(self, target: str, way: FindWay) -> FindProof | None:
        """What is known of one way for a target; None: not tried."""
        value = self._value(f"find.{target}.{way}")
        if not value:
            return None
        return FindProof(bool(value["proved"]), timedelta(seconds=float(value["lag_s"])))

    def sought(self, target: str) -> Sought | None:
        """The row for which others of its kind wait; None where none was looked for in vain."""
        value = self._value(f"{SOUGHT}{target}")
        return Sought(**value) if value else None

    def misnames(self, target: str) -> bool:
        """Whether it has answered a new row of a target with an id that is not that row's."""
        return bool(self._value(f"{_MISNAMED}{target}"))

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

    @property
    def hides_voided(self) -> bool:
        """Whether invoices do not show `voided` where they are not, read whole by their ids."""
        return bool(self._value("voided").get("hidden"))

    def with_voided_hidden(self, *, hidden: bool, found_at: datetime, how: str) -> Capabilities:
        """The same, knowing whether invoices that are not voided leave `voided` out."""
        return self._with("voided", {"hidden": hidden}, found_at, how)

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
        return self._with(f"{_ARRAYS}{target}", size.kept(), found_at, how)

    def with_reports_refused(
        self, *, until: datetime, found_at: datetime, how: str
    ) -> Capabilities:
        """The same, knowing that reports are refused, and when they may be asked for again."""
        return self._with(_REPORTS, {"rests_until": until.isoformat()}, found_at, how)

    def with_reports_failing(
        self, rest: timedelta, *, found_at: datetime, how: str
    ) -> Capabilities:
        """The same, knowing that reports alone fail and rest for so long; nothing: one ran."""
        failing = self._with(_FAILING, {"rest_s": rest.total_seconds()}, found_at, how)
        return failing.with_reports_refused(until=found_at + rest, found_at=found_at, how=how)

    def with_round_trip(
        self, target: str, seen: RoundTrip, *, found_at: datetime, how: str
    ) -> Capabilities:
        """The same with what a row showed that was read back."""
        return self._with(f"{_ROUND_TRIP}{target}", seen.kept(), found_at, how)

    def with_line_spelling(
        self, spelling: Spelling, *, found_at: datetime, how: str
    ) -> Capabilities:
        """The same with the names that are to be tried on an order's lines."""
        return self._with("line_spelling", {"name": spelling}, found_at, how)

    def with_find_proof(
        self, target: str, way: FindWay, proof: FindProof, *, found_at: datetime, how: str
    ) -> Capabilities:
        """The same with what a round trip showed."""
        value = {"proved": proof.proved, "lag_s": proof.lag.total_seconds()}
        return self._with(f"find.{target}.{way}", value, found_at, how)

    def with_sought(
        self, target: str, sought: Sought | None, *, found_at: datetime, how: str
    ) -> Capabilities:
        """The same with the row that others of its kind wait for; None: they wait no more."""
        if sought is None and self.sought(target) is None:
            return self
        value = {} if sought is None else asdict(sought)
        return self._with(f"{SOUGHT}{target}", value, found_at, how)

    def with_misnamed(self, target: str, *, found_at: datetime, how: str) -> Capabilities:
        """The same, knowing that the ids which answers name for new rows are not to be believed."""
        return self._with(f"{_MISNAMED}{target}", {"misnamed": True}, found_at, how)

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


_ARRAYS = "array_size."
_REPORTS = "reports_refused"
_FAILING = "reports_failing"
_ROUND_TRIP = "round_trip."
_MISNAMED = "misnamed."
SOUGHT = "sought."


def _capability(row: Mapping[str, Any]) -> Capability:
    found_at = row["found_at"]
    if isinstance(found_at, str):
        found_at = datetime.fromisoformat(found_at)
    return Capability(row["name"], row["value"], found_at, row["how"])
