"""Reading a whole list by offsets, and proving that nothing was missed.

Offset paging over a list that grows skips and repeats rows. A certificate is given only if the
total was the same on every page and as many different ids were seen. New rows change the total,
and a row that moves past the page border is missed while its neighbour is seen twice, so neither
can pass. What no reader could notice is a row removed and another one added between two pages;
no operation of the API removes one.

A list of which no page tells the total is read until a page is empty or shows nothing new, since a
short one may be cut by the server. It gets no certificate: nobody can tell that it was whole.

A page that the other side refuses to show is asked for in halves, down to the single rows that it
refuses. They are left out, all others are read, and the window gets no certificate.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from syncline.errors import Broken, Refused

Days = tuple[date, date]
"""The first and the last day of some."""

MARGIN = timedelta(days=1)
"""Asked for on both sides of a window: neither the zone of its dates nor their ends are stated."""

WHOLE_DAYS = 31
"""Up to so many days are read as one window, more by calendar months."""

STEADY = 2
"""Pages in a row that are answered at a size before the next ones are asked for side by side."""

LONGER_AFTER = 16
"""Pages in a row that are answered at a size before longer ones are tried again."""

ORDERED = 5
"""Rows that follow each other by their creation before a list is taken to be ordered by it."""


@dataclass(frozen=True, slots=True)
class Window:
    """Days of creation to read as one list.

    Attributes:
        since: first day that the window is for, UTC.
        until: last day that it is for, inclusive.
        provisional: whether it includes today or later, so that rows may still be added.
        margin: how much more is asked for on both sides.
    """

    since: date
    until: date
    provisional: bool
    margin: timedelta = MARGIN

    @property
    def days(self) -> Days:
        """The first and last day that it is for."""
        return self.since, self.until

    @property
    def first(self) -> date:
        """The first day to ask for."""
        return self.since - self.margin

    @property
    def last(self) -> date:
        """The last day to ask for, inclusive."""
        return self.until + self.margin

    def in_words(self, kind: str) -> str:
        """The list that is asked for."""
        return f"the {kind}s created from {self.first} to {self.last}"

    @property
    def is_a_day(self) -> bool:
        """Whether it is a single day, which cannot be divided."""
        return self.since == self.until

    @property
    def halves(self) -> list[Days]:
        """The days of its two halves; those of itself where it is a single day."""
        if self.is_a_day:
            return [self.days]
        middle = self.since + (self.until - self.since) // 2
        return [(self.since, middle), (middle + timedelta(days=1), self.until)]

    def holds(self, created_at: datetime | None) -> bool:
        """Whether a row belongs to this window: each row belongs to exactly one.

        One that does not tell when it was created, or tells a day that was not asked for and is
        still to come, belongs to every window that lists it.
        """
        if created_at is None or created_at.astimezone(UTC).date() > self.last:
            return True
        return self.since <= created_at.astimezone(UTC).date() <= self.until


def windows(since: date, until: date, *, today: date) -> list[Window]:
    """The windows from one day to another, inclusive: one if it is short, else calendar months.

    Args:
        since: first day.
        until: last day.
        today: the day it is now, UTC.

    Raises:
        Refused: if the last day is before the first, or a day is outside the calendar.
    """
    if until < since:
        raise Refused(
            f"The window from {since} to {until} ends before it begins.",
            remedy="Give a first day that is not after the last.",
        )
    if since - date.min < MARGIN or date.max - until < MARGIN:
        raise Refused(
            f"The window from {since} to {until} leaves the calendar.",
            remedy="Give days of this century.",
        )
    if (until - since).days < WHOLE_DAYS:
        return [Window(since, until, provisional=until >= today)]
    found = []
    first = since
    while first <= until:
        last = min(first.replace(day=monthrange(first.year, first.month)[1]), until)
        found.append(Window(first, last, provisional=last >= today))
        first = last + timedelta(days=1)
    return found


@dataclass(frozen=True, slots=True)
class PullPage:
    """A page that was read and recorded.

    Attributes:
        offset: of its first row.
        total: what `totalCount` said; None where no page of the list has told it yet.
        ids: of its rows.
        refused: what was said in place of a single row, which then is all of the page.
    """

    offset: int
    total: int | None
    ids: Sequence[str]
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Certified:
    """The window was read whole: so many rows, in so many pages."""

    window: Window
    total_count: int
    pages: int


@dataclass(frozen=True, slots=True)
class Incomplete:
    """All rows of the window were read but some that the other side refuses to show."""

    window: Window


@dataclass(frozen=True, slots=True)
class Uncounted:
    """The window was read to its end, and no page of it told how many rows there are."""

    seen: int


@dataclass(frozen=True, slots=True)
class Reread:
    """The list changed while it was read, or was not what it said: read it again."""

    reason: str


class Certificate:
    """The evidence that a window was read whole, gathered page by page.

    Args:
        window: what is read.
        limit: rows to ask for a page; the server may give fewer.

    Attributes:
        limit: rows to ask for the next page: fewer than at first where longer ones are refused.
        next_offset: where it begins.
        done: whether there is none.
        refused: what was said in place of a single row, by its offset.
    """

    def __init__(self, window: Window, limit: int) -> None:
        self.window = window
        self.limit = limit
        self.next_offset = 0
        self.done = False
        self.refused: dict[int, str] = {}
        self._longest = limit
        self._expected: frozenset[int] = frozenset()
        self._promised = 0
        self._answered = 0
        self._is_found = False
        self._step = limit
        self._totals: list[int] = []
        self._pages = 0
        self._ids: set[str] = set()

    @classmethod
    def resume(cls, window: Window, limit: int, pages: Iterable[PullPage]) -> Certificate:
        """Go on after earlier pages, as far as they follow without a gap."""
        certificate, longest = cls(window, limit), 0
        for page in sorted(pages, key=lambda page: page.offset):
            if certificate.done or page.offset != certificate.next_offset:
                break
            if page.refused is not None:
                certificate._leave_out(page.refused)
            else:
                certificate.add(page.offset, page.total, page.ids)
            longest = max(longest, len(page.ids))
        # Pages behind a refused row were shorter for its sake: the longest tells where a cap is.
        certificate._step = longest or limit
        return certificate

    @property
    def seen(self) -> int:
        """How many different rows were seen."""
        return len(self._ids)

    @property
    def is_shown(self) -> bool:
        """Whether any page of the list was shown."""
        return self._pages > 0

    @property
    def total_count(self) -> int | None:
        """The total that the newest page gave which told one; None before the first."""
        return self._totals[-1] if self._totals else None

    def ahead(self, most: int) -> list[int]:
        """The offsets of the next pages, up to `most`, if they are as long as the last one was.

        Only the first one is certain: one after a shorter page does not follow it, and is no use.
        """
        if self.done:
            return []
        total = self.total_count
        is_short = self.limit < self._longest
        is_unsteady = self.limit == 1 or self._answered < STEADY
        if total is None or self._expected or (is_short and is_unsteady):
            return [self.next_offset]
        return list(range(self.next_offset, total, self._step)[:most])

    def add(self, offset: int, total_count: int | None, ids: Sequence[str]) -> None:
        """Take in the next page; `ids` are those of all its rows in order, or what stands for one.

        Where no page has told a total, the end is where nothing new is shown: a server that does
        not go by the offset would show the same for ever.

        Raises:
            Broken: if it is not the page at `next_offset`.
        """
        if self.done or offset != self.next_offset:
            raise Broken(
                f"A page at offset {offset} came where {self.next_offset} was due.",
                remedy="Report this as a bug.",
            )
        self._pages += 1
        if total_count is not None:
            self._totals.append(total_count)
        is_news = not self._ids.issuperset(ids)
        self._ids.update(ids)
        # By the rows that came, not by those asked for: the server may cap a page.
        self.next_offset = offset + len(ids)
        self._step = max(1, len(ids))
        total = self.total_count
        self.done = not ids or (not is_news if total is None else self.next_offset >= total)
        self._answered += 1
        if self._expected:
            self._approach()
        elif self.limit < self._longest and (self._is_found or self._answered >= LONGER_AFTER):
            self.limit = self._step = min(2 * self.limit, self._longest)
            self._answered = 0

    def refuse(self, said: str) -> None:
        """Take in that the page at `next_offset` is refused: half of it is asked for next.

        A single row that is refused is left out; behind it pages grow again.
        """
        self._answered = 0
        self._is_found = self.limit == 1
        if not self._is_found:
            self._expected = frozenset()  # it is elsewhere
            self.limit //= 2
            return
        self._leave_out(said)
        if self._expected:
            self._approach()

    @property
    def unshown(self) -> list[int]:
        """The rows that are refused, counted from the end; none where nobody tells where that is.

        New rows mostly come in at the beginning, so these places stay.
        """
        total = self.total_count
        return [] if total is None else [total - row for row in sorted(self.refused)]

    def expect(self, unshown: Iterable[int], total: int) -> bool:
        """Ask for rows that were refused before alone, and for those between them in long pages.

        None is left out unasked, so it costs only calls where they are elsewhere by now.

        Args:
            unshown: their places as counted then.
            total: how many rows there were.

        Returns:
            Whether the page at `next_offset`, which is refused, may be so for the sake of one.
        """
        self._expected, self._promised = frozenset(unshown), total
        before = self.limit
        self._approach()
        if self.limit < before:
            return True
        self._expected = frozenset()
        return False

    def _approach(self) -> None:
        """Have the next page end before the next row that is expected, or be that row alone."""
        total = self._promised if self.total_count is None else self.total_count
        places = [total - row for row in self._expected if total - row >= self.next_offset]
        if not places:
            self._expected = frozenset()
        distance = max(1, min(places) - self.next_offset) if places else self._longest
        self.limit = self._step = min(self._longest, distance)

    def _leave_out(self, said: str) -> None:
        self.refused[self.next_offset] = said
        self.next_offset += 1
        total = self.total_count
        self.done = total is not None and self.next_offset >= total

    def outcome(self) -> Certified | Incomplete | Uncounted | Reread:
        """Whether the window is certified, judged by the pages so far."""
        totals = sorted(set(self._totals))
        if not self.done:
            return Reread(f"only {self.next_offset} rows were read so far")
        if not totals:
            return Incomplete(self.window) if self.refused else Uncounted(self.seen)
        if len(totals) > 1:
            return Reread(f"the total changed between {totals[0]} and {totals[-1]}")
        if self.seen + len(self.refused) != totals[0]:
            return Reread(f"{self.seen} different rows were seen, {totals[0]} were promised")
        if self.refused:
            return Incomplete(self.window)
        return Certified(self.window, totals[0], self._pages)


class CreationOrder:
    """In which order a list shows its rows by their creation: so a refused one lies between two.

    No order is documented. It is believed where enough rows follow each other by it, and none
    against it.
    """

    def __init__(self) -> None:
        self._rising = self._falling = 0
        self._last: datetime | None = None
        self._before: dict[int, datetime | None] = {}
        self._behind: dict[int, datetime] = {}

    def shown(self, created: Iterable[datetime | None]) -> None:
        """Take in when the next rows were created; one that does not tell says nothing."""
        for at in created:
            if at is None:
                continue
            if self._last is not None:
                self._rising += at > self._last
                self._falling += at < self._last
            self._behind |= dict.fromkeys(self._before.keys() - self._behind.keys(), at)
            self._last = at

    def refused(self, row: int) -> None:
        """Take in that the next row, at this offset, was refused."""
        self._before[row] = self._last

    def between(self, row: int) -> tuple[datetime | None, datetime | None]:
        """The moments between which a refused row was created; None where nothing tells one."""
        if self._rising + self._falling < ORDERED or (self._rising and self._falling):
            return None, None
        before, behind = self._before.get(row), self._behind.get(row)
        return (before, behind) if self._rising else (behind, before)
