"""Finding our own rows in Halo by our reference, in the way that was proved at the tenant.

A look-up decides whether something is sent again, so both mistakes are dear: a false match loses a
record, a false absence doubles one. Halo ignores filters it does not know and answers with the
whole list, so every row is compared exactly, and a reference whose absence the answer cannot prove
is reported as unsure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from syncline import leniency
from syncline.errors import Unmappable, Unreadable
from syncline.halo.capabilities import FindWay
from syncline.halo.entities.resources import (
    ACTION,
    CLIENT,
    INTEGRATION_ERROR,
    INVOICE,
    ORDER,
    PAYMENT,
    RECURRING,
    TICKET,
    USER,
    AnyResource,
)
from syncline.halo.matching import LEAST_KEPT, WITHOUT_CASE, reference
from syncline.halo.models import HaloRow
from syncline.halo.paging import PageWalk
from syncline.halo.sql.queries import Query
from syncline.halo.sql.reports import quoted, report_rows

Target = Literal[
    "client",
    "user",
    "order",
    "invoice",
    "payment",
    "credit",
    "recurring",
    "ticket",
    "alert_action",
    "integration_error",
]

REFERENCES_PER_SQL = 2_000
"""References in one IN list; SQL Server gives up on lists of many thousands."""

_LINKS = "/ExternalLink"


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A row of Halo that carries a reference of ours.

    `row` is what that way shows of it: but for links, the fields have the names of the entity, so
    that the entity's model reads it. A list may show an invoice without its lines, a report never
    shows them.
    """

    id: int
    reference: str
    row: dict[str, Any]


@dataclass(frozen=True, slots=True)
class LookupResult:
    """The outcome of a look-up.

    Attributes:
        rows: reference → its rows; two rows are two, none is an empty list.
        unsure: references without a row whose absence was not proved.
        like: reference → rows that may be its own, with it in another letter case or cut.
    """

    rows: dict[str, list[FoundRow]]
    unsure: frozenset[str]
    like: dict[str, list[FoundRow]] = field(default_factory=dict)


_RESOURCES: Mapping[Target, AnyResource] = {
    "client": CLIENT,
    "user": USER,
    "order": ORDER,
    "invoice": INVOICE,
    "payment": PAYMENT,
    "credit": INVOICE,
    "recurring": RECURRING,
    "ticket": TICKET,
    "alert_action": ACTION,
    "integration_error": INTEGRATION_ERROR,
}

_INVOICE_SHOWN = (
    *("client_id", "sitenumber", "salesorder_id", "currency_code"),
    *("creditlinkedtoinvoiceid", "total"),
)
_SHOWN: Mapping[Target, tuple[str, ...]] = {
    "user": ("site_id", "client_id"),
    "invoice": _INVOICE_SHOWN,
    "credit": _INVOICE_SHOWN,
    "recurring": _INVOICE_SHOWN,
    "payment": ("thirdpartyid", "invoice_id", "amount"),
    "ticket": ("status_id",),
}
"""What a report shows of a row beside its id and its reference."""


def ways_of(target: Target) -> tuple[FindWay, ...]:
    """The ways in which rows of a target can be looked for, best first.

    Which of them work at a tenant is another question, answered by its capabilities.
    """
    return _RESOURCES[target].ways


def found_by(target: Target) -> str:
    """The field that holds our reference where rows of a target are looked for."""
    return _RESOURCES[target].reference


