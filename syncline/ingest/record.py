"""Recorded: what was read becomes facets, records, changes and deliveries due, in one transaction.

A reading that equals the stored one writes nothing at all. A record of which something cannot be
read is parked, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from syncline import leniency
from syncline.engine import connection_rules
from syncline.errors import Unreadable
from syncline.fingerprint import VOLATILE, fingerprint
from syncline.highlevel import canonical
from syncline.highlevel.events import SENT, sent_at
from syncline.highlevel.merging import CONTESTED, contradictions, merge
from syncline.highlevel.models import instant
from syncline.ingest import requests, rereading, unreadable
from syncline.ingest.rereading import Version
from syncline.ingest.unreadable import UnreadableRecord
from syncline.ledger import left_out, records
from syncline.ledger.connections import Link
from syncline.mapping.document import Document

Partial = Callable[[Mapping[str, Any]], dict[str, Any]]

PARTIALS: dict[tuple[str, str], Partial] = {
    ("order", "list"): canonical.order_from_list,
    ("order", "event"): canonical.order_from_detail,
    ("order", "detail"): canonical.order_from_detail,
    ("order", "fulfillments"): canonical.order_from_fulfillments,
    ("transaction", "list"): canonical.transaction_from_list,
    ("transaction", "detail"): canonical.transaction_from_detail,
    ("subscription", "list"): canonical.subscription_from_list,
    ("subscription", "detail"): canonical.subscription_from_detail,
}
"""How each facet of each kind reads in canonical terms."""


Cause = str | Mapping[str, str]
"""What showed records: one cause for all, or one by foreign id."""

_WITH_ITEMS = ("detail", "event")
"""Facets that tell an order's items."""

_BESIDE_DETAIL = ("list", "event")
"""Facets that tell of a record beside its own detail."""

_SPELLED = {"created_at": "createdAt", "updated_at": "updatedAt"}
"""Times of a record → as HighLevel spells them."""

