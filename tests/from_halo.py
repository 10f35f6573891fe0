"""Halo's side for tests: webhooks as Halo sends them, rows of ours there, calls that were made."""

from __future__ import annotations

import json
from typing import Any

from syncline.calls.calls import halo_calls
from syncline.queues import Lane
from syncline.sandbox.process import SandboxProcess
from tests.world import NAME, World, Worlds, small

TRACKING = """
[[orders.field]]
target = "customfields.CFtracking"
source = "tracking_numbers"
transform = { use = "join", with = ", " }
type = "text"
owner = "highlevel"
"""


def hint(entity: str, row_id: int) -> bytes:
    """A webhook of Halo in the form that ours is set to."""
    told = {"event": "Changed", "entity": entity, "id": row_id, "time": "2026-11-24T12:00:00"}
    return json.dumps(told).encode()


def writes(sandbox: SandboxProcess, after: int = 0) -> list[str]:
    return [
        call["operation"]
        for call in sandbox.calls("halo", after)
        if call["method"] == "POST" and not call["operation"].endswith(("/Report", "/token"))
    ]


def last_call(sandbox: SandboxProcess) -> int:
    return max((call["id"] for call in sandbox.calls()), default=0)


def readings(sandbox: SandboxProcess, side: str, after: int = 0) -> list[str]:
    return [one["operation"] for one in sandbox.calls(side, after) if one["method"] == "GET"]


def synced(worlds: Worlds, sandbox: SandboxProcess, **config: Any) -> World:
    """A world whose orders and payments stand in Halo."""

    def drive() -> World:
        defaults = {"orders": 4, "transactions": 4, "subscriptions": 0, "money": True}
        small(sandbox, **{**defaults, **config})
        world = worlds()
        world.pull()
        world.pull("transaction")
        world.drive()
        assert sandbox.audit()["clean"]
        return world

    return worlds.as_after(drive, f"synced {sorted(config.items())}")


def order_row(world: World, number: int = 0) -> Any:
    rows = world.rows("select * from delivery where target = 'order' order by id")
    return rows[number]


def money_row(world: World, target: str = "payment") -> Any:
    return world.rows(f"select * from delivery where target = '{target}' order by id")[0]  # noqa: S608


def delete(world: World, path: str) -> None:
    """What a person does in Halo's own screens, by its API."""
    line = world.worker.open_line(NAME)
    api = halo_calls(line, Lane.UPKEEP)
    api.read(f"DELETE {path}", lambda permit: line.halo.delete(path, permit))


def tracked(world: World) -> None:
    """Let the mapping show HighLevel's tracking numbers in a field of Halo's order."""
    world.do("update connection set mapping = mapping || :more", more=TRACKING)
    world.reopened()
    world.follow_all()
    world.drive()


def a_sale(world: World) -> tuple[Any, Any, Any]:
    """An order of ours with its invoice and its first payment."""
    paid = money_row(world)
    [invoice] = world.rows(
        "select * from delivery where target = 'invoice' and target_id = :id",
        id=str(paid.target_meta["invoice_id"]),
    )
    [order] = world.rows(
        "select * from delivery where target = 'order' and source_id = :id", id=invoice.source_id
    )
    return order, invoice, paid


def got_by_others(world: World, sandbox: SandboxProcess) -> tuple[Any, Any, Any]:
    """An order of ours, its invoice and its payment, whose ids rows of somebody else have got."""
    order, invoice, paid = a_sale(world)
    sold = {one["id"]: one for one in sandbox.halo_orders()}
    ours = sold[int(order.target_id)]
    others = next(one for one in sold.values() if one["client_id"] != ours["client_id"])
    place = {"client_id": others["client_id"], "site_id": others["site_id"]}
    sandbox.edit_halo_order(ours["id"], po_number="PO-134", user_id=others["user_id"], **place)
    sandbox.post(
        f"/halo/invoice/{invoice.target_id}",
        {"thirdpartyinvoicenumber": "INV-9", "client_id": others["client_id"]},
    )
    sandbox.post(
        f"/halo/payment/{paid.target_id}",
        {"intent_id": "pi_9", "thirdpartyid": "", "amount": 555.0},
    )
    return order, invoice, paid
