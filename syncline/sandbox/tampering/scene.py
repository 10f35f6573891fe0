"""What a hand that tampers with rows works on: both stores, and Halo's row of each source."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from syncline.sandbox.audit.rows import REFERENCE, exact
from syncline.sandbox.halo.tenant.rows import Rows
from syncline.sandbox.halo.tenant.store import HaloStore, Row
from syncline.sandbox.halo.tenant.tenant import Tenant
from syncline.sandbox.location.store import Document, Store, is_owed


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was changed.

    Attributes:
        halo_id: Halo's row; None for what was changed in HighLevel.
        field: what of it; `row` for a whole row that was removed or copied.
        before: what stood there; an amount as text, of a whole row its id.
        after: what stands there now; of a copy its id, None where nothing does.
    """

    halo_id: int | None
    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Scene:
    """Both stores, the time and a seeded chance."""

    store: Store
    tenant: Tenant
    rng: random.Random

    @property
    def halo(self) -> HaloStore:
        """What Halo holds."""
        return self.tenant.store

    @property
    def now(self) -> datetime:
        """The sandbox's time."""
        return self.tenant.now()

    def owed(self, documents: Iterable[Document]) -> list[str]:
        """The ids of those that Halo has to know."""
        return [one["_id"] for one in documents if is_owed(self.store, one)]

    def family(self, source_id: str) -> str:
        """What a source belongs to: a transaction to its order, everything else to itself."""
        order_id = self.store.transactions.get(source_id, {}).get("entityId")
        return order_id if order_id in self.store.orders else source_id

    def order_row(self, order_id: str) -> Row | None:
        """Halo's one sales order of an order; None where it has none or several."""
        return only(self.halo.orders.having("po_number", REFERENCE + order_id))


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of tampering.

    Attributes:
        entity: what its sources are in HighLevel: order, transaction, subscription or `sale`,
            which is an order or a transaction of no order.
        sources: the ids that it may be done to.
        change: does it to one; None where that one does not fit, and then nothing was done.
    """

    entity: str
    sources: Callable[[Scene], list[str]]
    change: Callable[[Scene, str], Change | None]


def only(rows: list[Row]) -> Row | None:
    """The one row, None where there is none or several."""
    return rows[0] if len(rows) == 1 else None


def amount(row: Row) -> str:
    """What a row is about, as text: a payment's amount, everything else's total."""
    return text(row["total"] if "total" in row else row["amount"])


def text(value: Any) -> str:
    """An amount as text, without a fraction of noughts."""
    number: Decimal = exact(value).normalize()
    return f"{number:f}"


def removed(scene: Scene, entity: str, rows: Rows, row_id: int) -> Change:
    """Take a row out, whatever stands on it."""
    del rows[row_id]
    scene.halo.touch(entity, row_id, scene.tenant.stamp())
    return Change(row_id, "row", row_id, None)


def copied(row: Row, fields: Iterable[str], lines: Iterable[str] = ()) -> Row:
    """What a copy of a row is posted with: the fields that a write takes, no id among them."""
    kept = set(lines) - {"id"}
    posted = {key: row[key] for key in fields if key in row and key not in ("id", "lines")}
    if "lines" in row:
        posted["lines"] = [{key: line[key] for key in kept if key in line} for line in row["lines"]]
    return posted | {"_dont_fire_automations": True, "_isimport": True}


def dearer(lines: list[Row], price: str, quantity: str) -> list[Row] | None:
    """Lines as posted, the first that counts dearer by one major unit; None where none counts."""
    at = next((at for at, line in enumerate(lines) if line[price] and line[quantity]), None)
    if at is None:
        return None
    raised = {"id": lines[at]["id"], price: exact(lines[at][price]) + 1}
    return [{"id": line["id"]} if one != at else raised for one, line in enumerate(lines)]
