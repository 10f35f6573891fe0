"""Shipments for tests: a person sends goods in Halo, and a webhook hints at it."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx

from syncline.runtime.sweep import sweep
from syncline.sandbox.config import LOCATION, TOKEN
from syncline.sandbox.process import SandboxProcess
from tests.events import arrive
from tests.world import World, Worlds, small

TRACKED = (
    "left at noon\nTracking: 1Z999\nCarrier: UPS\nTracking URL: https://track.example.com/1Z999"
)


def in_line(world: World) -> None:
    """Bring all orders to Halo."""
    world.pull()
    world.drive()


def shipping(worlds: Worlds, sandbox: SandboxProcess, orders: int = 6) -> World:
    """A world whose orders stand in Halo, so that their goods can be sent there."""

    def drive() -> World:
        small(sandbox, orders=orders, transactions=0, subscriptions=0)
        world = worlds()
        in_line(world)
        return world

    return worlds.as_after(drive, f"shipping {orders}")


def halo_orders(sandbox: SandboxProcess) -> dict[str, dict[str, Any]]:
    """Halo's orders of ours, by HighLevel's id."""
    return {
        order["po_number"].removeprefix("HL-"): order
        for order in sandbox.halo_orders()
        if str(order.get("po_number")).startswith("HL-")
    }


def goods(order: dict[str, Any]) -> list[dict[str, Any]]:
    """The lines of Halo's order that are items."""
    extra = ("HL-discount", "HL-shipping", "HL-adjustment")
    return [line for line in order["lines"] if line["item_external_reference"] not in extra]


def an_order(sandbox: SandboxProcess, least: int = 2) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """An order of which at least so many of one line were sold: its id, Halo's row, that line."""
    for order_id, order in halo_orders(sandbox).items():
        for line in goods(order):
            if line["quantity"] >= least:
                return order_id, order, line
    raise AssertionError("no order is large enough")


def hint(world: World, entity: str, number: int) -> None:
    """A webhook of Halo's about something."""
    arrive(
        world,
        json.dumps({"event": f"{entity} changed", "entity": entity, "id": number}).encode(),
        source="halo",
    )


def noticed(world: World) -> None:
    """Let everything be done that hints ask for, but nothing be posted yet."""
    give_up = time.monotonic() + 60
    while world.open_events() or world.rows(
        """
        select 1 from delivery
        where target <> 'fulfillment' and state not in ('delivered', 'parked')
        """
    ):
        world.hurry()
        for nudge in sweep(world.worker):
            if nudge.target != "fulfillment":
                world.follow(nudge)
        if time.monotonic() > give_up:
            raise AssertionError(f"still open: {world.counts()}")


def map_as(world: World, text: str) -> None:
    """Give the connection another mapping document."""
    world.do("update connection set mapping = :text", text=text)
    world.reopened()


def fulfillments(sandbox: SandboxProcess, order_id: str) -> list[dict[str, Any]]:
    """What HighLevel shows of an order."""
    answer = httpx.get(
        f"{sandbox.highlevel_url}/payments/orders/{order_id}/fulfillments",
        headers={"authorization": f"Bearer {TOKEN}", "version": "2021-07-28"},
        params={"altId": LOCATION, "altType": "location"},
        trust_env=False,
    )
    found: list[dict[str, Any]] = answer.raise_for_status().json()["data"]
    return found


def the_row(world: World) -> Any:
    """The one delivery of a fulfillment."""
    [row] = world.rows("select * from delivery where flow = 'fulfillments'")
    return row


def posts(sandbox: SandboxProcess) -> int:
    """Fulfillments that HighLevel was asked to make."""
    return sum(
        1
        for call in sandbox.calls("highlevel")
        if call["operation"].startswith("POST") and "fulfillments" in call["operation"]
    )
