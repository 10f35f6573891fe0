"""What changed in Halo: orders by their last update, consignments and payments by their ids.

Halo's lists have no filter for it. Where SQL reports were proved they are asked; else the lists
newest first, down to what is known already. Whether a list really descends is looked at: where it
does not, only the whole list tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from syncline import leniency
from syncline.halo.entities.resources import CONSIGNMENT, INVOICE, ORDER, PAYMENT, AnyResource
from syncline.halo.models import whole
from syncline.halo.paging import PageWalk

Noun = Literal["salesorder", "consignment", "invoice", "payment"]

MOST_PAGES = 100
"""Pages of one walk; a list that does not descend and is longer is not known wholly."""


_RESOURCES: Mapping[Noun, AnyResource] = {
    "salesorder": ORDER,
    "consignment": CONSIGNMENT,
    "invoice": INVOICE,
    "payment": PAYMENT,
}
_SHOWN: Mapping[Noun, tuple[str, ...]] = {
    "salesorder": ("last_update_time",),
    "invoice": ("client_id", "salesorder_id", "currency_code", "total"),
    "payment": ("thirdpartyid", "invoice_id", "amount"),
}
"""What a report shows of a row beside its id and reference; of other nouns it tells too little."""


def path_of(noun: Noun) -> str:
    """The path of a noun's list."""
    return _RESOURCES[noun].path


def sql_of(noun: Noun, ids: Iterable[int]) -> str | None:
    """The SELECT that shows these rows by their ids; None where a report tells too little."""
    if noun not in _SHOWN:
        return None
    table = _RESOURCES[noun].known_table
    return table.select(_shown(noun), where=[f"{table.id} IN ({', '.join(map(str, ids))})"])


def sql_since(noun: Noun, since: datetime) -> str:
    """The SELECT of the rows that were changed at or after a moment, the last one first."""
    changed = _changed(noun)
    return _RESOURCES[noun].known_table.select(
        _shown(noun), where=[f"{changed} >= '{_stamp(since)}'"], order=f"{changed} DESC"
    )


def sql_from(noun: Noun, lowest: int) -> str:
    """The SELECT of the rows with an id from there on, the highest first."""
    table = _RESOURCES[noun].known_table
    return table.select(_shown(noun), where=[f"{table.id} >= {lowest}"], order=f"{table.id} DESC")


def sql_newest(noun: Noun, until: datetime, many: int) -> str:
    """The SELECT of so many rows that were changed last, at or before a moment."""
    changed = _changed(noun)
    return _RESOURCES[noun].known_table.select(
        _shown(noun), where=[f"{changed} <= '{_stamp(until)}'"], order=f"{changed} DESC", top=many
    )


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


def _shown(noun: Noun) -> tuple[str, ...]:
    return "id", _RESOURCES[noun].reference, *_SHOWN[noun]


def _changed(noun: Noun) -> str:
    resource = _RESOURCES[noun]
    return resource.known_table.columns[resource.changed]


def moment(text: Any) -> datetime | None:
    """A time as Halo writes it: without a zone it means UTC. None for what is no time."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def same_moment(one: Any, other: Any) -> bool:
    """Whether two of Halo's times are the same; an unknown one is like none."""
    first, second = moment(one), moment(other)
    return first is not None and first == second


class NewestFirst:
    """A walk down a list to what is known already.

    The caller makes each call itself, because each needs its own permit. Rows are collected as the
    list shows them, without lines; one without an id is left out, and noted.

    Args:
        noun: which list.
        floor: rows above it are wanted: a moment for orders, an id for all others. None: only the
            first page, to know where the list stands.
        ids: the walk may end as soon as all of these were seen.
    """

    def __init__(
        self,
        noun: Noun,
        *,
        floor: datetime | int | None = None,
        ids: Iterable[int] = (),
        most_pages: int = MOST_PAGES,
    ) -> None:
        resource = _RESOURCES[noun]
        self._noun = noun
        self._ranked_by = resource.changed or "id"
        self._floor = floor
        self._sought = set(ids)
        self._most_pages = most_pages
        self._last: datetime | int | None = None
        self._ended = False
        self._walk = PageWalk(
            {**resource.newest_first, "order": self._ranked_by}, key=resource.list_key
        )
        self.rows: list[dict[str, Any]] = []
        self.pages = 0
        self.descends = True

    def pending(self) -> dict[str, str] | None:
        """The parameters of the next page; None at the end."""
        if self._ended or self.pages >= self._most_pages:
            return None
        return self._walk.pending()

    def take(self, document: Any) -> None:
        """Take the answer to `pending`.

        Raises:
            Unreadable: the answer is no list.
        """
        self.pages += 1
        fresh = self._walk.take(document)
        below = False
        for row in fresh:
            row_id = whole(row.get("id"))
            if row_id is None:  # nobody can read it, and it says nothing of the others
                leniency.note("halo", self._noun, ["id"], "")
                continue
            rank = self.rank(row)
            below = self._notice_order(rank) or below
            self.rows.append(row)
            self._sought.discard(row_id)
        self._ended = self._is_enough(below=below)

    def rank(self, row: Mapping[str, Any]) -> datetime | int | None:
        """By what a row stands where it does."""
        value = row.get(self._ranked_by)
        return whole(value) if self._ranked_by == "id" else moment(value)

    def above(self) -> list[dict[str, Any]]:
        """The rows above the floor; one that does not say where it stands counts as above."""
        if self._floor is None:
            return list(self.rows)
        ranked = [(self.rank(row), row) for row in self.rows]
        return [row for rank, row in ranked if rank is None or rank >= self._floor]  # type: ignore[operator]  # one list has one kind of rank

    @property
    def ranks(self) -> list[Any]:
        """Where the rows stand that were seen; without those that do not say it."""
        return [rank for row in self.rows if (rank := self.rank(row)) is not None]

    def _notice_order(self, rank: datetime | int | None) -> bool:
        """Whether a row stands below the floor; notes when the list does not descend."""
        if rank is None or (self._last is not None and rank > self._last):  # type: ignore[operator]  # one list has one kind of rank
            self.descends = False
        if rank is None:
            return False
        self._last = rank
        return self._floor is not None and rank < self._floor  # type: ignore[operator]  # likewise

    def _is_enough(self, *, below: bool) -> bool:
        if not self.descends:
            return False
        if self._floor is None:
            return not self._sought
        return below
