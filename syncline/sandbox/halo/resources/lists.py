"""Lists of the emulated Halo: filters, search, order and pages, with their silent traps.

At most 100 rows a page whatever is asked for; without `pageinate=true` the caller's page is
ignored and 50 rows come; unknown query parameters are ignored. Source: seen live by others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from syncline.sandbox.halo.resources.entity import Entity
from syncline.sandbox.halo.tenant.rows import Rows
from syncline.sandbox.halo.tenant.store import Row
from syncline.sandbox.halo.tenant.tenant import Tenant

PAGE_CAP = 100
DEFAULT_PAGE = 50

_UNPAGED = ("Client", "RecurringInvoice")
_UNSEARCHED = ("SalesOrder", "Invoice", "RecurringInvoice", "Tickets")
"""The lists that an awkward tenant does not page or search."""


def listed(tenant: Tenant, entity: Entity, query: Mapping[str, str]) -> Any:
    """The answer to a list call."""
    rows = _ordered(_matching(tenant, entity, query), query)
    bare = entity.may_be_bare and tenant.profile.bare_lists
    if entity.list_key is None or bare:
        return [entity.flat(row) for row in rows]
    heeded = entity.name not in _UNPAGED or tenant.profile.pages_clients
    body = page_of(rows, query, entity.list_key, heeded=heeded)
    body[entity.list_key] = [entity.flat(row) for row in body[entity.list_key]]
    return body


def page_of(rows: list[Row], query: Mapping[str, str], key: str, *, heeded: bool = True) -> Row:
    """One page of ordered rows under a key.

    Args:
        rows: all of them.
        query: of the call.
        key: the list's.
        heeded: whether the page's number is: some lists give the first one for every number.
    """
    paged = query.get("pageinate", "").lower() == "true"
    size = _natural(query.get("page_size" if paged else "count"), DEFAULT_PAGE)
    size = min(size, PAGE_CAP)
    page = _natural(query.get("page_no"), 1) if paged else 1
    at = (page - 1) * size if heeded else 0
    only_ids = query.get("idonly", "").lower() == "true"
    body: Row = {"page_no": page, "page_size": size} if paged else {}
    body["record_count"] = len(rows)
    body[key] = [{"id": row["id"]} if only_ids else row for row in rows[at : at + size]]
    return body


def _matching(tenant: Tenant, entity: Entity, query: Mapping[str, str]) -> list[Row]:
    rows = entity.rows(tenant.store)
    found: Iterable[Row] = rows.values()
    reference = query.get("third_party_id")
    if reference and entity.name == "ExternalLink":
        found = tenant.store.links_by_reference(reference)
    asked = {key: query[key].casefold() for key in entity.filters if query.get(key)}
    if asked and isinstance(rows, Rows):
        # The last filter is the one that leaves fewest rows.
        found = rows.having(*asked.popitem())
    for key, wanted in asked.items():
        found = [row for row in found if str(row.get(key, "")).casefold() == wanted]
    since = query.get("lastupdatefromdate", "").rstrip("Z")
    if since and tenant.profile.filters_by_update and entity.name in ("Client", "Users", "Tickets"):
        updated = tenant.store.updated
        found = [row for row in found if updated.get((entity.name, row["id"]), "") >= since]
    sought = query.get("search", "").strip().casefold()
    if sought and (entity.name not in _UNSEARCHED or tenant.profile.searches_orders):
        found = _mentioning(rows, found, entity.searched, sought)
    if entity.shown is not None:
        found = [row for row in found if entity.shown(tenant, row, query)]
    return list(found)


def _mentioning(
    rows: dict[int, Row], found: Iterable[Row], names: tuple[str, ...], sought: str
) -> list[Row]:
    if isinstance(rows, Rows) and not isinstance(found, list):
        return rows.mentioning(names, sought)
    return [
        row for row in found if any(sought in str(row.get(one) or "").casefold() for one in names)
    ]


def _ordered(rows: list[Row], query: Mapping[str, str]) -> list[Row]:
    """Sorted by the asked field, the id deciding ties; an unknown field is ignored."""
    key = query.get("order", "id")
    falling = query.get("orderdesc", "").lower() == "true"
    if not rows or key not in rows[0] or isinstance(rows[0][key], list | dict):
        key = "id"
    if key == "id":
        return sorted(rows, key=lambda row: row["id"], reverse=falling)
    return sorted(rows, key=lambda row: (_sortable(row.get(key)), row["id"]), reverse=falling)


def _sortable(value: Any) -> tuple[bool, Any]:
    return (value is not None, value if value is not None else 0)


def _natural(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() and int(text) > 0 else default
