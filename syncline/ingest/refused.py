"""What HighLevel refuses to show of a window is narrowed, and told; everything else goes on.

Pages are halved down to the rows that are refused. Of a window of several days, the days that may
have such a row are then read as windows of their own. A window of one day is the smallest one: it
stays open until it is shown whole, and is tried again ever more seldom.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection

from syncline.calls.calls import NoQuota
from syncline.calls.context import Line
from syncline.engine.failures import TROUBLED, backoff
from syncline.engine.refusals import shows_list
from syncline.errors import (
    Absent,
    NotOurs,
    NotSent,
    RateLimited,
    Refused,
    Rejected,
    Suspended,
    SynclineError,
    Unreadable,
)
from syncline.highlevel.paging import Certificate, CreationOrder, Days
from syncline.ledger.database import text
from syncline.queues import Lane

ROWS_OF_DAYS = 5
"""Refused rows of several days that are looked for one by one; the halves of its days have fewer.

So few, since windows of several days are read again often.
"""

ROWS_OF_A_DAY = 50
"""The same of a single day, once something of its list was shown; the rest of it is left unread."""

LASTING = 2
"""Failures of a window in a row after which what may heal by itself, such as an error of its
server, is taken for a refusal, where HighLevel shows other rows of the list."""

LONGEST_REST = timedelta(days=1)
"""How long a day that is refused rests at the most before it is tried again."""

_SHOWN = 3
"""Refused rows that are told by their places."""

_VERDICTS = (Absent, Rejected, Unreadable)
"""How HighLevel itself says that it does not show something."""

_OF_ALL = (NoQuota, NotOurs, NotSent, RateLimited, Suspended)
"""What says nothing about what was asked."""


class RefusedPages:
    """The refusals of one reading of a window: whether they concern only what was asked.

    Args:
        line: the connection.
        kind: of the rows in the list.
        lane: in whose name.
        failures: of the window in a row, before this reading.
    """

    def __init__(self, line: Line, kind: str, lane: Lane, failures: int) -> None:
        self._line = line
        self._kind = kind
        self._lane = lane
        self._failures = failures
        self._is_shown = False

    def said(self, error: SynclineError) -> str:
        """What was said in place of a page that alone is refused.

        Raises:
            SynclineError: the list is refused as a whole, or nobody can tell yet.
        """
        if not self._concerns_the_page(error):
            raise error
        return error.what

    def _concerns_the_page(self, error: SynclineError) -> bool:
        if isinstance(error, _OF_ALL):
            return False
        if isinstance(error, Refused):
            return self._shows_others()  # each time: nobody may be let in any more
        if isinstance(error, _VERDICTS):
            self._is_shown = self._is_shown or self._shows_others()
            return self._is_shown
        if self._failures < LASTING:
            return False
        return self._shows_others()  # each time: an outage may have begun meanwhile

    def _shows_others(self) -> bool:
        return shows_list(self._line, self._lane, self._kind)


def is_given_up(walk: Certificate) -> bool:
    """Whether so much is refused that no more rows of this list are tried one by one."""
    is_shown_day = walk.window.is_a_day and walk.is_shown
    return len(walk.refused) >= (ROWS_OF_A_DAY if is_shown_day else ROWS_OF_DAYS)


def days_refused(walk: Certificate, order: CreationOrder) -> Collection[Days]:
    """The days to be read as windows of their own, since a row that is refused may be of them.

    They are those of the window itself where it is a single day, and none where all that is
    refused is of the days around it.
    """
    window = walk.window
    if not walk.done:
        return window.halves
    days: set[Days] = set()
    for row in walk.refused:
        earliest, latest = order.between(row)
        first = window.since if earliest is None else max(window.since, _day(earliest))
        last = window.until if latest is None else min(window.until, _day(latest))
        if (first, last) == window.days:
            return window.halves
        days |= {(day, day) for day in _each(first, last)}
    return sorted(days)


def told(kind: str, walk: Certificate, order: CreationOrder) -> str:
    """Which rows of the window are not shown, and what was said in their place."""
    rows, place = sorted(walk.refused), walk.window.in_words(kind)
    said = walk.refused[rows[0]]
    if not walk.is_shown:
        return f"The list of {place} is not shown: {said}"
    named = ", ".join(str(row + 1) for row in rows[:_SHOWN])
    named += f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    if len(rows) == 1:
        return f"Row {named} of {place} is not shown{_when(order, rows[0])}: {said}"
    rest = "" if walk.done else ", nor is what follows"
    return f"Rows {named} of {place} are not shown{rest}: {said}"


def keep_places(connection: Connection, pull_id: int, walk: Certificate) -> None:
    """Keep where the refused rows are: the next reading of these days finds them at once."""
    connection.execute(
        text(
            """
            update pull set unshown = to_jsonb(nullif(cast(:unshown as bigint[]), '{}'))
            where id = :id
            """
        ),
        {"id": pull_id, "unshown": walk.unshown},
    )


def is_as_before(line: Line, kind: str, walk: Certificate) -> bool:
    """Whether a page is refused where rows of these days were refused before.

    They are asked for alone then: a list that is read each minute is not halved anew each time.
    """
    before = line.worker.ledger.run(
        lambda connection: connection.execute(
            text(
                """
                select array(select cast(jsonb_array_elements_text(unshown) as bigint)) as unshown,
                       total
                from pull
                where connection_id = :connection_id and kind = :kind
                  and first = :first and last = :last and unshown is not null
                order by id desc limit 1
                """
            ),
            {
                "connection_id": line.link.id,
                "kind": kind,
                "first": walk.window.since,
                "last": walk.window.until,
            },
        ).first()
    )
    return before is not None and walk.expect(before.unshown, before.total)


def rest(failures: int) -> timedelta:
    """How long a day that is refused rests, after so many failures before this one."""
    return backoff(failures, TROUBLED, LONGEST_REST)


def _when(order: CreationOrder, row: int) -> str:
    earliest, latest = order.between(row)
    if earliest is None or latest is None:
        return ""
    return f" (it was created between {_moment(earliest)} and {_moment(latest)} UTC)"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()


def _each(first: date, last: date) -> list[date]:
    return [first + timedelta(days=at) for at in range((last - first).days + 1)]
