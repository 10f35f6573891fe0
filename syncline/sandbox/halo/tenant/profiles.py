"""The three kinds of tenant: how far a Halo differs from what its documents let one hope."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ArraySaving(StrEnum):
    """What becomes of an array of more than one element."""

    ALL = "all"
    FIRST = "first"
    TWO_OF_THREE = "two of three"


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of tenant.

    Attributes:
        saving: which elements of an array are saved; the others vanish without a word.
        keeps_before_bad: a bad element ends an array, yet what stood before it is saved.
        reversed_answers: an answer to several elements comes in another order.
        bare_single: one element is answered by an object and not by an array of one.
        created_status: the status of a successful POST.
        sql: ad-hoc reports are granted.
        links: ExternalLink rows are stored.
        late_links: they are visible only after the configured delay.
        replaces_lines: posted lines replace the set; else they are merged by id.
        searches_orders: `search=` is heeded on sales orders, invoices and recurring invoices,
            and on tickets.
        pages_clients: `page_no` is heeded on the lists of clients and recurring invoices.
        filters_by_update: `lastupdatefromdate` is heeded.
        filters_tickets: tickets and their statuses heed filters besides `search=`.
        shows_strange_modules: integration errors of modules that are not Halo's own are shown.
        refuses_strange_modules: they are refused; else they vanish unless they are shown.
        dashboards: dashboards are granted.
        custom_tables: custom tables are granted.
        reports_custom_tables: reports can read the rows of custom tables.
        bare_lists: the lists of reports and custom tables are bare arrays.
        enforces_change_seq: an update of an order needs its current `change_seq`.
        wrapped_limit_text: the text of a 429 stands inside JSON.
        names_columns: the database's errors name table and column.
    """

    name: str
    saving: ArraySaving = ArraySaving.ALL
    keeps_before_bad: bool = False
    reversed_answers: bool = False
    bare_single: bool = False
    created_status: int = 200
    sql: bool = True
    links: bool = True
    late_links: bool = False
    replaces_lines: bool = True
    searches_orders: bool = True
    pages_clients: bool = True
    filters_by_update: bool = False
    filters_tickets: bool = False
    shows_strange_modules: bool = False
    refuses_strange_modules: bool = False
    dashboards: bool = True
    custom_tables: bool = True
    reports_custom_tables: bool = True
    bare_lists: bool = False
    enforces_change_seq: bool = False
    wrapped_limit_text: bool = False
    names_columns: bool = True


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            name="generous",
            filters_by_update=True,
            filters_tickets=True,
            shows_strange_modules=True,
        ),
        Profile(
            name="plain",
            saving=ArraySaving.FIRST,
            bare_single=True,
            sql=False,
            links=False,
            custom_tables=False,
            names_columns=False,
        ),
        Profile(
            name="awkward",
            saving=ArraySaving.TWO_OF_THREE,
            keeps_before_bad=True,
            reversed_answers=True,
            bare_single=True,
            created_status=201,
            late_links=True,
            replaces_lines=False,
            searches_orders=False,
            pages_clients=False,
            refuses_strange_modules=True,
            dashboards=False,
            reports_custom_tables=False,
            bare_lists=True,
            enforces_change_seq=True,
            wrapped_limit_text=True,
        ),
    )
}


def kept(saving: ArraySaving, count: int) -> list[int]:
    """The positions of an array that are saved."""
    if saving is ArraySaving.FIRST:
        return [0] if count else []
    if saving is ArraySaving.TWO_OF_THREE:
        return [at for at in range(count) if at % 3 != 2]
    return list(range(count))
