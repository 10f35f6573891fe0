"""10,000 orders that another tool has put into Halo: how many are found again, and none wrongly.

The sandbox plants them in many styles, 3 % of them near-misses, and alone knows the truth. Then
the dry run and `--apply` run as a person would run them, with limits that hold nobody up.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from syncline.adopt.run import apply_survey, survey
from syncline.calls.context import WorkerContext
from syncline.ledger import connections
from syncline.mapping.shipped import default_document
from syncline.sandbox.config import Limit, SandboxConfig
from syncline.sandbox.process import SandboxProcess
from syncline.settings import Settings
from workers.console.opening import opened
from workers.demo.stage import connect

ORDERS = 10_000
CUSTOMERS = 1_000
NEAR_MISSES = 0.03
NAME = "bench"
ROOMY = {"calls": 100_000, "seconds": 10}

Progress = Callable[[str], None]


def run(progress: Progress) -> dict[str, Any]:
    """Adopt them all, with a mapping that needs no details."""
    with (
        tempfile.TemporaryDirectory(prefix="syncline-bench-", ignore_cleanup_errors=True) as folder,
        SandboxProcess(
            orders=ORDERS,
            transactions=0,
            subscriptions=0,
            customers=CUSTOMERS,
            details=False,
            money=False,
            highlevel_limit=ROOMY,
            halo_limit=ROOMY,
        ) as sandbox,
        opened(Settings(data=Path(folder) / "data", quota_reserve=0.0), make=True) as worker,
    ):
        _connect(worker, sandbox)
        progress(f"planting {ORDERS} orders")
        truth = sandbox.post("/plant", {"near_misses": NEAR_MISSES})
        progress(f"{len(truth['matches'])} true, {len(truth['near_misses'])} near-misses")
        return _measure(worker, sandbox, truth, progress)


def _measure(
    worker: WorkerContext, sandbox: SandboxProcess, truth: dict[str, Any], progress: Progress
) -> dict[str, Any]:
    line = worker.open_line(NAME)
    started = time.monotonic()
    seen = survey(line, line.link.start_from, _silent)
    progress(f"dry run: {time.monotonic() - started:.1f} s")
    done = apply_survey(line, seen, _silent)
    seconds = time.monotonic() - started
    pairs = {one.order: one.halo for one in done.found.matched}
    true = {order: row for order, row in pairs.items() if truth["matches"].get(order) == row}
    calls = len(sandbox.calls("halo")) + len(sandbox.calls("highlevel"))
    progress(f"{len(done.found.doubtful)} doubtful, {len(done.found.rest)} to be created")
    return {
        "matched": len(true),
        "wrong": len(pairs) - len(true),
        "missed": len(truth["matches"]) - len(true),
        "seconds": round(seconds, 3),
        "calls": calls,
        "doubtful": len(done.found.doubtful),
        "unwritten": done.unwritten,
    }


def _silent(_what: str, _done: int, _of: int) -> None:
    """The figures say it all."""


def _connect(worker: WorkerContext, sandbox: SandboxProcess) -> None:
    roomy = Limit(**ROOMY)
    config = SandboxConfig(highlevel_limit=roomy, halo_limit=roomy)
    mapping = default_document("summary", {"orders": {"test_mode": "include"}})
    connect(worker, sandbox, config, mapping, name=NAME)
    with worker.ledger.begin() as connection:
        # Read anew: one whose secrets came after it was read is not stopped.
        connections.stop(connection, connections.by_name(connection, NAME), "adopt first")
