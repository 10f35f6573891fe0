"""One emulated tenant as its entities see it, and how it says no."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.halo.tenant.catalogue import CURRENCIES
from syncline.sandbox.halo.tenant.profiles import PROFILES, Profile
from syncline.sandbox.halo.tenant.store import HaloStore, Occurrence, Row, SideEffect, stamp
from syncline.sandbox.wire.service import Reply

_LINK_TEXTS = (
    "third_party_desc",
    "third_party_url",
    "third_party_secondary_id",
    "third_party_status",
)


class RefusalError(Exception):
    """The tenant refuses the call with this answer; nothing of the element was saved."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {body}")
        self.reply = Reply(status, body)


@dataclass(frozen=True, slots=True)
class Tenant:
    """Rows, habits and clock of one tenant."""

    store: HaloStore
    config: SandboxConfig
    now: Callable[[], datetime]

    @property
    def profile(self) -> Profile:
        """The kind of tenant."""
        return PROFILES[self.config.profile]

    def rate_of(self, currency_id: int) -> float:
        """The rate at which a new row in that currency is converted: as a rule its table's."""
        rate: float = CURRENCIES[currency_id]["conversion_rate"]
        return self.store.other_rates.get(currency_id, rate)

    def stamp(self) -> str:
        """The present time as Halo writes it."""
        return stamp(self.now())

    def happened(self, kind: Any, entity: str, row_id: int, cause: str) -> None:
        """Record something that reached the outside world."""
        self.store.side_effects.append(SideEffect(kind, entity, row_id, cause))

    def changed(self, entity: str, row_id: int, *, new: bool) -> None:
        """Give the notifications something to tell, if there are any and they are to hear of it."""
        store = self.store
        if store.notifications and (store.by_hand or store.webhook_dial.on_api_writes):
            store.occurrences.append(Occurrence(entity, row_id, new, self.stamp()))

    def created(self, entity: str, row_id: int, posted: Row) -> None:
        """Fire the automations of a new row unless the write forbade it."""
        if posted.get("_dont_fire_automations") is not True:
            self.happened("automation", entity, row_id, "_dont_fire_automations was not true")

    def link(self, table_id: int, halo_id: int, posted: Row | None) -> Row | None:
        """Store a link to a row, unless the very same one is there or none is ever stored."""
        if not posted or not posted.get("third_party_id") or not self.profile.links:
            return None
        new = {
            "table_id": table_id,
            "halo_id": halo_id,
            "third_party_id": str(posted["third_party_id"]),
            "third_party_type": posted.get("third_party_type") or "",
            "module_id": posted.get("module_id") or 0,
            "details_id": posted.get("details_id") or 0,
        }
        known = [*self.store.links_of(table_id, halo_id)]
        known += [late for _, late in self.store.late_links if late["halo_id"] == halo_id]
        same = next((row for row in known if new.items() <= row.items()), None)
        if same is not None:
            return same
        row = {"id": self.store.next_id("ExternalLink"), **new, "date_created": self.stamp()}
        row |= {key: posted.get(key) or "" for key in _LINK_TEXTS}
        late = timedelta(seconds=self.config.link_delay) if self.profile.late_links else None
        self.store.add_link(row, self.now() + late if late is not None else None)
        return row
