"""100,000 orders on both sides, 500 differences planted by hand: how many are found, none invented.

Both sides are filled with what the steps render and record. Then the sandbox changes rows of Halo,
and what was shipped in HighLevel; it alone knows which. The command that a person runs compares the
sides in a process of its own, whose memory is measured.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import text

from bench.ledgers.reconcile_filling import NAME, fill, read_again, ship
from syncline.calls.context import WorkerContext
from syncline.mapping.shipped import default_document
from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.process import SandboxProcess
from syncline.settings import Settings
from workers.console.opening import opened
from workers.demo.stage import PLAY_MONEY, connect

ORDERS = 100_000
CUSTOMERS = 1_000
PAID = 0.6
"""Transactions for each order; each makes an invoice and a payment."""
SUBSCRIPTIONS = 90
"""Recurring invoices are read by their list, a hundred a call."""
SHIPPED = 200
"""Orders whose goods have left; of the others nothing was sent."""
ROOMY = {"calls": 1_000_000, "seconds": 1}
STATUSES = """
[[orders.status]]
order = "completed"
halo = 9

[[orders.status]]
halo = 2
"""
"""The mapping sets the status of an order, so one that is set by hand differs."""

SHARES = {
    "consignment_deleted": ("missing", 20),
    "fulfillment_removed": ("missing", 20),
    "order_deleted": ("missing", 40),
    "order_doubled": ("doubled", 40),
    "order_price": ("changed_in_halo", 30),
    "order_status": ("changed_in_halo", 30),
    "order_currency": ("changed_in_halo", 40),
    "order_reference_removed": ("changed_in_halo", 30),
    "invoice_deleted": ("missing", 30),
    "invoice_voided": ("changed_in_halo", 30),
    "invoice_doubled": ("doubled", 30),
    "invoice_amount": ("changed_in_halo", 40),
    "payment_deleted": ("missing", 40),
    "payment_doubled": ("doubled", 20),
    "payment_amount": ("changed_in_halo", 30),
    "credit_deleted": ("missing", 10),
    "credit_amount": ("changed_in_halo", 5),
    "recurring_deleted": ("missing", 5),
    "recurring_amount": ("changed_in_halo", 5),
    "recurring_enabled": ("changed_in_halo", 5),
}
"""What people do → the cause that it is to be found under, and how often of 500."""

Progress = Callable[[str], None]


def run(progress: Progress, orders: int = ORDERS) -> dict[str, Any]:
    """Fill both sides, plant, compare; most of the time is the filling."""
    config = SandboxConfig(
        orders=orders,
        transactions=int(orders * PAID),
        subscriptions=SUBSCRIPTIONS,
        customers=CUSTOMERS,
        highlevel_limit=ROOMY,
        highlevel_daily=100_000_000,
        halo_limit=ROOMY,
    )
    with (
        tempfile.TemporaryDirectory(prefix="syncline-bench-", ignore_cleanup_errors=True) as folder,
        SandboxProcess(**config.model_dump(mode="json")) as sandbox,
    ):
        settings = Settings(data=Path(folder) / "data", quota_reserve=0.0, send_batch=1000)
        with opened(settings, make=True) as worker:
            _connect(worker, sandbox, config)
            counts = {
                "order": config.orders,
                "transaction": config.transactions,
                "subscription": config.subscriptions,
            }
            fill(settings, worker, sandbox, counts, progress)
            progress(f"{ship(worker, sandbox, SHIPPED)} orders shipped")
            planted = _plant(sandbox, progress)
            read_again(worker)
            return _measure(settings, worker, sandbox, planted, progress)


def _plant(sandbox: SandboxProcess, progress: Progress) -> list[tuple[str, str]]:
    planted = []
    for kind, (cause, many) in SHARES.items():
        done = sandbox.tamper(kind, many)
        progress(f"planted: {len(done)} {kind}")
        planted += [(one["source"], cause) for one in done]
    return planted


def _measure(
    settings: Settings,
    worker: WorkerContext,
    sandbox: SandboxProcess,
    planted: list[tuple[str, str]],
    progress: Progress,
) -> dict[str, Any]:
    before = {side: len(sandbox.calls(side)) for side in ("halo", "highlevel")}
    environment = {
        **os.environ,
        "SYNCLINE_DATA": str(settings.data),
        "SYNCLINE_QUOTA_RESERVE": "0",
        "SYNCLINE_LOG_LEVEL": "warning",
    }
    command = [sys.executable, "-m", "workers.console.main", "reconcile", "run", NAME, "--json"]
    command += ["--since", str(worker.open_line(NAME).link.start_from)]
    began = time.monotonic()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        told = "" if process.stdout is None else process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    certificate = json.loads(told)
    calls = {side: len(sandbox.calls(side)) - many for side, many in before.items()}
    found = worker.ledger.run(
        lambda c: c.execute(
            text(
                """
                select distinct coalesce(r.canonical ->> 'order_id', d.source_id) as source, d.cause
                from discrepancy d
                left join record r on d.flow = 'fulfillments' and r.kind = d.source_kind
                                  and r.foreign_id = d.source_id
                where d.state = 'open'
                """
            )
        ).all()
    )
    pairs = {(row.source, row.cause) for row in found}
    wanted = set(planted)
    progress(f"{Counter(cause for _, cause in pairs)}, {calls}, {certificate['ways']}")
    for missed in sorted(wanted - pairs)[:5]:
        progress(f"not found: {missed}")
    for invented in sorted(pairs - wanted)[:5]:
        progress(f"invented: {invented}")
    return {
        "planted": len(planted),
        "found": len(wanted & pairs),
        "invented": len(pairs - wanted),
        "seconds": round(seconds, 3),
        "calls": sum(calls.values()),
        "peak_rss_mb": round(usage.ru_maxrss / 1024, 1),
    }


def _connect(worker: WorkerContext, sandbox: SandboxProcess, config: SandboxConfig) -> None:
    mapping = default_document("detail", PLAY_MONEY) + STATUSES
    connect(worker, sandbox, config, mapping, name=NAME)
