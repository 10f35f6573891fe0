"""What the emulated Halo holds: its rows by entity, its links, its tokens, what it did unasked."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from syncline.sandbox.config import SandboxConfig, WebhookDial
from syncline.sandbox.halo.tenant.rows import Rows
from syncline.sandbox.location.forms import uuid4_text

Row = dict[str, Any]

UNKNOWN_CLIENT = 1
"""Every tenant starts with one client, named Unknown, for what belongs to nobody."""

_FIRST_IDS = {"SalesOrder": 5001, "Client": 101, "Site": 301, "Users": 701,
              "Invoice": 400_001, "InvoicePayment": 800_001, "Consignment": 60_001,
              "Tickets": 20_001, "Actions": 7_000_001, "IntegrationError": 90_001}  # fmt: skip
"""Far apart, so that an id of one entity used for another is refused and not taken by luck."""


def stamp(when: datetime) -> str:
    """A time as Halo writes it: UTC, milliseconds, no zone."""
    return when.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")


@dataclass(frozen=True, slots=True)
class SideEffect:
    """Something that reached the outside world: a write asked for it or did not forbid it."""

    kind: Literal["mailed", "generated", "automation", "collected"]
    entity: str
    id: int
    cause: str


@dataclass(slots=True)
class Token:
    """One bearer token: what it may do and until when."""

    scopes: frozenset[str]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Something that notifications are about: a row was made or changed."""

    entity: str
    id: int
    new: bool
    at: str


@dataclass(frozen=True, slots=True)
class Consigned:
    """A consignment as it stood from a time on, for the audit.

    Attributes:
        at: since when.
        row: the consignment, None once it was removed.
        sold: the order's lines of that time by their ids.
    """

    at: datetime
    row: Row | None
    sold: dict[int, Row]


def _standing_clients() -> dict[int, Row]:
    client = {"id": UNKNOWN_CLIENT, "name": "Unknown", "ref": "", "accountsid": ""}
    return {UNKNOWN_CLIENT: client | {"main_site_id": 1, "main_site_name": "Unknown"}}


def _standing_sites() -> dict[int, Row]:
    return {1: {"id": 1, "name": "Unknown", "client_id": UNKNOWN_CLIENT, "client_name": "Unknown"}}


