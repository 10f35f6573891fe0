"""Recorded: what was read becomes facets, records, changes and deliveries due, in one transaction.

A reading that equals the stored one writes nothing at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from syncline.fingerprint import fingerprint
from syncline.highlevel import canonical
from syncline.ledger import connections, records
from syncline.ledger.connections import Link
from syncline.mapping.document import Document
from syncline.steps import owing

Partial = Callable[[Mapping[str, Any]], dict[str, Any]]

PARTIALS: dict[tuple[str, str], Partial] = {
    ("order", "list"): canonical.order_from_list,
    ("order", "detail"): canonical.order_from_detail,
    ("transaction", "list"): canonical.transaction_from_list,
    ("transaction", "detail"): canonical.transaction_from_detail,
    ("subscription", "list"): canonical.subscription_from_list,
    ("subscription", "detail"): canonical.subscription_from_detail,
}
"""How each facet of each kind reads in canonical terms."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a page brought: new and changed records, and what it made due."""

    new: int
    changed: int
    unchanged: int
    targets: frozenset[str]


def record(
    connection: Connection,
    link: Link,
    document: Document,
    kind: str,
    facet: str,
    payloads: Mapping[str, Mapping[str, Any]],
    cause: str,
) -> Recorded:
    """Record readings of one facet, by foreign id, and make due what they owe.

    Args:
        connection: the transaction, which the caller commits.
        link: whose records these are.
        document: the connection's mapping, which decides what is owed.
        kind: order, transaction or subscription.
        facet: list or detail.
        payloads: the raw rows.
        cause: what showed them, for the change and the audit.
    """
    place = link.location_place
    records.lock(connection, place, kind)
    marks = {key: fingerprint(payload) for key, payload in payloads.items()}
    known = records.fingerprints(connection, place, kind, facet, list(payloads))
    fresh = [key for key in payloads if known.get(key) != marks[key]]
    if not fresh:
        return Recorded(0, 0, len(payloads), frozenset())
    stored = records.load(connection, place, kind, fresh)
    facet_rows: list[records.FacetRow] = []
    versions: list[records.NewVersion] = []
    for key in fresh:
        partial = PARTIALS[kind, facet](payloads[key])
        updated_at = _moment(partial.get("updated_at"))
        if _is_older(updated_at, facet, stored.get(key)):
            continue  # read from a copy that lags behind, or an event that was overtaken
        facet_rows.append(records.FacetRow(key, payloads[key], marks[key], updated_at))
        version = _next(kind, key, facet, partial, updated_at, stored.get(key))
        if version is not None:
            versions.append(version)
    records.save_facets(connection, place, kind, facet, facet_rows)
    records.save_versions(connection, place, kind, versions, cause)
    connections.owed_under_old_rules(connection, link)
    targets = owing.owe(
        connection,
        link,
        document,
        kind,
        [owing.Version(one.foreign_id, one.version, one.canonical) for one in versions],
        cause,
        detail_is_fresh=facet == "detail",
    )
    new = sum(1 for version in versions if version.version == 1)
    return Recorded(new, len(versions) - new, len(payloads) - len(fresh), frozenset(targets))


def _is_older(updated_at: datetime | None, facet: str, before: records.Stored | None) -> bool:
    known = None if before is None else before.facets.get(facet, (None, {}))[0]
    return updated_at is not None and known is not None and updated_at < known


def _next(
    kind: str,
    key: str,
    facet: str,
    partial: Mapping[str, Any],
    updated_at: datetime | None,
    before: records.Stored | None,
) -> records.NewVersion | None:
    """The next version, or None when the canonical form stays as it is."""
    facets: dict[str, tuple[datetime | None, Mapping[str, Any]]] = {facet: (updated_at, partial)}
    if before is not None:
        for name, (moment, payload) in before.facets.items():
            if name != facet:
                facets[name] = (moment, PARTIALS[kind, name](payload))
    merged = canonical.merge(facets)
    mark = fingerprint(merged, volatile=())
    if before is not None and before.fingerprint == mark:
        return None
    return records.NewVersion(
        foreign_id=key,
        version=1 if before is None else before.version + 1,
        canonical=merged,
        fingerprint=mark,
        created_at=_moment(merged.get("created_at")),
        updated_at=_moment(merged.get("updated_at")),
        fields={} if before is None else records.difference(before.canonical, merged),
    )


def _moment(value: object) -> datetime | None:
    return None if value is None else datetime.fromisoformat(str(value))
