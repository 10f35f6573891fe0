"""A test order through all flows: made by itself in the emulation, by a person at HighLevel.

Whether it went all the way, the ledger alone says (`ledger/golive.py`).
"""

from __future__ import annotations

from typing import Any, Final

import httpx

from syncline.calls.context import Line, WorkerContext
from syncline.errors import Again, Refused, Unreachable
from syncline.flows import orders
from syncline.golive import queries as golive_queries
from syncline.golive.queries import Went
from syncline.ledger.connections import Link

TRACKING = "Tracking: TEST-1\nCarrier: UPS\nTracking URL: https://example.com/TEST-1"

_TRIES: Final = 20
_PATIENCE_S: Final = 10.0

BY_HAND: Final = (
    "In HighLevel: switch payments to test mode, and buy a product with an address of your own.",
    "In HighLevel: give a part of that payment back.",
    (
        "In Halo: open the sales order with the number HL- and the order's id, and make a "
        "consignment of one line with a tracking number in its note."
    ),
)
"""What a person does for it, one step after the other."""


def went(worker: WorkerContext, link: Link, order_id: str | None) -> Went:
    """How far test orders went by now, or this one."""
    return worker.ledger.run(lambda connection: golive_queries.went(connection, link, order_id))


def buy(line: Line) -> str:
    """Let the emulation sell something, take money for it and give a part back.

    Returns:
        HighLevel's id of the order.

    Raises:
        Refused: it is not the emulation, or it makes nothing that the mapping lets through.
        Unreachable: it does not answer.
    """
    with _emulation(line.link) as emulation:
        for _ in range(_TRIES):
            [order_id] = _ask(emulation, "/orders/add", {"count": 1})["ids"]
            order = _ask(emulation, f"/state/orders/{order_id}", None)
            if orders.wanted({"live_mode": order.get("liveMode")}, line.document) and _paid(
                emulation, order_id
            ):
                return str(order_id)
    raise Refused(
        "The emulation sold nothing that the mapping lets through.",
        remedy='Set test_mode = "include" in the mapping.',
    )


def consign(line: Line, order_id: str) -> int:
    """Let somebody in the emulated Halo send the goods of an order; returns the consignment's id.

    Raises:
        Again: the order does not stand in Halo yet.
        Unreachable: the emulation does not answer.
    """
    halo_id = line.worker.ledger.run(
        lambda connection: golive_queries.halo_order(connection, line.link, order_id)
    )
    if halo_id is None:
        raise Again(f"Order {order_id} does not stand in Halo yet.")
    with _emulation(line.link) as emulation:
        form = {"order_id": halo_id, "note": TRACKING}
        return int(_ask(emulation, "/halo/consign", form)["id"])


def _paid(emulation: httpx.Client, order_id: str) -> bool:
    """Pay an order and give a part back; False where its payment did not come in."""
    form = {"count": 1, "orders": [order_id]}
    [transaction] = _ask(emulation, "/transactions/add", form)["ids"]
    try:
        _ask(emulation, "/transactions/change", {"what": "refund", "ids": [transaction]})
    except Refused:
        return False
    return True


def _emulation(link: Link) -> httpx.Client:
    if not link.is_emulated:
        raise Refused(
            f"{link.highlevel_url} is no emulation, so a person makes the test order there.",
            remedy="Follow the steps of: syncline golive test NAME",
        )
    base = f"{link.highlevel_url.rpartition('/highlevel')[0]}/admin"
    return httpx.Client(base_url=base, timeout=_PATIENCE_S, trust_env=False)


def _ask(emulation: httpx.Client, path: str, form: dict[str, Any] | None) -> dict[str, Any]:
    try:
        answer = emulation.get(path) if form is None else emulation.post(path, json=form)
    except httpx.HTTPError as error:
        raise Unreachable(
            f"No emulation answers at {emulation.base_url} ({type(error).__name__}).",
            remedy="Start it with: syncline up --sandbox",
        ) from None
    if answer.is_error:
        raise Refused(f"The emulation refused {path}: {answer.text[:200]}.")
    found: dict[str, Any] = answer.json()
    return found
