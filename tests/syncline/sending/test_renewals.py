"""Renewals of subscriptions hang on orders that are paid: each is asked about, none is booked."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.sandbox.process import SandboxProcess
from tests.tenants import brought_over, comes_in
from tests.world import World, Worlds


def renewals(world: World) -> list[Any]:
    return world.rows(
        "select source_id, target, state, field, target_id from delivery"
        " where field = 'subscription_id' order by source_id"
    )


@pytest.mark.parametrize("shape", ["published", "printed", "rich"])
def test_a_renewal_is_asked_about_and_all_else_is_in_line(
    worlds: Worlds, sandbox: SandboxProcess, shape: str
) -> None:
    shop = {"orders": 20, "transactions": 20, "subscriptions": 2, "highlevel_shape": shape}
    world = brought_over(worlds, sandbox, renewals=4, **shop)
    found = renewals(world)
    made = sandbox.audit(each=True)
    charged = world.rows(
        "select canonical ->> 'entity_id' as order_id, count(*) as many from record"
        " where kind = 'transaction' and canonical ->> 'subscription_id' is not null group by 1"
    )
    assert len(charged) == 4
    assert len(found) == sum(one.many - 1 for one in charged) >= 4
    assert {(one.target, one.state, one.target_id) for one in found} == {
        ("payment", "parked", None)
    }
    assert made["counts"]["strange_money"] == 0
    assert made["clean"]
    told = {one["id"]: one for one in made["records"]}
    assert not any(told[one.source_id]["due"] for one in found)


def test_a_charge_that_is_read_after_a_later_one_has_that_one_asked_about(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = brought_over(worlds, sandbox, orders=2, transactions=0, subscriptions=0)
    [order, *_] = world.rows("select canonical from record where kind = 'order'")
    charge = {
        "entityType": "order",
        "entityId": order.canonical["id"],
        "subscriptionId": "sub_1",
        "amount": order.canonical["amount"],
        "currency": order.canonical["currency"],
    }
    comes_in(world, "later", 22, **charge)
    assert renewals(world) == []
    comes_in(world, "first", 21, **charge)
    # It stands in Halo, and a person is asked whether it may.
    [asked] = renewals(world)
    assert (asked.source_id, asked.state, asked.target_id is None) == ("later", "parked", False)
    comes_in(world, "first", 21, **{**charge, "status": "failed", "updatedAt": "2026-11-23"})
    assert renewals(world) == []
