"""What the emulated services hold: plain documents, in memory, changed only by handlers."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, overload

from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.location.forms import stamp

Document = dict[str, Any]
Quirk = Literal["quoted", "bare", "extra"]
"""How a row departs from the tidy form: numbers as text, optional fields absent, unknown fields."""

PAID_STATUSES = ("succeeded", "captured", "paid", "refunded", "partially_refunded")
"""A transaction in one of these has brought money in."""


RENEWAL = "subscription_view"
"""What the source of a transaction that renews a subscription is; one of the schema's."""


def quirks_of(rng: random.Random) -> frozenset[Quirk]:
    """How a new row departs from the tidy form: each quirk at about one row in eleven."""
    every: tuple[Quirk, ...] = ("quoted", "bare", "extra")
    return frozenset(quirk for quirk in every if rng.random() < 0.09)


class NewestFirst(Sequence[str]):
    """A stretch of a timeline seen backwards; a page of it costs the page and not the stretch."""

    __slots__ = ("_entries", "_places")

    def __init__(self, entries: list[tuple[str, str]], first: int, last: int) -> None:
        self._entries = entries
        self._places = range(first, last)[::-1]

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        entries = self._entries
        return (entries[place][1] for place in self._places)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        """The id at a place, or those of a slice."""
        if isinstance(at, slice):
            return [self._entries[place][1] for place in self._places[at]]
        return self._entries[self._places[at]][1]


@dataclass(slots=True)
class Timeline:
    """Ids by the time of creation, so that a page of a window costs no scan."""

    _entries: list[tuple[str, str]] = field(default_factory=list)

    def add(self, created_at: str, document_id: str) -> None:
        """Note a document under its creation time."""
        insort(self._entries, (created_at, document_id))

    def remove(self, created_at: str, document_id: str) -> None:
        """Forget a document that was noted under this creation time."""
        del self._entries[bisect_left(self._entries, (created_at, document_id))]

    def newest_first(self, start_day: str | None, end_day: str | None) -> Sequence[str]:
        """Ids created from the first to the last day, both included, newest first."""
        first = bisect_left(self._entries, (start_day, "")) if start_day else 0
        # "~" is behind every character of a time, so the whole of the last day is in.
        last = bisect_right(self._entries, (f"{end_day}~", "")) if end_day else len(self._entries)
        return NewestFirst(self._entries, first, last)


@dataclass(slots=True)
class Store:
    """Both services' data.

    Attributes:
        orders: order id to the full single-order document; likewise transactions, subscriptions.
            Amounts are exact (Decimal or int), whatever quirk a row is shown with.
        contacts: contact id to the contact.
        fulfillments: order id to the fulfillments made for it.
        notified: ids of fulfillments that mailed the customer.
        by_hand: ids of fulfillments that a person made in HighLevel's own screens.
        quirks: document id to how its rows are shown.
        earlier: document id to the document as it was before its last change.
        replays: document id to how many more times a list shows that earlier version.
        tampered: ids of what was tampered with by hand, no source twice.
        halo: the Halo tenant's data, made by its service.
    """

    config: SandboxConfig
    orders: dict[str, Document] = field(default_factory=dict)
    transactions: dict[str, Document] = field(default_factory=dict)
    subscriptions: dict[str, Document] = field(default_factory=dict)
    contacts: dict[str, Document] = field(default_factory=dict)
    fulfillments: dict[str, list[Document]] = field(default_factory=dict)
    notified: list[str] = field(default_factory=list)
    by_hand: set[str] = field(default_factory=set)
    quirks: dict[str, frozenset[Quirk]] = field(default_factory=dict)
    earlier: dict[str, Document] = field(default_factory=dict)
    replays: dict[str, int] = field(default_factory=dict)
    tampered: set[str] = field(default_factory=set)
    halo: Any = None
    _timelines: dict[str, Timeline] = field(default_factory=dict)

    def add(self, kind: str, document: Document, quirks: frozenset[Quirk] = frozenset()) -> None:
        """Put an order, a transaction or a subscription in, to be listed by its creation time."""
        getattr(self, kind)[document["_id"]] = document
        if quirks:
            self.quirks[document["_id"]] = quirks
        self.timeline(kind).add(document["createdAt"], document["_id"])

    def remove_orders(self, ids: Iterable[str]) -> list[str]:
        """Take orders out, as deleting them does; what was paid for them stays.

        Returns:
            The ids that were there.
        """
        there = [order_id for order_id in dict.fromkeys(ids) if order_id in self.orders]
        for order_id in there:
            self.timeline("orders").remove(self.orders.pop(order_id)["createdAt"], order_id)
        return there

    def timeline(self, kind: str) -> Timeline:
        """The ids of a kind by creation time."""
        return self._timelines.setdefault(kind, Timeline())

    def remember(self, document: Document) -> None:
        """Keep a document as it is now: it is about to change."""
        self.earlier[document["_id"]] = deepcopy(document)

    def replay(self, ids: Iterable[str], reads: int) -> list[str]:
        """Let the lists show these documents as they were before their last change, once more.

        Args:
            ids: documents of any kind.
            reads: for how many rows of a list; the single read always tells the present.

        Returns:
            The ids that have an earlier version; the others are left as they are.
        """
        replayed = [document_id for document_id in ids if document_id in self.earlier]
        self.replays |= dict.fromkeys(replayed, reads)
        return replayed

    def listed(self, document: Document) -> Document:
        """The version of a document that a list shows now; each look uses a replay up."""
        left = self.replays.get(document["_id"], 0)
        if not left:
            return document
        self.replays[document["_id"]] = left - 1
        return self.earlier[document["_id"]]


def touch(document: Document, now: datetime) -> None:
    """Move `updatedAt` to `now`, and forward in any case: a change is always newer."""
    before = datetime.fromisoformat(document["updatedAt"])
    document["updatedAt"] = stamp(max(now, before + timedelta(milliseconds=1)))


def renews(transaction: Document) -> bool:
    """Whether a transaction renews a subscription: it hangs on an order and pays for none."""
    return "subscriptionId" in transaction and transaction["entitySource"].get("subType") == RENEWAL


def is_owed(store: Store, document: Document) -> bool:
    """Whether Halo has to know a document at all: those in test mode only if the config says so."""
    return bool(document.get("liveMode", True)) or not store.config.live_only
