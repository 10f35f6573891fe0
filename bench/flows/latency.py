"""How long an event takes from the receiver to the confirmation by Halo, while quota is free.

Real processes: receiver, workers, beat, embedded servers, both APIs emulated at their limits. New
orders and changed ones come one by one, at moments that chance decides, as webhooks of the sandbox.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import Any

from syncline.sandbox.config import Limit, SandboxConfig
from workers.console.main import this_installation
from workers.demo.stage import Stage, stage

WARM_UP = 120
EVENTS = 120
PER_SECOND = 1.5
HALO_LIMIT = Limit(calls=700, seconds=300)
"""What Halo's fair use policy was last seen to allow."""

DAY = "86400"
# Nothing but the events may show a change.
SETTINGS = {"PULL_HOT": DAY, "PULL_WARM": DAY, "POLL_HALO": DAY, "LOG_LEVEL": "warning"}
GIVE_UP_SECONDS = 300.0

Progress = Callable[[str], None]


def run(progress: Progress) -> dict[str, Any]:
    """Measure; takes about three minutes."""
    config = SandboxConfig(
        seed=2,
        orders=WARM_UP,
        transactions=WARM_UP,
        subscriptions=0,
        customers=40,
        halo_limit=HALO_LIMIT,
    )
    with (
        tempfile.TemporaryDirectory(prefix="syncline-bench-") as folder,
        stage(Path(folder) / "data", config, "detail", SETTINGS, this_installation().open) as on,
    ):
        progress(f"warm-up with {WARM_UP} other orders")
        on.publish_pull("order", datetime.now(UTC).date())
        on.publish_pull("transaction", datetime.now(UTC).date())
        _until_in_line(on)
        progress(f"{EVENTS} events, {PER_SECOND} a second")
        _send_events(on)
        _until_in_line(on)
        return _figures(on)


def _send_events(on: Stage) -> None:
    rng = random.Random(7)
    at = f"http://127.0.0.1:{on.installation.receiver_port}/webhooks/highlevel"
    on.sandbox.send_highlevel_events_to(at)
    known: list[str] = on.sandbox.get("/state/orders")["ids"]
    rng.shuffle(known)
    for number in range(EVENTS):
        if number % 2:
            on.sandbox.add_orders(1)
        else:
            on.sandbox.change_orders(ids=[known.pop()], fields="status")
        time.sleep(rng.expovariate(PER_SECOND))


def _figures(on: Stage) -> dict[str, Any]:
    took = [
        float(row.seconds)
        for row in on.rows(
            """
            select extract(epoch from d.confirmed_at - e.at) as seconds
            from event e join delivery d on d.source_id = e.foreign_id and d.flow = 'orders'
            where e.kind = 'order' and e.state = 'done' and d.confirmed_at > e.at
            """
        )
    ]
    verdict = on.sandbox.audit()
    return {
        "p50_seconds": round(quantiles(took, n=100)[49], 3),
        "p95_seconds": round(quantiles(took, n=100)[94], 3),
        "max_seconds": round(max(took), 3),
        "events": len(took),
        "missing": verdict["counts"]["missing"],
        "duplicates": verdict["counts"]["duplicates"],
        "rejected_429": sum(verdict["rejected_429"].values()),
    }


def _until_in_line(on: Stage) -> None:
    """Until every order of the sandbox is delivered and nothing is on its way."""
    give_up = time.monotonic() + GIVE_UP_SECONDS
    while True:
        expected = len(on.sandbox.get("/state/orders")["ids"])
        [(delivered, unfinished)] = on.rows(
            """
            select count(*) filter (where flow = 'orders' and state = 'delivered'),
                   count(*) filter (where state <> 'delivered')
                   + (select count(*) from event where state = 'new')
            from delivery
            """
        )
        if delivered == expected and not unfinished:
            return
        if time.monotonic() > give_up:
            raise RuntimeError(f"{delivered} of {expected} in line, {unfinished} open: given up")
        time.sleep(0.2)
