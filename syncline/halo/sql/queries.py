"""Calls that read many rows and change nothing: a report's SQL, or a list walked to its end.

Who asks makes each call itself, because each needs its own permit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Literal

from syncline.errors import Unreadable
from syncline.halo.answers import Effect
from syncline.halo.client import HaloClient
from syncline.halo.entities.resources import REPORT, AnyResource
from syncline.halo.entities.rows import walk_of
from syncline.halo.models import HaloRow
from syncline.halo.sql.reports import report_rows, sql_element
from syncline.transport import Permit

ROWS_PER_REPORT = 49_000
"""Rows asked for at once, below where Halo cuts."""

DIGITS = 2
"""Digits after the point of a currency of which nothing else is known."""


@dataclass(frozen=True, slots=True)
class Query:
    """One call to make: a GET with parameters, or a POST with elements that changes nothing."""

    method: Literal["GET", "POST"]
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    elements: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def of_sql(cls, sql: str) -> Query:
        """The call that runs one SELECT as a report."""
        return cls("POST", REPORT.path, elements=[sql_element(sql)])


Ask = Callable[[Query], Any]
"""Makes a call that changes nothing and returns its document."""


def ask(client: HaloClient, permit: Permit, query: Query) -> Any:
    """Make a call and return its document."""
    if query.method == "POST":
        return client.post(query.path, query.elements, permit, effect=Effect.READ).document
    return client.get(query.path, query.params, permit).document


def reported(ask: Ask, sql: str) -> list[dict[str, str]]:
    """The rows of one SELECT.

    Raises:
        Rejected: Halo could not run it.
        Unreadable: the answer is no report.
    """
    return report_rows(ask(Query.of_sql(sql)))


def reported_pages(ask: Ask, statement: Callable[[int], str]) -> Iterator[list[dict[str, str]]]:
    """The rows of a report in the order of their ids, so many at a time.

    Args:
        ask: makes a call.
        statement: the SELECT of at most `ROWS_PER_REPORT` rows with an id above the one given.

    Raises:
        Rejected: Halo could not run a report.
        Unreadable: an answer is no report.
    """
    after = 0
    while True:
        rows = reported(ask, statement(after))
        if rows:
            yield rows
        if len(rows) < ROWS_PER_REPORT:
            return
        after = max(HaloRow.of(row).id for row in rows)


def listed(ask: Ask, resource: AnyResource) -> Iterator[dict[str, Any]]:
    """All rows of a resource by its list, also those without an id.

    Raises:
        Unreadable: it did not show all of them, or showed something that is none.
    """
    walk = walk_of(resource)
    while (params := walk.pending()) is not None:
        yield from walk.take(ask(Query("GET", resource.path, params=params)))
    if not walk.complete or walk.illegible:
        raise Unreadable(
            f"Halo's list {resource.path} does not show all its rows.",
            remedy="Allow reports for our application, or try again while nobody changes rows.",
        )


def unit_of(currency: int | None, digits: Mapping[int, int]) -> Decimal:
    """The smallest amount of a currency, by Halo's id of it."""
    return Decimal(1).scaleb(-digits.get(currency or 0, DIGITS))


def rounded(text: str, unit: Decimal) -> Decimal:
    """A sum of a report, which adds up in binary, rounded to the unit; empty text is nought.

    Raises:
        Unreadable: it is no number.
    """
    try:
        return Decimal(text or "0").quantize(unit, ROUND_HALF_UP)
    except InvalidOperation:
        raise Unreadable(f"The report has {text!r} for a sum of lines.") from None
