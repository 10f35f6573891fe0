"""500 consignments of Halo, a third of them partial, into HighLevel, with faults and kills.

Real processes: two workers, beat, embedded servers, and both APIs emulated. All orders are in line
before. Then goods are sent in Halo, and while they become fulfillments, answers are lost, come too
late or not at all, calls are refused, and workers are killed in the middle of a call. No webhook
helps: what was sent is found by asking Halo. The sandbox judges; it knows nothing of our ledger.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from syncline.sandbox.config import Limit, SandboxConfig
from workers.console.main import this_installation
from workers.crews import CREWS
from workers.demo.stage import Stage, stage

CONSIGNMENTS = 500
PARTIAL = 166
"""Two for each of half as many orders, which together send all of it."""
ORDERS = 520
"""More than are sent: of an order with a single piece there is no part."""
KILLS = 6
LIMIT = Limit(calls=1000, seconds=10)

# A call of the sandbox is answered in milliseconds. The calls of a killed worker count against the
# quota until their deadline has passed.
SETTINGS = {
    **dict.fromkeys(("PULL_HOT", "PULL_WARM", "PULL_COLD"), "86400"),
    "POLL_HALO": "2",
    "DEADLINE": "4",
    "LOG_LEVEL": "warning",
}
FAULTS = (
    {"side": "highlevel", "kind": "cut_after", "probability": 0.04},
    {"side": "highlevel", "kind": "cut_before", "probability": 0.02},
    {"side": "highlevel", "kind": "500_after", "probability": 0.02},
    {"side": "highlevel", "kind": "500", "probability": 0.02},
    {"side": "highlevel", "kind": "late", "probability": 0.01, "late_seconds": 1, "hang": True},
    {"side": "highlevel", "kind": "429", "probability": 0.003},
    {"side": "highlevel", "kind": "latency", "probability": 0.3, "min_ms": 50, "max_ms": 250},
    {"side": "halo", "kind": "cut_after", "probability": 0.02},
    {"side": "halo", "kind": "500", "probability": 0.02},
)
GIVE_UP_SECONDS = 420.0
_NO_GOODS = ("HL-shipping", "HL-discount", "HL-adjustment")

Progress = Callable[[str], None]
Lines = list[tuple[int, float]]


def run(progress: Progress) -> dict[str, Any]:
    """Measure; takes about three minutes."""
    config = SandboxConfig(
        orders=ORDERS,
        transactions=0,
        subscriptions=0,
        customers=100,
        profile="generous",
        highlevel_limit=LIMIT,
        halo_limit=LIMIT,
    )
    with (
        tempfile.TemporaryDirectory(prefix="syncline-bench-") as folder,
        stage(Path(folder) / "data", config, "detail", SETTINGS, this_installation().open) as on,
    ):
        progress(f"warm-up: {ORDERS} orders")
        on.publish_pull("order", on.link.start_from)
        _until(on, "orders", ORDERS)
        wanted = _plan(on.sandbox.halo_orders())
        progress(f"{len(wanted)} consignments, {PARTIAL} of them partial")
        on.sandbox.faults(*FAULTS)
        began = time.monotonic()
        for at, (order_id, lines) in enumerate(wanted):
            on.sandbox.consign(order_id, lines, f"Tracking: 1Z{at:06}\nCarrier: UPS")
        kills = _until(on, "fulfillments", len(wanted), kills=KILLS)
        seconds = time.monotonic() - began
        on.sandbox.faults()
        verdict = on.sandbox.audit()["fulfillments"]
        progress(f"{seconds:.0f} s, {kills} kills, {verdict}")
    return {
        "shipped": verdict["shipped"],
        "doubled": len(verdict["doubled"]),
        "missing": len(verdict["missing"]),
        "wrong": len(verdict["wrong"]) + len(verdict["unexpected"]),
        "notified": verdict["notified"],
        "kills": kills,
        "seconds": round(seconds, 1),
    }


def _plan(orders: list[dict[str, Any]]) -> list[tuple[int, Lines]]:
    """Which lines of which order go together: some orders in two parts, the others whole."""
    parts: list[tuple[int, Lines]] = []
    whole: list[tuple[int, Lines]] = []
    for order in orders:
        lines = [
            (line["id"], line["quantity"])
            for line in order["lines"]
            if line["item_external_reference"] not in _NO_GOODS and line["quantity"] > 0
        ]
        if not lines:
            continue
        if len(parts) < PARTIAL and sum(quantity for _, quantity in lines) > 1:
            parts += [(order["id"], part) for part in _halves(lines)]
        else:
            whole.append((order["id"], lines))
    return parts + whole[: CONSIGNMENTS - len(parts)]


def _halves(lines: Lines) -> Iterator[Lines]:
    """A piece of the first line, and all the rest."""
    (first, quantity), others = lines[0], lines[1:]
    yield [(first, 1)]
    yield [*([(first, quantity - 1)] if quantity > 1 else []), *others]


def _until(on: Stage, flow: str, expected: int, kills: int = 0) -> int:
    """Wait until a flow has delivered everything; kill workers on the way, and say how many."""
    give_up = time.monotonic() + GIVE_UP_SECONDS
    killed = 0
    while True:
        counts = dict(
            on.rows(
                "select state, count(*) from delivery where flow = :flow group by state", flow=flow
            )
        )
        done = counts.get("delivered", 0)
        if counts == {"delivered": expected}:
            return killed
        if time.monotonic() > give_up:
            raise RuntimeError(
                f"Not in line after {GIVE_UP_SECONDS:.0f} s: {counts} of {expected}."
            )
        # Spread over the way, so that each time another part of the work is hit.
        if killed < kills and done >= expected * killed / (kills + 1):
            killed += _strike(on)
            time.sleep(0.005)
        else:
            time.sleep(0.1)


def _strike(on: Stage) -> int:
    """Kill the worker that is making a fulfillment at this moment; 1 if there was one."""
    owners = {
        int(row.name.rpartition(":")[2])
        for row in on.rows(
            """
            select distinct s.name from delivery d join session s on s.id = d.owner
            where d.state = 'sending' and d.target = 'fulfillment'
            """
        )
    }
    supervisor = on.installation.supervisor
    return sum(
        1 for crew in CREWS if supervisor.pid(crew.name) in owners and supervisor.kill(crew.name)
    )
