"""300 new orders of 60 known customers: from the tick that reads them to the last confirmation.

Real processes: two warm workers, beat, embedded servers, and both APIs emulated at 100 calls in
10 s. Each case has an installation of its own. Before the tick, other orders of the same customers
are brought over, which makes customers and capabilities known; then the limits' windows may pass.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from syncline.sandbox.config import Limit, SandboxConfig
from workers.console.main import this_installation
from workers.demo.stage import Stage, stage

ORDERS = 300
CUSTOMERS = 60
WARM_UP = 300
SEED = 1
"""Its first 300 orders are of all 60 customers, so that the measured ones are of known ones."""
LIMIT = Limit(calls=100, seconds=10)
PLAIN_BOUND_SECONDS = 20.0
"""300 calls at 100 in 10 s: the last hundred may leave after two windows."""

DAY = "86400"
# Beat goes on sweeping, but no reading of its own comes in between.
SETTINGS = {"PULL_HOT": DAY, "PULL_WARM": DAY, "POLL_HALO": DAY, "LOG_LEVEL": "warning"}
GIVE_UP_SECONDS = 300.0

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Measured:
    """One case: how long it took, the calls it made, and what the sandbox found wrong."""

    seconds: float
    halo_calls: int
    highlevel_calls: int
    rejected_429: int
    duplicates: int
    missing: int


def run(progress: Progress) -> dict[str, Any]:
    """Measure the three cases; takes about four minutes, most of them warm-up at the limits."""
    summary = _case("summary", "generous", progress)
    plain = _case("summary", "plain", progress)
    details = _case("detail", "generous", progress)
    everything = (summary, plain, details)
    bound = (math.ceil(details.highlevel_calls / LIMIT.calls) - 1) * LIMIT.seconds
    return {
        "seconds": round(summary.seconds, 3),
        "halo_calls": summary.halo_calls,
        "rejected_429": sum(case.rejected_429 for case in everything),
        "plain_seconds": round(plain.seconds, 3),
        "plain_halo_calls": plain.halo_calls,
        "plain_ratio_to_bound": round(plain.seconds / PLAIN_BOUND_SECONDS, 4),
        "details_seconds": round(details.seconds, 3),
        "details_highlevel_calls": details.highlevel_calls,
        "details_ratio_to_bound": round(details.seconds / bound, 4),
        "duplicates": sum(case.duplicates for case in everything),
        "missing": sum(case.missing for case in everything),
    }


def _case(
    style: Literal["summary", "detail"],
    profile: Literal["generous", "plain"],
    progress: Progress,
) -> Measured:
    config = SandboxConfig(
        seed=SEED,
        orders=WARM_UP,
        transactions=0,
        subscriptions=0,
        customers=CUSTOMERS,
        details=style == "detail",
        profile=profile,
        highlevel_limit=LIMIT,
        halo_limit=LIMIT,
    )
    with (
        tempfile.TemporaryDirectory(prefix="syncline-bench-") as folder,
        stage(Path(folder) / "data", config, style, SETTINGS, this_installation().open) as on,
    ):
        progress(f"{style}, {profile}: warm-up with {WARM_UP} other orders")
        _until_in_line(on)
        # What the warm-up spent must have come back, and workers must be at rest.
        time.sleep(LIMIT.seconds + 2)
        progress(f"{style}, {profile}: {ORDERS} new orders")
        measured = _measure(on)
        progress(f"{style}, {profile}: {measured}")
        return measured


def _measure(on: Stage) -> Measured:
    before = {side: len(on.sandbox.calls(side)) for side in ("halo", "highlevel")}
    made = on.sandbox.add_orders(ORDERS)
    [(started,)] = on.rows("select clock_timestamp()")
    on.publish_pull("order", datetime.now(UTC).date())
    _until_in_line(on)
    [(ended,)] = on.rows(
        "select max(confirmed_at) from delivery where flow = 'orders' and source_id = any(:made)",
        made=made,
    )
    verdict = on.sandbox.audit()
    return Measured(
        seconds=(ended - started).total_seconds(),
        halo_calls=len(on.sandbox.calls("halo")) - before["halo"],
        highlevel_calls=len(on.sandbox.calls("highlevel")) - before["highlevel"],
        rejected_429=sum(verdict["rejected_429"].values()),
        duplicates=verdict["counts"]["duplicates"],
        missing=verdict["counts"]["missing"],
    )


def _until_in_line(on: Stage) -> None:
    expected = len(on.sandbox.get("/state/orders")["ids"])
    give_up = time.monotonic() + GIVE_UP_SECONDS
    while True:
        counts = dict(
            on.rows("select state, count(*) from delivery where flow = 'orders' group by state")
        )
        if counts == {"delivered": expected}:
            return
        if time.monotonic() > give_up:
            raise RuntimeError(
                f"Not in line after {GIVE_UP_SECONDS:.0f} s: {counts} of {expected}."
            )
        time.sleep(0.1)
