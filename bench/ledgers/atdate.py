"""`syncline show order ID --at` of one order, with 1,000,000 entries in the ledger.

Timed is the whole command in a process of its own, start and imports included; beside it, what the
ledger takes of that. Another number of entries: `python -m bench atdate --entries 100000`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

from bench.ledgers.audit import ENTRIES
from bench.ledgers.audit_filling import VERSIONS, fill
from syncline.ledger import history
from syncline.settings import Settings
from workers.console.opening import opened

ORDER = "o7"
TIMES = 5

Progress = Callable[[str], None]


def run(progress: Progress, entries: int = ENTRIES) -> dict[str, Any]:
    """Fill, then ask some times, each time in a new process."""
    with (
        tempfile.TemporaryDirectory(prefix="syncline-bench-", ignore_cleanup_errors=True) as folder,
        opened(Settings(data=Path(folder) / "data"), make=True) as worker,
    ):
        fill(worker, entries, progress)
        at: datetime = worker.ledger.run(
            lambda c: c.execute(
                text("select at from change where foreign_id = :id and version = :version"),
                {"id": ORDER, "version": VERSIONS // 2},
            ).scalar_one()
        )
        seconds = [_command(at, Path(folder) / "data") for _ in range(TIMES)]
        started = time.monotonic()
        found = worker.ledger.run(lambda c: history.at(c, "order", ORDER, at))
        read = time.monotonic() - started
        if found is None or (found.version, found.proof) != (VERSIONS // 2, "proved"):
            raise RuntimeError(f"Not what it was: {found}")
        return {
            "seconds": round(statistics.median(seconds), 3),
            "of_which_reading": round(read, 4),
            "entries": entries,
            "whole_command": True,
        }


def _command(at: datetime, data: Path) -> float:
    words = ["show", "order", ORDER, "--at", at.isoformat(), "--json"]
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "workers.console.main", *words],
        env={**os.environ, "SYNCLINE_DATA": str(data)},
        capture_output=True,
        check=True,
    )
    seconds = time.monotonic() - started
    if json.loads(done.stdout)["record"]["version"] != VERSIONS // 2:
        raise RuntimeError("The command shows another version.")
    return seconds
