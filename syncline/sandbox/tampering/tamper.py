"""Differences planted by hand: what people change in Halo and in HighLevel, done to the rows.

No source is touched twice over all calls, nor are two that belong together (an order and what was
paid for it), so every change stands for one difference. Nothing tells of a change unless asked to.
"""

from __future__ import annotations

import random
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from syncline.sandbox.audit.rows import references
from syncline.sandbox.halo.resources.fields import LINE, ORDER
from syncline.sandbox.halo.sales.consignments import removed_consignment
from syncline.sandbox.halo.sales.orders import edit_order, save_order
from syncline.sandbox.halo.tenant.catalogue import CURRENCIES, ORDER_STATUSES, ORDER_TABLE
from syncline.sandbox.halo.tenant.store import Row
from syncline.sandbox.halo.tenant.tenant import Tenant
from syncline.sandbox.location.changes import change_transactions
from syncline.sandbox.location.fulfillments import fulfill_by_hand, settle_fulfillments
from syncline.sandbox.location.store import Store
from syncline.sandbox.tampering.money import MONEY_KINDS
from syncline.sandbox.tampering.scene import (
    Change,
    Kind,
    Scene,
    amount,
    copied,
    dearer,
    removed,
    text,
)


class Tampering(BaseModel):
    """What is to be done.

    Attributes:
        kind: one of `KINDS`.
        count: to how many sources; fewer are touched where fewer fit.
        seed: fixes which.
        webhook: whether Halo's webhooks tell of it, as far as they are bound.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    count: int = Field(ge=0)
    seed: int = 1
    webhook: bool = False


def tamper(store: Store, tenant: Tenant, wish: Tampering) -> list[dict[str, Any]]:
    """Change rows as people do.

    Returns:
        For each: `kind`, `entity` and `source` (of HighLevel), and `halo_id`, `field`, `before`,
        `after` as in `Change`.

    Raises:
        ValueError: for a kind that there is not.
    """
    if wish.kind not in KINDS:
        raise ValueError(f"there is no kind {wish.kind!r}; there are {', '.join(KINDS)}")
    kind, halo = KINDS[wish.kind], tenant.store
    scene = Scene(store, tenant, random.Random(f"tamper {wish.kind} {wish.seed}"))
    told, halo.by_hand = len(halo.occurrences), True
    try:
        done = _spread(scene, kind, wish.count)
    finally:
        halo.by_hand = False
        while not wish.webhook and len(halo.occurrences) > told:
            halo.occurrences.pop()
    return [
        {"kind": wish.kind, "entity": entity, "source": source, **asdict(change)}
        for entity, source, change in done
    ]


def _spread(scene: Scene, kind: Kind, count: int) -> list[tuple[str, str, Change]]:
    """Do it to sources in an order that chance gives, until enough are done."""
    sources, touched = kind.sources(scene), scene.store.tampered
    done: list[tuple[str, str, Change]] = []
    for source in scene.rng.sample(sources, len(sources)):
        if len(done) == count:
            break
        family = scene.family(source)
        if family in touched:
            continue
        change = kind.change(scene, source)
        if change is not None:
            touched.add(family)
            entity = "order" if source in scene.store.orders else "transaction"
            done.append((entity if kind.entity == "sale" else kind.entity, source, change))
    return done


def _orders(scene: Scene) -> list[str]:
    return scene.owed(scene.store.orders.values())


def _delete_order(scene: Scene, source: str) -> Change | None:
    row = scene.order_row(source)
    if row is None:
        return None
    scene.halo.drop_links_of(ORDER_TABLE, row["id"])
    return removed(scene, "SalesOrder", scene.halo.orders, row["id"])


def _copy_order(scene: Scene, source: str) -> Change | None:
    row = scene.order_row(source)
    if row is None:
        return None
    made = save_order(scene.tenant, copied(row, ORDER, LINE))
    return Change(row["id"], "row", row["id"], made["id"])


def _raise_price(scene: Scene, source: str) -> Change | None:
    row = scene.order_row(source)
    lines = None if row is None else dearer(row["lines"], "baseprice", "quantity")
    if row is None or lines is None:
        return None
    before = amount(row)
    changed = edit_order(scene.tenant, row["id"], {"lines": lines})
    return Change(row["id"], "total", before, amount(changed))


def _change_status(scene: Scene, source: str) -> Change | None:
    row = scene.order_row(source)
    if row is None:
        return None
    status = scene.rng.choice([one for one in ORDER_STATUSES if one != row["status"]])
    return _edited(scene, row, "status", status)


def _change_currency(scene: Scene, source: str) -> Change | None:
    """Another currency of two digits: the figures stay as they are."""
    row = scene.order_row(source)
    if row is None or CURRENCIES[row["currency_code"]]["code"] == "KWD":
        return None
    dollars, euros = 1, 4
    other = euros if row["currency_code"] == dollars else dollars
    return _edited(scene, row, "currency_code", other)


def _take_reference(scene: Scene, source: str) -> Change | None:
    """The number goes that names it; a link, if it has one, stays."""
    row = scene.order_row(source)
    return None if row is None else _edited(scene, row, "po_number", "")


def _edited(scene: Scene, row: Row, field: str, value: Any) -> Change:
    before = row[field]
    changed = edit_order(scene.tenant, row["id"], {field: value})
    return Change(row["id"], field, before, changed[field])


def _shipped(scene: Scene) -> list[str]:
    """The orders of which something was consigned."""
    sold = (scene.halo.orders.get(row["salesorder_id"]) for row in scene.halo.consignments.values())
    named = {one for row in sold if row is not None for one in references(row["po_number"])}
    return sorted(named & scene.store.orders.keys())


def _delete_consignment(scene: Scene, source: str) -> Change | None:
    row = scene.order_row(source)
    if row is None:
        return None
    consignment = scene.halo.consignments.having("salesorder_id", row["id"])[-1]
    change = removed(scene, "Consignment", scene.halo.consignments, consignment["id"])
    removed_consignment(scene.tenant, consignment)
    return change


def _fulfilled(scene: Scene) -> list[str]:
    held = scene.store.fulfillments
    return [order_id for order_id in _orders(scene) if held.get(order_id)]


def _remove_fulfillment(scene: Scene, source: str) -> Change | None:
    gone = scene.store.fulfillments[source].pop()
    scene.store.by_hand.discard(gone["_id"])
    settle_fulfillments(scene.store, scene.store.orders[source], scene.now)
    return Change(None, "fulfillments", gone["_id"], None)


def _add_fulfillment(scene: Scene, source: str) -> Change | None:
    try:
        made = fulfill_by_hand(
            scene.store,
            scene.store.orders[source],
            items=None,
            trackings=None,
            now=scene.now,
            rng=scene.rng,
        )
    except ValueError:
        return None
    return Change(None, "fulfillments", None, made["_id"])


def _transactions(scene: Scene) -> list[str]:
    return scene.owed(scene.store.transactions.values())


def _refund(scene: Scene, source: str) -> Change | None:
    before = text(scene.store.transactions[source].get("amountRefunded"))
    try:
        change_transactions(scene.store, now=scene.now, what="refund", ids=[source])
    except ValueError:
        return None
    after = text(scene.store.transactions[source]["amountRefunded"])
    return Change(None, "amountRefunded", before, after)


KINDS: dict[str, Kind] = {
    "order_deleted": Kind("order", _orders, _delete_order),
    "order_doubled": Kind("order", _orders, _copy_order),
    "order_price": Kind("order", _orders, _raise_price),
    "order_status": Kind("order", _orders, _change_status),
    "order_currency": Kind("order", _orders, _change_currency),
    "order_reference_removed": Kind("order", _orders, _take_reference),
    **MONEY_KINDS,
    "consignment_deleted": Kind("order", _shipped, _delete_consignment),
    "fulfillment_removed": Kind("order", _fulfilled, _remove_fulfillment),
    "fulfillment_added": Kind("order", _orders, _add_fulfillment),
    "transaction_refunded": Kind("transaction", _transactions, _refund),
}