@dataclass(slots=True)
class HaloStore:
    """All rows of one tenant.

    `touched` names the rows that changed since the reports' tables were last brought in step;
    `updated` holds when a row was last written, for the filters by update time; `generating` when
    each recurring invoice that is not disabled makes its next invoice; `consigned` every version of
    each consignment, `deleted_tickets` what can be brought back, `actions` the entries of tickets
    by the number that is unique over all of them, `occurrences` what no notification was made of
    yet, `deliveries` the log of webhooks' deliveries, and `sent` their counts; `by_hand` is set
    while a person is at it; `odd_ids` is the one next id of an entity that is out of
    line; `references_kept` is how posted references are kept, by their fields. `chance` decides
    what the dials leave to it; `secrets` makes tokens and ids that nobody can foretell, so that no
    two tenants give out the same.
    """

    orders: Rows = field(default_factory=Rows)
    clients: dict[int, Row] = field(default_factory=_standing_clients)
    sites: dict[int, Row] = field(default_factory=_standing_sites)
    users: dict[int, Row] = field(default_factory=dict)
    invoices: Rows = field(default_factory=Rows)
    payments: Rows = field(default_factory=Rows)
    recurring_invoices: Rows = field(default_factory=Rows)
    consignments: Rows = field(default_factory=Rows)
    consigned: dict[int, list[Consigned]] = field(default_factory=dict)
    tickets: Rows = field(default_factory=Rows)
    deleted_tickets: dict[int, Row] = field(default_factory=dict)
    actions: Rows = field(default_factory=Rows)
    integration_errors: Rows = field(default_factory=Rows)
    reports: dict[int, Row] = field(default_factory=dict)
    dashboards: dict[int, Row] = field(default_factory=dict)
    custom_tables: dict[int, Row] = field(default_factory=dict)
    custom_rows: dict[int, list[Row]] = field(default_factory=dict)
    webhooks: dict[str, Row] = field(default_factory=dict)
    notifications: dict[str, Row] = field(default_factory=dict)
    webhook_dial: WebhookDial = field(default_factory=WebhookDial)
    occurrences: deque[Occurrence] = field(default_factory=deque)
    deliveries: list[Row] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    by_hand: bool = False
    odd_ids: dict[str, int] = field(default_factory=dict)
    generating: dict[int, str] = field(default_factory=dict)
    links: dict[int, Row] = field(default_factory=dict)
    late_links: deque[tuple[datetime, Row]] = field(default_factory=deque)
    tokens: dict[str, Token] = field(default_factory=dict)
    side_effects: list[SideEffect] = field(default_factory=list)
    other_rates: dict[int, float] = field(default_factory=dict)
    refused_po_numbers: dict[str, str] = field(default_factory=dict)
    refused_references: dict[str, str] = field(default_factory=dict)
    references_kept: dict[str, str] = field(default_factory=dict)
    chance: random.Random = field(default_factory=random.Random)
    secrets: random.Random = field(default_factory=random.Random)
    touched: set[tuple[str, int]] = field(
        default_factory=lambda: {("Client", UNKNOWN_CLIENT), ("Site", 1)}
    )
    updated: dict[tuple[str, int], str] = field(default_factory=dict)
    _last_ids: dict[str, int] = field(default_factory=dict)
    _links_of: dict[tuple[int, int], list[Row]] = field(default_factory=dict)
    _links_by_reference: dict[str, list[Row]] = field(default_factory=dict)

    @classmethod
    def of(cls, config: SandboxConfig) -> HaloStore:
        """That of a tenant to which nothing has happened yet."""
        return cls(webhook_dial=config.halo_webhooks, chance=random.Random(f"halo {config.seed}"))

    def next_id(self, entity: str) -> int:
        """The next id of an entity; ids are never used twice."""
        if (odd := self.odd_ids.pop(entity, None)) is not None:
            return odd
        last = self._last_ids.get(entity, _FIRST_IDS.get(entity, 1) - 1) + 1
        self._last_ids[entity] = last
        return last

    def new_guid(self) -> str:
        """A new GUID, as the rows have that are named by one."""
        return uuid4_text(self.secrets)

    def touch(self, entity: str, row_id: int, at: str) -> None:
        """Note that a row was written or removed at that time."""
        self.touched.add((entity, row_id))
        self.updated[entity, row_id] = at

    def add_link(self, link: Row, visible_at: datetime | None) -> None:
        """Store a link, shown at once or from a time on."""
        if visible_at is None:
            self._show(link)
        else:
            self.late_links.append((visible_at, link))

    def show_due_links(self, now: datetime) -> None:
        """Let the links appear whose time has come."""
        while self.late_links and self.late_links[0][0] <= now:
            self._show(self.late_links.popleft()[1])

    def links_of(self, table_id: int, halo_id: int) -> list[Row]:
        """The visible links of one row."""
        return self._links_of.get((table_id, halo_id), [])

    def links_by_reference(self, reference: str) -> list[Row]:
        """The visible links to one foreign id."""
        return self._links_by_reference.get(reference.casefold(), [])

    def all_links(self) -> Iterator[Row]:
        """Every link, those not visible yet included."""
        yield from self.links.values()
        yield from (link for _, link in self.late_links)

    def drop_link(self, link_id: int) -> None:
        """Remove one visible link."""
        link = self.links.pop(link_id)
        self._links_of[link["table_id"], link["halo_id"]].remove(link)
        self._links_by_reference[str(link["third_party_id"]).casefold()].remove(link)
        self.touched.add(("ExternalLink", link_id))

    def drop_links_of(self, table_id: int, halo_id: int) -> None:
        """Remove the links of a removed row."""
        for link in list(self.links_of(table_id, halo_id)):
            self.drop_link(link["id"])
        kept = [
            (at, link)
            for at, link in self.late_links
            if (link["table_id"], link["halo_id"]) != (table_id, halo_id)
        ]
        self.late_links = deque(kept)

    def _show(self, link: Row) -> None:
        self.links[link["id"]] = link
        self._links_of.setdefault((link["table_id"], link["halo_id"]), []).append(link)
        reference = str(link["third_party_id"]).casefold()
        self._links_by_reference.setdefault(reference, []).append(link)
        self.touched.add(("ExternalLink", link["id"]))
