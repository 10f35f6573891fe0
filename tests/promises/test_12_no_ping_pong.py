"""No ping-pong: many changes from both sides cause the writes that they need, then silence.

Every write of ours comes back as a webhook of the side that it was made on, as in real life, and
every change of one side is told by that side's webhooks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import pytest

from syncline.halo_changes.polling import poll
from syncline.sandbox.process import SandboxProcess
from tests.events import arrive, order_event
from tests.from_halo import hint, last_call, tracked
from tests.world import NAME, World, Worlds, small

NOUNS = {"order": "salesorder", "invoice": "invoice", "credit": "invoice", "payment": "payment"}


@dataclass(frozen=True)
class Load:
    """How many orders there are, and how many changes are made to them in how many rounds."""

    orders: int
    rounds: int
    amounts: int
    statuses: int
    by_hand: int
    shipped: int


LOAD = Load(orders=16, rounds=2, amounts=30, statuses=30, by_hand=26, shipped=16)
A_THOUSAND = Load(orders=100, rounds=5, amounts=300, statuses=300, by_hand=250, shipped=150)


@dataclass
class Both:
    """Both sides' webhooks, and what was done until now.

    Attributes:
        heard: the last audit entry whose effect came back as a webhook.
        writes: how often each flow wrote.
    """

    world: World
    sandbox: SandboxProcess
    heard: int = 0
    writes: Counter[str] = field(default_factory=Counter)

    def settle(self) -> int:
        """Work, and let what was written come back, until nothing is written; returns how often."""
        for turns in range(6):
            self.world.drive(60)
            written = self.world.rows(
                "select * from audit_entry where id > :heard order by id", heard=self.heard
            )
            if not written:
                return turns
            self.heard = written[-1].id
            self.writes.update(entry.flow for entry in written)
            self._come_back(written)
        raise AssertionError(f"still writing: {written[:3]}")

    def _come_back(self, written: list[Any]) -> None:
        hints = [
            hint(NOUNS[entry.target], int(entry.target_id))
            for entry in written
            if entry.target in NOUNS
        ]
        parcels = [entry.source_id for entry in written if entry.target == "fulfillment"]
        shipped = self.world.rows(
            """
            select canonical ->> 'order_id' as order_id from record
            where kind = 'consignment' and foreign_id = any(:ids)
            """,
            ids=parcels,
        )
        assert len(shipped) == len(parcels)
        events = [order_event(self.sandbox, row.order_id) for row in shipped]
        self._hear(hints, events)

    def _hear(self, hints: list[bytes], events: list[bytes]) -> None:
        if hints:
            arrive(self.world, *hints, source="halo")
        if events:
            arrive(self.world, *events)

    def all_hear_all(self) -> None:
        """Every row and order is told of once more, and looked at in every other way."""
        rows = self.world.rows("select * from delivery where target_id is not null order by id")
        hints = [hint(NOUNS[row.target], int(row.target_id)) for row in rows if row.target in NOUNS]
        hints += [
            hint("consignment", int(row.source_id)) for row in rows if row.target == "fulfillment"
        ]
        orders = self.sandbox.get("/state/orders")["ids"]
        self._hear(hints, [order_event(self.sandbox, order) for order in orders])
        self.world.drive(60)
        self.world.pull()
        self.world.pull("transaction")
        self.world.drive(60)
        assert poll(self.world.worker.open_line(NAME)) is None
        self.world.drive(60)


def to_ship(sandbox: SandboxProcess) -> Iterator[tuple[int, list[tuple[int, float]]]]:
    """One of a line at a time, of orders that HighLevel has not sent."""
    rows = {
        row["po_number"].removeprefix("HL-"): row
        for row in sandbox.halo_orders()
        if row["po_number"].startswith("HL-")
    }
    for order_id, row in rows.items():
        order = sandbox.get(f"/state/orders/{order_id}")
        prices = {f"HL-{item['price']['_id']}" for item in order["items"]}
        if order["fulfillmentStatus"] == "unfulfilled":
            for line in row["lines"]:
                if line["item_external_reference"] in prices:
                    for _ in range(int(line["quantity"])):
                        yield row["id"], [(line["id"], 1)]


@pytest.fixture
def load(soak: bool) -> Load:
    return A_THOUSAND if soak else LOAD


@pytest.fixture
def both(worlds: Worlds, sandbox: SandboxProcess, load: Load) -> Both:
    small(
        sandbox,
        orders=load.orders,
        transactions=load.orders,
        subscriptions=0,
        money=True,
        fulfillments=True,
        tracking_field="CFtracking",
    )
    world = worlds()
    world.pull()
    world.pull("transaction")
    world.drive(60)
    tracked(world)
    both = Both(world, sandbox)
    both.settle()
    both.writes.clear()
    return both


def test_many_changes_from_both_sides_end_in_silence(both: Both, load: Load) -> None:
    world, sandbox = both.world, both.sandbox
    ids = cycle(sandbox.get("/state/orders")["ids"])
    rows = cycle(
        world.rows("select * from delivery where target = 'order' order by target_id::int")
    )
    parcels = to_ship(sandbox)
    shipped = 0
    for number in range(load.rounds):
        for what, many in (("amount", load.amounts), ("status", load.statuses)):
            changed = [next(ids) for _ in range(many // load.rounds)]
            sandbox.change_orders(ids=changed, fields=what)  # type: ignore[arg-type]  # both are fields
            arrive(world, *(order_event(sandbox, one) for one in changed))
        hints = []
        for at in range(load.by_hand // load.rounds):
            row = next(rows)
            sandbox.edit_halo_order(int(row.target_id), note=f"by hand {number}.{at}")
            hints.append(hint("salesorder", int(row.target_id)))
        for _ in range(load.shipped // load.rounds):
            order, lines = next(parcels)
            made = sandbox.consign(order, lines, f"Tracking: 1Z{shipped:06}")
            shipped += 1
            hints += [hint("consignment", made), hint("salesorder", order)]
        arrive(world, *hints, source="halo")
        assert both.settle() <= 3
    assert shipped == load.shipped
    assert world.rows("select * from delivery where state = 'parked'") == []
    assert both.writes["fulfillments"] == load.shipped
    # An amount is written into the order and its invoice; a parcel's tracking into the order.
    changed_in_highlevel = load.amounts + load.statuses
    assert both.writes["orders"] <= changed_in_highlevel + load.by_hand + load.shipped
    assert both.writes["payments"] <= changed_in_highlevel
    before = last_call(sandbox)
    both.all_hear_all()
    posts = [
        call["operation"]
        for call in sandbox.calls(after=before)
        if call["method"] == "POST" and not call["operation"].endswith(("/Report", "/token"))
    ]
    assert posts == []
    assert both.settle() == 0
    verdict = sandbox.audit()
    assert verdict["clean"], verdict
