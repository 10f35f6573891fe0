from __future__ import annotations

from typing import Any

import pytest

from syncline.sandbox.audit.fulfillments import audit_fulfillments
from syncline.sandbox.location.forms import stamp
from syncline.sandbox.process import SandboxProcess
from tests.syncline.sandbox.tenant_calls import TenantCalls, order, tenant

NOTE = "Carrier: UPS\nTracking: 1Z999"


def item(name: str, qty: int) -> dict[str, Any]:
    return {"_id": f"i{name}", "name": name, "qty": qty, "price": {"_id": f"p{name}", "amount": 5}}


def sold(halo: TenantCalls) -> dict[str, Any]:
    """An order of two mugs and a lamp, mirrored, with a line that is no goods."""
    halo.store.orders["a"] = {"_id": "a", "items": [item("Mug", 2), item("Lamp", 1)]}
    lines = [
        {"name": "Mug", "quantity": 2, "baseprice": 5, "item_external_reference": "HL-iMug"},
        {"name": "Lamp", "quantity": 1, "baseprice": 5},
        {"name": "Shipping", "quantity": 1, "baseprice": 5},
    ]
    return halo.made("SalesOrder", order("HL-a", 1, lines=lines))


class Shop:
    """One mirrored order, with what a person in Halo and a mirror in HighLevel do to it."""

    def __init__(self, **config: Any) -> None:
        self.halo = tenant(**config)
        self.row = sold(self.halo)
        self.lines = {line["name"]: line["id"] for line in self.row["lines"]}

    def consign(self, note: str = NOTE, *, is_return: bool = False, **goods: int) -> int:
        lines = [[self.lines[name], quantity] for name, quantity in goods.items()]
        form = {"order_id": self.row["id"], "note": note, "is_return": is_return}
        made: int = self.halo.admin("consign", lines=lines or None, **form).body["id"]
        self.halo.pass_time(1)
        return made

    def fulfill(self, number: str = "1Z999", *, by_hand: bool = False, **goods: int) -> str:
        made = self.halo.store.fulfillments.setdefault("a", [])
        fulfillment: dict[str, Any] = {
            "_id": f"f{len(made) + 1}",
            "createdAt": stamp(self.halo.at),
            "items": [{"_id": f"p{name}", "qty": quantity} for name, quantity in goods.items()],
            "trackings": [{"trackingNumber": number}] if number else [],
        }
        made.append(fulfillment)
        if by_hand:
            self.halo.store.by_hand.add(fulfillment["_id"])
        self.halo.pass_time(1)
        return str(fulfillment["_id"])

    def verdict(self) -> dict[str, Any]:
        return audit_fulfillments(self.halo.store)

    def found(self) -> dict[str, int]:
        """Every kind of finding with how many there are."""
        return {kind: len(ids) for kind, ids in self.verdict().items()
                if isinstance(ids, list) and ids}  # fmt: skip


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_a_consignment_that_is_mirrored_with_its_tracking_is_shipped(shop: Shop) -> None:
    shop.consign(Mug=1)
    shop.consign(Mug=1, Lamp=1)
    shop.fulfill(Lamp=1, Mug=1)
    shop.fulfill(Mug=1)
    assert shop.verdict() | {"clean": True, "owed": 2, "shipped": 2} == shop.verdict()


def test_all_that_is_left_leaves_out_what_is_no_goods(shop: Shop) -> None:
    shop.consign()
    shop.fulfill(Mug=2, Lamp=1)
    assert (shop.verdict()["shipped"], shop.found()) == (1, {})


def test_a_consignment_without_a_fulfillment_is_missing(shop: Shop) -> None:
    made = shop.consign(Mug=1)
    said = shop.verdict()
    assert (said["missing"], said["owed"], said["clean"]) == ([f"consignment {made}"], 1, False)


def test_two_fulfillments_of_one_consignment_are_doubled(shop: Shop) -> None:
    shop.consign(Mug=1)
    shop.fulfill(Mug=1)
    shop.fulfill(Mug=1)
    assert (shop.found(), shop.verdict()["shipped"]) == ({"doubled": 1}, 1)


