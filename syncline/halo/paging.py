"""Reading a whole Halo list, page by page, without trusting it.

Halo gives at most 100 rows a page whatever is asked, some lists ignore the page number, some are
bare arrays, and all of that happens silently. So the rows that really came decide, and the walk
says at its end whether it saw everything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import UUID

from syncline import jsontext
from syncline.errors import Broken
from syncline.halo.answers import listing
from syncline.halo.models import whole

PAGE_SIZE = 100
"""Rows to ask for; Halo gives no more."""

LEAST_DEFAULT = 50
"""Rows of the smallest page that Halo gives by itself, where it ignores what was asked for."""

OF_AN_AGENT = frozenset({10, 20, 25, 30, 40})
"""Rows of a page that an agent may have chosen for himself, so that more may be behind it."""


class PageWalk:
    """One walk over a list: says what to ask next, takes the answers, judges the end.

    The caller makes each call itself, because each needs its own permit.

    Args:
        params: filters and order that go with every page.
        key: the name under which the rows come, where it is known.
        identity: the fields that make a row one of its kind (actions: ticket and id).

    Attributes:
        illegible: what was left out of the rows: what is no object, and where whoever reads the
            rows says so, what has no id. It may be anything that is looked for.
    """

    def __init__(
        self,
        params: Mapping[str, str] | None = None,
        *,
        key: str | None = None,
        identity: tuple[str, ...] = ("id",),
    ) -> None:
        self._params = dict(params or {})
        self._key = key
        self._identity = identity
        self._seen: set[Any] = set()
        self._counts: set[int] = set()
        self._page = 1
        self._first_page_rows = 0
        self._repeats = False
        self._finished = False
        self._lacks_list = False
        self.illegible: list[Any] = []

    def state(self) -> dict[str, Any]:
        """How far the walk has come, as a document; the rows seen are known to the caller."""
        return {
            "page": self._page,
            "first_page_rows": self._first_page_rows,
            "counts": sorted(self._counts),
        }

    def go_on(self, state: Mapping[str, Any], seen: Iterable[Any]) -> None:
        """Go on with a walk that was cut, behind its last page.

        Args:
            state: what `state` gave.
            seen: the ids of the rows that were seen.
        """
        self._page = int(state["page"])
        self._first_page_rows = int(state["first_page_rows"])
        self._counts = set(state["counts"])
        self._seen = {(one,) for one in seen}

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to ask."""
        return self._finished

    @property
    def complete(self) -> bool:
        """Whether every row of the list was seen.

        Where Halo says how many there are, that number must have stayed the same and must have
        come. Where it does not, the end must have been met; a list that repeats itself for every
        page number is whole only if it had room for more on its page, however long that may be.
        """
        if not self._finished:
            return False
        if self._counts:
            return self._counts == {len(self._seen)}
        has_room = self._first_page_rows < LEAST_DEFAULT
        return not self._repeats or (has_room and self._first_page_rows not in OF_AN_AGENT)

    @property
    def proves_absence(self) -> bool:
        """Whether what was not seen is not there: every row was seen, and each answer had a list.

        One that has none, and a count of 0, may be of somebody who has failed.
        """
        return self.proves_absence_of(lambda _: True)

    def proves_absence_of(self, may_be: Callable[[Mapping[str, Any]], bool]) -> bool:
        """Whether what was not seen is not there, though rows were left out.

        Args:
            may_be: whether a row that was left out may be what is looked for.
        """
        hidden = [one for one in self.illegible if not isinstance(one, Mapping) or may_be(one)]
        return self.complete and not self._lacks_list and not hidden

    @property
    def distinct(self) -> int:
        """How many different rows were seen."""
        return len(self._seen)

    def pending(self) -> dict[str, str] | None:
        """The parameters of the next page, None at the end.

        The page number goes out from the first call on: without `pageinate` Halo ignores size and
        number and answers with a default page of the agent.
        """
        if self._finished:
            return None
        paging = {
            "pageinate": "true",
            "page_size": str(PAGE_SIZE),
            "page_no": str(self._page),
        }
        return self._params | paging

    def take(self, document: Any) -> list[dict[str, Any]]:
        """Take the answer to `pending` and return the rows not seen before.

        Raises:
            Unreadable: if the answer is no list.
        """
        if self._finished:
            raise Broken("A page was taken after the end of its walk.")
        page = listing(document, self._key)
        fresh, many = self._fresh(page.rows), len(page.rows) + len(page.illegible)
        news = len(fresh) + self._leave_out(page.illegible)
        self._lacks_list |= not page.is_there
        if self._page == 1:
            self._first_page_rows = many
        if page.record_count is not None:
            self._counts.add(page.record_count)
        self._repeats = bool(many) and not news
        self._finished = self._at_end(many, news, page.record_count)
        self._page += 1
        return fresh

    def _at_end(self, rows: int, fresh: int, record_count: int | None) -> bool:
        if fresh == 0:
            return True
        if record_count is not None:
            return len(self._seen) >= record_count
        return rows < self._first_page_rows

    def _fresh(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        fresh = []
        for row in rows:
            identity = self._identity_of(row)
            if identity not in self._seen:
                self._seen.add(identity)
                fresh.append(row)
        return fresh

    def _leave_out(self, illegible: Iterable[Any]) -> int:
        """Keep what is no row, and tell how much of it was not seen before.

        Nothing tells two of a kind apart but their places, and a list that repeats itself has to
        end: so those of one page are told apart, and a second page of the same is nothing new.
        """
        times: Counter[bytes] = Counter()
        before = len(self._seen)
        for one in illegible:
            text = jsontext.canonical(one)
            times[text] += 1
            identity = (text, times[text])
            if identity not in self._seen:
                self._seen.add(identity)
                self.illegible.append(one)
        return len(self._seen) - before

    def _identity_of(self, row: dict[str, Any]) -> object:
        # Any other value says nothing: several rows may have the same nonsense for an id.
        values = tuple(_id_of(row.get(field)) for field in self._identity)
        return jsontext.canonical(row) if None in values else values


def _id_of(value: Any) -> int | UUID | None:
    number = whole(value)
    if number is not None or not isinstance(value, str):
        return number
    try:
        return UUID(value)
    except ValueError:
        return None