AHEAD = timedelta(days=2)
"""How far a time of HighLevel may lie ahead of our clock; more is no time of what has been."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_TELLING = ("status", "amount", "fulfillment_status")
"""Fields of an order that decide what is done about it."""

_VOLATILE = VOLATILE | {SENT}
"""An event that says what is known already tells nothing new, whenever it was sent."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a page brought: new and changed records, and what it made due.

    Attributes:
        new: records that were not known.
        changed: known ones with a new version.
        unchanged: those that equal what is stored.
        targets: of the deliveries that are due by it.
        unannounced: (id, when it was last changed) of orders of which HighLevel sends events for
            such a change, and has not yet.
    """

    new: int
    changed: int
    unchanged: int
    targets: frozenset[str]
    unannounced: tuple[tuple[str, datetime], ...] = ()


def record(
    connection: Connection,
    link: Link,
    document: Document,
    kind: str,
    facet: str,
    payloads: Mapping[str, Mapping[str, Any]],
    cause: Cause,
) -> Recorded:
    """Record readings of one facet, by foreign id, and make due what they ask for.

    Args:
        connection: the transaction, which the caller commits.
        link: whose records these are.
        document: the connection's mapping, which decides what is requested.
        kind: order, transaction or subscription.
        facet: list, event, detail or fulfillments.
        payloads: the raw rows.
        cause: what showed them, for the change and the audit.
    """
    if not payloads:
        return Recorded(0, 0, 0, frozenset())
    place = link.location_place
    now = records.lock(connection, place, kind)
    marks = {key: fingerprint(payload, _VOLATILE) for key, payload in payloads.items()}
    known = records.fingerprints(connection, place, kind, facet, list(payloads))
    fresh = [key for key in payloads if known.get(key) != marks[key]]
    if not fresh:
        unreadable.heal(connection, link, list(payloads), listed=facet == "list")
        _look_again(connection, link, kind, facet, payloads, cause)
        return Recorded(0, 0, len(payloads), frozenset())
    stored = records.load(connection, place, kind, fresh)
    if facet == "fulfillments":
        fresh = [key for key in fresh if key in stored]  # alone they do not make an order
    read = _Readings(kind, facet, now)
    for key in fresh:
        read.take(key, payloads[key], marks[key], stored.get(key))
    records.save_facets(connection, place, kind, facet, read.facet_rows)
    records.save_versions(connection, place, kind, read.versions, cause)
    targets = requests.request_deliveries(
        connection,
        link,
        document,
        kind,
        [Version(one.foreign_id, one.version, one.canonical) for one in read.versions],
        cause,
        facet=facet,
        detail_is_fresh=read.with_items,
    )
    if facet == "event":
        quiet = {row.foreign_id for row in read.facet_rows}
        quiet -= {one.foreign_id for one in read.versions}
        told = {key: stored[key].canonical for key in quiet if key in stored}
        targets |= rereading.ask_for_money(connection, link, document, told, cause)
    connection_rules.hold_after_requests(connection, link)
    targets |= rereading.ask(connection, link, read.disputed, ["detail"], cause, kind)
    if facet == "detail":
        rereading.settle(connection, link, kind, read.settled, cause)
    _look_again(connection, link, kind, facet, payloads, cause)
    unreadable.park(connection, link, kind, read.unread, cause)
    readable = payloads.keys() - {one.source_id for one in read.unread}
    unreadable.heal(connection, link, readable, listed=facet == "list")
    left_out.count(connection, link.id, read.left_out)
    new = sum(1 for version in read.versions if version.version == 1)
    return Recorded(
        new,
        len(read.versions) - new,
        len(payloads) - len(fresh),
        frozenset(targets),
        _unannounced(read.versions, stored) if (kind, facet) == ("order", "list") else (),
    )


def _look_again(
    connection: Connection,
    link: Link,
    kind: str,
    facet: str,
    payloads: Mapping[str, Any],
    cause: Cause,
) -> None:
    """A list shows records: what a person was told of the detail of some may not be so by now."""
    if facet == "list":
        common = cause if isinstance(cause, str) else next(iter(cause.values()))
        rereading.look_again(connection, link, kind, list(payloads), common)


Facets = dict[str, tuple[datetime | None, Mapping[str, Any]]]


class _Readings:
    """What payloads of one facet come to, each set against what is stored of its record.

    Attributes:
        facet_rows: what is to be kept of them.
        versions: records that they change.
        with_items: the ids of those of whose items nothing newer is to be read.
        disputed: the ids of those of which facets of one moment say different things.
        settled: the ids of those that were contested until now.
        unread: records of which something cannot be read.
        left_out: fields that were nonsense.
    """

    def __init__(self, kind: str, facet: str, now: datetime) -> None:
        self._kind = kind
        self._facet = facet
        self._now = now
        self.facet_rows: list[records.FacetRow] = []
        self.versions: list[records.NewVersion] = []
        self.with_items: set[str] = set()
        self.disputed: set[str] = set()
        self.settled: set[str] = set()
        self.unread: list[UnreadableRecord] = []
        self.left_out: list[leniency.LeftOut] = []

    def take(
        self,
        key: str,
        payload: Mapping[str, Any],
        mark: bytes,
        before: records.StoredRecord | None,
    ) -> None:
        """Take a payload that is not as the one that is stored."""
        kind, facet = self._kind, self._facet
        with leniency.noting() as noted:
            try:
                partial = _timely(kind, PARTIALS[kind, facet](payload), self._now)
            except Unreadable as error:
                role = unreadable.ROW if facet == "list" else unreadable.STORED
                self.unread.append(UnreadableRecord(key, role, mark, str(error)))
                return
        updated_at = _moment(partial.get("updated_at"))
        if _is_older(updated_at, facet, payload, before):
            return  # read from a copy that lags behind, or an event that was overtaken
        facets = self._facets(partial, updated_at, before)
        if isinstance(facets, UnreadableRecord):
            self.unread.append(facets)
            return
        self.left_out += dict.fromkeys(noted)
        self.facet_rows.append(records.FacetRow(key, payload, mark, updated_at))
        merged = _dated(merge(facets), before)
        contested = contradictions(facets, self._undated(payload, before))
        if contested:
            merged[CONTESTED] = contested
        elif before is not None and CONTESTED in before.canonical:
            self.settled.add(key)
        if facet in _BESIDE_DETAIL and (contested or _contradicts(kind, partial, merged)):
            self.disputed.add(key)
        version = _next(key, merged, before)
        if version is not None:
            self.versions.append(version)
            is_open = key in self.disputed or key in self.settled
            if facet == "detail" or (not is_open and _items_are_fresh(facets, version)):
                self.with_items.add(key)

    def _undated(self, payload: Mapping[str, Any], before: records.StoredRecord | None) -> set[str]:
        """The facets that do not tell when the record was last changed; an event was sent then."""
        stored = {} if before is None else before.facets
        payloads = {name: one for name, (_, one) in stored.items()} | {self._facet: payload}
        return {name for name, one in payloads.items() if name != "event" and not _tells_when(one)}

    def _facets(
        self,
        partial: Mapping[str, Any],
        updated_at: datetime | None,
        before: records.StoredRecord | None,
    ) -> Facets | UnreadableRecord:
        """Every facet of a record in canonical terms, with the one that has just been read.

        A stored one that cannot be read any more is left aside where a detail that is as new tells
        the same. Otherwise nobody can tell the record.
        """
        facets: Facets = {self._facet: (updated_at, partial)}
        if before is None:
            return facets
        spoiled: list[tuple[datetime, UnreadableRecord]] = []
        for name, (moment, payload) in before.facets.items():
            if name == self._facet:
                continue
            try:
                stored = PARTIALS[self._kind, name](payload)
            except Unreadable as error:
                one = _spoiled(before.foreign_id, name, payload, error)
                spoiled.append((moment or _LONG_AGO, one))
            else:
                facets[name] = (moment, _timely(self._kind, stored, self._now))
        if not spoiled:
            return facets
        newest, one = max(spoiled, key=lambda each: each[0])
        moment, _ = facets.get("detail", (None, {}))
        return facets if moment is not None and moment >= newest else one


def _tells_when(payload: Mapping[str, Any]) -> bool:
    """Whether a payload tells when it was last changed; its creation stands in for that else."""
    try:
        instant(payload.get("updatedAt"))
    except ValueError:
        return False
    return True


def _unannounced(
    versions: Sequence[records.NewVersion], stored: Mapping[str, records.StoredRecord]
) -> tuple[tuple[str, datetime], ...]:
    """New orders and new statuses that a list shows before an event has."""
    found = []
    for one in versions:
        before = stored.get(one.foreign_id)
        told = None if before is None else before.facets.get("event", (None, {}))[0]
        is_told = one.updated_at is None or (told is not None and told >= one.updated_at)
        if (before is None or "status" in one.fields) and one.updated_at and not is_told:
            found.append((one.foreign_id, one.updated_at))
    return tuple(found)


def _is_older(
    updated_at: datetime | None,
    facet: str,
    payload: Mapping[str, Any],
    before: records.StoredRecord | None,
) -> bool:
    """Whether what is stored of this facet is newer; of events of one state, the one sent last."""
    known, kept = (None, {}) if before is None else before.facets.get(facet, (None, {}))
    if updated_at is None or known is None or updated_at > known:
        return False
    if updated_at == known and facet == "event":
        came, there = sent_at(payload), sent_at(kept)
        return came is not None and there is not None and came < there
    return updated_at < known


def _contradicts(kind: str, partial: Mapping[str, Any], merged: Mapping[str, Any]) -> bool:
    """Whether facets of the very same moment differ in what matters: then the order is read."""
    is_of_now = kind == "order" and partial.get("updated_at") == merged.get("updated_at")
    return is_of_now and any(name in partial and partial[name] != merged[name] for name in _TELLING)


def _timely(kind: str, partial: dict[str, Any], now: datetime) -> dict[str, Any]:
    """A partial form without times that have not come yet.

    A change that lies ahead would be newer than all that follow it.
    """
    ahead = [
        name
        for name in ("created_at", "updated_at")
        if (at := _moment(partial.get(name))) is not None and at > now + AHEAD
    ]
    if not ahead:
        return partial
    leniency.note("highlevel", kind, [_SPELLED[name] for name in ahead], str(partial.get("id")))
    return {name: value for name, value in partial.items() if name not in ahead}


def _spoiled(
    key: str, facet: str, payload: Mapping[str, Any], error: Unreadable
) -> UnreadableRecord:
    why = f"Its {facet} was stored, and is not as it is read now: {error.what}"
    state = fingerprint(payload, _VOLATILE)
    remedy = "Take it from HighLevel anew: syncline parked retry."
    return UnreadableRecord(key, unreadable.STORED, state, f"{why} {remedy}")


def _dated(merged: dict[str, Any], before: records.StoredRecord | None) -> dict[str, Any]:
    """With a day: where none is told of its creation, that of the first change that was seen."""
    if "created_at" not in merged:
        known = {} if before is None else before.canonical
        first = known.get("created_at") or merged.get("updated_at")
        merged |= {} if first is None else {"created_at": first}
    return merged


def _next(
    key: str, merged: dict[str, Any], before: records.StoredRecord | None
) -> records.NewVersion | None:
    """The next version, or None when the canonical form stays as it is."""
    created_at, updated_at = _moment(merged.get("created_at")), _moment(merged.get("updated_at"))
    return records.next_version(key, merged, before, created_at=created_at, updated_at=updated_at)


def _items_are_fresh(facets: Facets, version: records.NewVersion) -> bool:
    """Whether a facet with the items is as new as the record is, so that none need be read."""
    return any(
        "items" in partial and moment is not None and moment == version.updated_at
        for name, (moment, partial) in facets.items()
        if name in _WITH_ITEMS
    )


def _moment(value: object) -> datetime | None:
    return None if value is None else datetime.fromisoformat(str(value))
