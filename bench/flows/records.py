"""20,000 new transactions of 15,000 orders, from the reading to the last payment in Halo.

Real processes: two workers, beat, embedded servers, both APIs emulated without limits, all of it on
this machine's processors. The orders are there before, and so is what Halo takes at once. Each
transaction is a row of a list, a record, a payment and, for its order, an invoice. Then the same
transactions are read again, unchanged. Beside it, `dlt` loads the same list into PostgreSQL.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from bench.flows.loading import load_with_dlt
from bench.processes import servers_in
from syncline.sandbox.config import Limit, SandboxConfig
from workers.console.main import this_installation
from workers.crews import CREWS
from workers.demo.stage import Stage, stage

TRANSACTIONS = 20_000
FEW = 2_000
ORDERS = 15_000
WARM_UP = 600
CUSTOMERS = 500
NO_LIMIT = Limit(calls=1_000_000, seconds=1)

DAY = "86400"
# Beat goes on sweeping, but no reading of its own comes in between.
SETTINGS = {
    "PULL_HOT": DAY,
    "PULL_WARM": DAY,
    "PULL_COLD": DAY,
    "POLL_HALO": DAY,
    "LOG_LEVEL": "warning",
}
GIVE_UP_SECONDS = 600.0
WATCH_SECONDS = 0.25
_MB = 1 << 20

Progress = Callable[[str], None]
Cpu = Mapping[str, float]


def run(progress: Progress) -> dict[str, Any]:
    """Measure; takes about three minutes, a good part of them warm-up."""
    config = SandboxConfig(
        orders=ORDERS,
        transactions=WARM_UP,
        subscriptions=0,
        customers=CUSTOMERS,
        details=False,
        profile="generous",
        highlevel_limit=NO_LIMIT,
        highlevel_daily=10_000_000,
        halo_limit=NO_LIMIT,
    )
    with (
        tempfile.TemporaryDirectory(prefix="syncline-bench-") as folder,
        stage(Path(folder) / "data", config, "summary", SETTINGS, this_installation().open) as on,
    ):
        progress(f"warm-up: {ORDERS} orders, {WARM_UP} transactions")
        since = (datetime.now(UTC) - timedelta(days=config.days)).date()
        for kind in ("order", "transaction"):
            on.publish_pull(kind, since)
        _until(on, lambda: _all_in_line(on))
        few = _measured(on, FEW, progress)
        many = _measured(on, TRANSACTIONS, progress)
        again = _unchanged(on, progress)
        progress("dlt: the same list into PostgreSQL")
        dlt = load_with_dlt(on.sandbox.highlevel_url, on.worker.ledger.engine.url)
    return {
        "records_per_second": round(TRANSACTIONS / many["seconds"], 1),
        "unchanged_records_per_second": round(again["records"] / again["seconds"], 1),
        "unchanged_writes": again["writes"],
        "worker_peak_rss_mb": max(
            peak for name, peak in many["peak_rss_mb"].items() if name.startswith("worker")
        ),
        "peak_rss_mb": many["peak_rss_mb"],
        "peak_rss_mb_at_2000": few["peak_rss_mb"],
        "cpu_us_by_process": many["cpu_us_by_process"],
        "cpu_us_by_stage": many["cpu_us_by_stage"],
        "dlt_records_per_second": round(dlt.rows / dlt.seconds, 1),
        "in_line": many["in_line"],
        "seconds": round(many["seconds"], 2),
    }


def _measured(on: Stage, count: int, progress: Progress) -> dict[str, Any]:
    """New transactions, created now, until Halo has confirmed everything that they ask for."""
    progress(f"{count} new transactions")
    on.sandbox.add_transactions(count)
    with _watched(on) as watch:
        [(began,)] = on.rows("select clock_timestamp()")
        seen = _seen(on)
        on.publish_pull("transaction", datetime.now(UTC).date())
        _until(on, lambda: _seen(on) >= seen + count and _undelivered(on) == 0)
        # What is left of the reading: a certificate. The last confirmation is the end.
        [(ended,)] = on.rows("select max(confirmed_at) from delivery where flow = 'payments'")
        [(recorded,)] = on.rows("select max(noticed_at) from record where kind = 'transaction'")
    verdict = on.sandbox.audit()
    if not verdict["clean"]:
        raise RuntimeError(f"The sandbox's audit is not clean: {verdict['counts']}.")
    cpu = watch.cpu()
    read = (recorded - began).total_seconds()
    progress(f"{(ended - began).total_seconds():.1f} s, of which read in {read:.1f} s")
    return {
        "seconds": (ended - began).total_seconds(),
        "peak_rss_mb": watch.peaks(),
        "cpu_us_by_process": {name: round(used / count * 1e6) for name, used in cpu.items()},
        "cpu_us_by_stage": _by_stage(cpu, count),
        "in_line": verdict["transactions_in_line"],
    }


_STAGES = {
    "reading": ("worker pull",),
    "delivery": ("worker deliver",),
    "ledger": ("postgres",),
    "quota and broker": ("redis",),
    "both APIs": ("sandbox",),
}


def _by_stage(cpu: Cpu, count: int) -> dict[str, int]:
    """Microseconds of processor a record: reading and recording, delivery, and what serves them."""
    return {
        stage_: round(sum(cpu.get(name, 0.0) for name in names) / count * 1e6)
        for stage_, names in _STAGES.items()
    }


def _unchanged(on: Stage, progress: Progress) -> dict[str, Any]:
    """The same list once more, with the writes that it made: there must be none."""
    progress("the same once more, unchanged")
    versions, calls = _versions(on), len(on.sandbox.calls("halo"))
    pulls = _finished(on)
    on.publish_pull("transaction", datetime.now(UTC).date())
    _until(on, lambda: _finished(on) > pulls)
    [(seconds, seen)] = on.rows(
        """
        select extract(epoch from finished_at - started_at), seen from pull
        where kind = 'transaction' and state <> 'running' order by id desc limit 1
        """
    )
    written = len(_versions(on) - versions) + len(on.sandbox.calls("halo")) - calls
    return {"seconds": float(seconds), "records": seen, "writes": written}


def _versions(on: Stage) -> set[tuple[str, str, str]]:
    """Where every row of what a reading could write stands, and which transaction wrote it."""
    found: set[tuple[str, str, str]] = set()
    for table in ("record", "facet", "change", "delivery", "wait", "audit_entry"):
        found.update(
            (table, row[0], row[1])
            for row in on.rows(f"select tableoid || ctid::text, xmin::text from {table}")  # noqa: S608 - our own tables
        )
    return found


def _finished(on: Stage) -> int:
    [(many,)] = on.rows(
        "select count(*) from pull where kind = 'transaction' and state <> 'running'"
    )
    return int(many)


def _seen(on: Stage) -> int:
    [(many,)] = on.rows("select count(*) from record where kind = 'transaction'")
    return int(many)


def _undelivered(on: Stage) -> int:
    [(many,)] = on.rows(
        """
        select count(*) from (
            select 1 from delivery where state <> 'delivered' limit 1) open
        """
    )
    return int(many)


def _all_in_line(on: Stage) -> bool:
    [(orders,)] = on.rows("select count(*) from record where kind = 'order'")
    return orders == ORDERS and _seen(on) == WARM_UP and _undelivered(on) == 0


def _until(on: Stage, done: Callable[[], bool]) -> None:
    give_up = time.monotonic() + GIVE_UP_SECONDS
    while not done():
        if time.monotonic() > give_up:
            states = on.rows("select target, state, count(*) from delivery group by 1, 2")
            raise RuntimeError(f"Not done after {GIVE_UP_SECONDS:.0f} s: {states}.")
        time.sleep(WATCH_SECONDS)


class _Watch:
    """Processor time and memory of every process of the stage, looked at again and again."""

    def __init__(self, names: Mapping[str, list[psutil.Process]]) -> None:
        self._names = names
        self._begun = self._times()
        self._peaks: dict[str, float] = defaultdict(float)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Look a last time."""
        self._stop.set()
        self._thread.join()
        self._ended = self._times()

    def cpu(self) -> dict[str, float]:
        """Seconds of processor that each spent."""
        return {name: self._ended[name] - self._begun[name] for name in self._names}

    def peaks(self) -> dict[str, float]:
        """The largest memory of each in megabytes; of several processes, the largest one's."""
        return {name: round(peak / _MB, 1) for name, peak in self._peaks.items()}

    def _look(self) -> None:
        while not self._stop.wait(WATCH_SECONDS):
            for name, processes in self._names.items():
                for process in processes:
                    try:
                        rss = process.memory_info().rss
                    except psutil.NoSuchProcess:
                        continue
                    self._peaks[name] = max(self._peaks[name], float(rss))

    def _times(self) -> dict[str, float]:
        return {name: sum(map(_cpu, processes)) for name, processes in self._names.items()}


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    # A server's processes that have ended meanwhile are counted by their parent.
    return float(times.user + times.system + times.children_user + times.children_system)


@contextmanager
def _watched(on: Stage) -> Iterator[_Watch]:
    watch = _Watch(_processes(on))
    try:
        yield watch
    finally:
        watch.end()


def _processes(on: Stage) -> dict[str, list[psutil.Process]]:
    """The processes of the stage by what they are."""
    supervisor = on.installation.supervisor
    found: dict[str, list[psutil.Process]] = {"bench": [psutil.Process()]}
    for crew in CREWS:
        pid = supervisor.pid(crew.name)
        if pid is not None:
            found[f"worker {crew.name}"] = [psutil.Process(pid)]
    found["sandbox"] = [psutil.Process(on.sandbox.pid)]
    return found | servers_in(on.settings.data)