def test_tracking_that_was_noted_in_time_must_be_there(shop: Shop) -> None:
    shop.consign(Mug=1)
    shop.fulfill("", Mug=1)
    assert (shop.found(), shop.verdict()["shipped"]) == ({"wrong": 1}, 0)


def test_tracking_that_nobody_noted_is_wrong(shop: Shop) -> None:
    shop.consign("no parcel yet", Mug=1)
    shop.fulfill("1Z000", Mug=1)
    assert shop.found() == {"wrong": 1}


def test_tracking_may_come_later_and_may_stand_in_a_field_of_the_order(shop: Shop) -> None:
    held = shop.consign("", Mug=1)
    shop.halo.pass_time(600)
    shop.halo.admin(f"consignment/{held}", note=NOTE)
    shop.fulfill(Mug=1)
    field = [{"name": "CFparcel", "value": "GLS 77"}]
    shop.halo.admin(f"order/{shop.row['id']}", customfields=field)
    shop.consign("", Lamp=1)
    shop.fulfill("77", Lamp=1)
    assert shop.found() == {}


def test_what_was_posted_before_an_edit_stays_right(shop: Shop) -> None:
    made = shop.consign(Mug=1)
    shop.fulfill(Mug=1)
    shop.halo.pass_time(600)
    shop.halo.admin(f"consignment/{made}", note="Tracking: 1Z111")
    assert shop.found() == {}
    shop.halo.send("DELETE", f"/api/Consignment/{made}")
    assert (shop.found(), shop.verdict()["shipped"]) == ({}, 1)


def test_what_was_sent_long_after_an_edit_must_show_the_edit(shop: Shop) -> None:
    made = shop.consign(Mug=1)
    shop.halo.admin(f"consignment/{made}", note="Tracking: 1Z111")
    shop.halo.pass_time(600)
    shop.fulfill(Mug=1)
    assert shop.found() == {"wrong": 1}


def test_returns_and_lines_that_are_no_goods_owe_nothing_and_explain_nothing(shop: Shop) -> None:
    shop.consign(Mug=1, is_return=True)
    shop.consign(Shipping=1)
    assert shop.found() == {}
    shop.fulfill(Mug=1)
    assert shop.found() == {"unexpected": 1}


def test_what_is_more_than_was_ordered_is_not_owed_and_not_to_be_sent(shop: Shop) -> None:
    shop.consign(Mug=2)
    shop.consign(Mug=1)
    shop.fulfill(Mug=2)
    assert (shop.found(), shop.verdict()["owed"]) == ({}, 1)
    shop.fulfill(Mug=1)
    assert shop.found() == {"unexpected": 1}


def test_a_parcel_made_by_hand_needs_no_consignment_and_takes_up_room(shop: Shop) -> None:
    shop.fulfill("HAND1", by_hand=True, Mug=2)
    shop.consign(Mug=1)
    assert (shop.found(), shop.verdict()["owed"]) == ({}, 0)


def test_an_order_that_highlevel_no_longer_has_is_owed_nothing(shop: Shop) -> None:
    shop.consign(Mug=1)
    del shop.halo.store.orders["a"]
    assert shop.verdict()["clean"] is True


def test_a_customer_who_was_told_is_found(shop: Shop) -> None:
    shop.halo.store.notified.append("f1")
    assert (shop.verdict()["notified"], shop.verdict()["clean"]) == (1, False)


def test_the_orders_field_must_show_every_tracking_number_where_it_is_asked_for() -> None:
    shop = Shop(tracking_field="CFtracking")
    shop.fulfill("T1", by_hand=True, Mug=1)
    shop.fulfill("T2", by_hand=True, Lamp=1)
    assert shop.found() == {"untracked": 1}
    field = [{"name": "CFtracking", "value": "T1, T2"}]
    shop.halo.admin(f"order/{shop.row['id']}", customfields=field)
    assert shop.found() == {}


def test_the_whole_verdict_counts_fulfillments_unless_it_is_told_not_to(
    sandbox: SandboxProcess,
) -> None:
    empty = {"orders": 0, "transactions": 0, "subscriptions": 0}
    sandbox.reset(**empty)
    said = sandbox.audit()
    assert said["clean"] is True
    assert (said["fulfillments"]["shipped"], said["fulfillments"]["clean"]) == (0, True)