class RowLookup:
    """One look-up: says which call to make next, takes the answers, tells the outcome.

    Args:
        way: how to find, as proved for the target. In a way that the target does not have no call
            is made and every reference is unsure.
        target: which kind of row.
        references: ours: users by e-mail, payments by `intent_id`, all others by our reference.
    """

    def __init__(self, way: FindWay, target: Target, references: Iterable[str]) -> None:
        self._way = way
        self._target = target
        self._resource = _RESOURCES[target]
        key = self._resource.reference
        given = {text: reference({key: text}, key) for text in references}
        self._given = given
        self._rows: dict[str, dict[int, FoundRow]] = {ref: {} for ref in given.values() if ref}
        self._unsure: set[str] = {""}
        self._like: dict[str, dict[int, FoundRow]] = {}
        self._shortened = _shortened(self._rows) if key != WITHOUT_CASE else {}
        self._batches = self._first_batches()
        self._walk = self._new_walk()

    def pending(self) -> Query | None:
        """The next call; None when all is known."""
        if not self._batches:
            return None
        batch = self._batches[0]
        if self._way is FindWay.SQL:
            return Query.of_sql(self._statement(batch))
        path = _LINKS if self._way is FindWay.LINK else self._resource.path
        return Query("GET", path, params=self._walk.pending() or {})

    def take(self, document: Any) -> None:
        """Take the answer to `pending`.

        Raises:
            Unreadable: if it is no list or no report.
            Rejected: if Halo could not run the report.
        """
        if self._way is FindWay.SQL:
            self._note(report_rows(document), self._resource.reference)
            self._batches.pop(0)
            return
        key = "third_party_id" if self._way is FindWay.LINK else self._resource.reference
        fresh = self._walk.take(document)
        self._note(fresh, key)
        if not self._walk.finished:
            return
        if not self._walk.proves_absence:
            self._unsure.update(self._batches[0])
        self._batches.pop(0)
        self._walk = self._new_walk()

    def found(self) -> LookupResult:
        """The outcome, under the references as they were given; unfinished ones are unsure."""
        open_refs = {ref for batch in self._batches for ref in batch}
        unsure = self._unsure | open_refs
        rows = {text: list(self._rows.get(ref, {}).values()) for text, ref in self._given.items()}
        like = {
            text: list(self._like[ref].values())
            for text, ref in self._given.items()
            if ref in self._like and not rows[text]
        }
        return LookupResult(
            rows=rows,
            unsure=frozenset(
                text for text, ref in self._given.items() if ref in unsure and not rows[text]
            ),
            like=like,
        )

    def _first_batches(self) -> list[list[str]]:
        refs = list(self._rows)
        if self._way not in self._resource.ways:
            self._unsure.update(refs)
            return []
        if self._way is FindWay.PAGES:
            return [refs] if refs else []
        if self._way is not FindWay.SQL:
            return [[ref] for ref in refs]
        sayable = [ref for ref in refs if _sayable(ref)]
        self._unsure.update(set(refs) - set(sayable))
        step = REFERENCES_PER_SQL
        return [sayable[at : at + step] for at in range(0, len(sayable), step)]

    def _statement(self, references: Iterable[str]) -> str:
        table = self._resource.known_table
        listed = ", ".join(map(quoted, references))
        return table.select(
            ("id", self._resource.reference, *_SHOWN.get(self._target, ())),
            where=(table.only, f"{self._resource.reference_column} IN ({listed})"),
        )

    def _new_walk(self) -> PageWalk:
        resource, search = self._resource, self._resource.search
        if not self._batches or self._way is FindWay.PAGES:
            return PageWalk({**search.filters, **resource.newest_first}, key=resource.list_key)
        ref = self._batches[0][0]
        if self._way is FindWay.LINK:
            return PageWalk({"third_party_id": ref, "table_id": str(resource.links)})
        sought = {search.param: search.sought(ref)}
        return PageWalk({**resource.filters, **search.filters, **sought}, key=resource.list_key)

    def _note(self, rows: Iterable[Mapping[str, Any]], key: str) -> None:
        for row in rows:
            if self._way is FindWay.LINK and not self._is_ours(row):
                continue
            if not _is_shown(row, key):
                # What does not show the field proves nothing about any reference.
                if key in row:
                    leniency.note("halo", self._target, [key], str(row.get("id")))
                self._unsure.update(self._batches[0])
                continue
            ref = reference({self._resource.reference: row[key]}, self._resource.reference)
            if ref in self._rows:
                self._take(row, ref, self._rows[ref])
                continue
            for whole in self._shortened.get(ref.casefold(), ()):
                self._take(row, whole, self._like.setdefault(whole, {}))

    def _take(self, row: Mapping[str, Any], ref: str, into: dict[int, FoundRow]) -> None:
        try:
            found_id = HaloRow.of({"id": self._id_of(row)}).id
        except Unreadable:
            leniency.note("halo", self._target, ["id"], "")
            self._unsure.add(ref)  # it is there, and nobody can say which row it is
            return
        into.setdefault(found_id, FoundRow(found_id, ref, self._resource.incoming(row)))

    def _is_ours(self, link: Mapping[str, Any]) -> bool:
        return str(link.get("table_id")) == str(self._resource.links)

    def _id_of(self, row: Mapping[str, Any]) -> Any:
        return row.get("halo_id") if self._way is FindWay.LINK else row.get("id")


def _is_shown(row: Mapping[str, Any], key: str) -> bool:
    """Whether a row says what its reference is, or that it has none; a number is none of ours."""
    return key in row and not isinstance(row[key], Mapping | list)


def _shortened(references: Iterable[str]) -> dict[str, list[str]]:
    """What may be kept of references, in one letter case: whole, or cut → those it may be of."""
    found: dict[str, list[str]] = {}
    for ref in references:
        text = ref.casefold()
        for end in {len(text), *range(LEAST_KEPT, len(text))}:
            found.setdefault(text[:end], []).append(ref)
    return found


def _sayable(ref: str) -> bool:
    try:
        quoted(ref)
    except Unmappable:
        return False
    return True
