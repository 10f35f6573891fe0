"""Reading a whole Halo list, page by page, without trusting it.

Halo gives at most 100 rows a page whatever is asked, some lists ignore the page number, some are
bare arrays, and all of that happens silently. So the rows that really came decide, and the walk
says at its end whether it saw everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from syncline import jsontext
from syncline.errors import Broken
from syncline.halo.answers import listing

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
        return self.complete and not self._lacks_list

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
        fresh = self._fresh(page.rows)
        self._lacks_list |= not page.is_there
        if self._page == 1:
            self._first_page_rows = len(page.rows)
        if page.record_count is not None:
            self._counts.add(page.record_count)
        self._repeats = bool(page.rows) and not fresh
        self._finished = self._at_end(len(page.rows), len(fresh), page.record_count)
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

    def _identity_of(self, row: dict[str, Any]) -> object:
        values = tuple(row.get(field) for field in self._identity)
        known = all(isinstance(value, int | str) for value in values)
        return values if known else jsontext.canonical(row)
