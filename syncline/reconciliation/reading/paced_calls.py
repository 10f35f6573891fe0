"""How a reconciliation calls Halo: counted, at a small share of the quota, tried again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from syncline.calls import capabilities
from syncline.calls.calls import ApiCalls, NoQuota, Outage, halo_calls
from syncline.calls.context import Line, WorkerContext
from syncline.calls.halo_queries import asked
from syncline.engine.failures import is_of_the_record
from syncline.errors import Absent, Again, Rejected, SynclineError, Unreadable
from syncline.halo.capabilities import Capabilities, FindWay
from syncline.halo.entities.resources import AnyResource
from syncline.halo.entities.rows import read_row
from syncline.halo.sql import readback
from syncline.halo.sql.queries import Query
from syncline.money import minor_digits
from syncline.queues import Lane
from syncline.transport import Permit

T = TypeVar("T")

MOST_TRIES = 5
"""Failures in a row of one call that may heal by itself; waiting for quota is none."""

TRIES_OF_A_ROW = 3
"""The same of a row by its id: fewer than after which the endpoint fails for everybody."""

LONGEST_PAUSE = timedelta(seconds=5)
"""What a reading sleeps between two calls; for longer it goes back to the ledger."""

SLICE = timedelta(seconds=20)
"""How long one task reads lists before it lets others have its turn."""

Tell = Callable[[str, int, int], None]
"""Is told what is being done, how much of it is done, and of how much."""


class Paused(Again):
    """A run lets others go first; it goes on after `after`."""


@dataclass(frozen=True, slots=True)
class RowById:
    """What came of reading a row by its id.

    Attributes:
        row: the whole row; None where there is none, or where it is not shown.
        is_shown: whether Halo says what is there; False where it fails for the sake of this row.
    """

    row: dict[str, Any] | None
    is_shown: bool = True


@dataclass(slots=True)
class Reader:
    """The calls of one run to Halo: counted, paced, and tried again where that may help.

    Attributes:
        by_currency: Halo's id of a currency → ISO 4217.
        reports: whether the tenant runs reports, as far as is known.
        calls: made since they were last written down.
        made: made in all by this reader.
        patient: it waits for its turn, and does not go back to the ledger.
        by_hand: a person waits for it, so it need not keep to its share while most is left.
        showed: of each kind, the row that was read by its id last.
    """

    worker: WorkerContext
    line: Line
    tell: Tell
    by_currency: Mapping[int, str]
    reports: bool
    calls: int = 0
    made: int = 0
    patient: bool = False
    by_hand: bool = False
    showed: dict[str, int] = field(default_factory=dict)
    _api: ApiCalls | None = None
    _last: float | None = None
    _began: float = 0.0

    @classmethod
    def of(cls, line: Line, tell: Tell, sold_in: Collection[str]) -> Reader:
        """For a line's tenant, with what is known of it.

        Args:
            line: the connection.
            tell: is told how far it came.
            sold_in: the currencies of HighLevel's records: of two names for one id in Halo, such
                as YEN and JPY, theirs counts.
        """
        known = capabilities.known(line)
        named = sorted(known.currencies.items(), key=lambda one: one[0] in sold_in)
        return cls(
            line.worker,
            line,
            tell,
            {code: iso for iso, code in named},
            runs_reports(known),
            _began=line.worker.monotonic(),
        )

    @property
    def digits(self) -> dict[int, int]:
        """Halo's id of a currency → digits after the point."""
        return {code: minor_digits(iso) for code, iso in self.by_currency.items()}

    @property
    def pause(self) -> timedelta:
        """Time between two calls that keeps to this run's share of the tenant's quota."""
        limit = min(
            self.line.halo_key.limits, key=lambda one: one.calls / one.window.total_seconds()
        )
        return limit.window / limit.calls / self.worker.settings.reconcile_share

    def ask(self, query: Query) -> Any:
        """Make one call.

        Raises:
            NoQuota: there is none for longer than a task may sleep.
            SynclineError: the call failed.
        """
        return self._made(lambda api: asked(self.line, api, query))

    def row(self, kind: AnyResource, row_id: int) -> RowById:
        """One row by its id; rows that Halo cannot show stop no others.

        Raises:
            NoQuota: there is none for longer than a task may sleep.
            Paused: others go first.
            SynclineError: the call failed, and not for the sake of this row.
        """
        self.rest()
        try:
            return self._row(kind, row_id)
        except Again as error:
            if not self._shows_another(kind, error):
                raise
        return self._row(kind, row_id)

    def remember(self, kind: AnyResource, showed: int | None) -> None:
        """Take it from an earlier part of the run which row of a kind was shown by its id."""
        if showed is not None:
            self.showed.setdefault(kind.name, showed)

    def _row(self, kind: AnyResource, row_id: int) -> RowById:
        try:
            found = self._made(lambda api: self._read(api, kind, row_id), TRIES_OF_A_ROW)
        except Absent:
            return RowById(None)
        except (Again, Rejected, Unreadable) as error:
            if not is_of_the_record(error):
                raise
            return RowById(None, is_shown=False)
        self.showed[kind.name] = row_id
        return RowById(readback.shown(kind, found))

    def _read(self, api: ApiCalls, kind: AnyResource, row_id: int) -> dict[str, Any]:
        def make(permit: Permit) -> dict[str, Any]:
            return read_row(self.line.halo, permit, kind, row_id).raw

        return api.read(f"GET {kind.path}/id", make)

    def _shows_another(self, kind: AnyResource, error: Again) -> bool:
        """Whether Halo shows a row that it showed before, where reading any fails for everybody.

        That may be for the sake of this row and the one before it. An answer ends it.

        Raises:
            NoQuota: there is none for longer than a task may sleep.
        """
        known = self.showed.get(kind.name)
        if known is None or not (error.of_all or isinstance(error, Outage)):
            return False
        try:
            self.calls += 1
            self.made += 1
            self._read(halo_calls(self.line, Lane.BACKFILL, insists=True), kind, known)
        except NoQuota:
            self._uncount()
            raise
        except SynclineError:
            return False
        return True

    def rest(self) -> None:
        """Keep to the share before the next call that is no report.

        Raises:
            Paused: the pause is longer than a task may sleep, or its time is over.
        """
        now = self.worker.monotonic()
        left = 0.0 if self._last is None else self._last + self.pause.total_seconds() - now
        if left > 0 and self.by_hand and self._most_is_left():
            left = 0.0
        if not self.patient and now - self._began > SLICE.total_seconds():
            raise Paused("Others go first.", after=timedelta(seconds=max(left, 0.0)))
        if not self.patient and left > LONGEST_PAUSE.total_seconds():
            raise Paused("Its share of the quota is used up.", after=timedelta(seconds=left))
        if left > 0:
            self.worker.sleep(min(left, LONGEST_PAUSE.total_seconds()))

    def _most_is_left(self) -> bool:
        """Whether more than half of the tenant's calls is left, so that few others want any."""
        found = self.worker.quota.left(self.line.halo_key)
        is_roomy = all(2 * one["left"] > one["calls"] for one in found["windows"])
        return is_roomy and found["frozen_until"] is None

    def _made(self, read: Callable[[ApiCalls], T], most: int = MOST_TRIES) -> T:
        failures = 0
        while True:
            try:
                if self._api is None:
                    self._sign_in()
                assert self._api is not None  # noqa: S101 - set right above
                self.calls += 1
                self.made += 1
                self.tell("reading Halo, calls", self.made, 0)
                return read(self._api)
            except Again as error:
                if isinstance(error, NoQuota):
                    self._uncount()
                    if not self.patient or isinstance(error, Outage):
                        raise
                else:
                    failures += 1
                if failures >= most:
                    raise
                after = max(error.after, timedelta(seconds=0.05))
                self.worker.sleep(min(after, LONGEST_PAUSE).total_seconds())
            finally:
                self._last = self.worker.monotonic()

    def _uncount(self) -> None:
        """The call was not made."""
        self.calls -= 1
        self.made -= 1

    def _sign_in(self) -> None:
        self._api = halo_calls(self.line, Lane.BACKFILL)


def runs_reports(known: Capabilities) -> bool:
    """Whether a tenant runs reports as far as is known: they are the best way to find rows."""
    return not known.refuses_reports and known.find_way("order") in {None, FindWay.SQL}
