"""How fast commands start, and what an installation costs that has nothing to do.

`syncline up` in a folder of its own, with embedded servers; three connections to the emulated APIs,
whose pulls and polls are a day away. Commands are timed whole, each in a process of its own. The
emulation is not counted. A shorter trial: `python -m bench start --seconds 10`.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
from sqlalchemy import text

from bench.flows.records import DAY
from bench.processes import servers_in
from bench.upkeep.cold_pages import cold_page_microseconds
from syncline.calls.context import WorkerContext
from syncline.mapping.shipped import default_document
from syncline.sandbox.config import LOCATION, TOKEN, SandboxConfig, Token
from syncline.sandbox.process import SandboxProcess
from syncline.settings import PREFIX, Settings
from workers.console.opening import opened
from workers.demo.stage import PLAY_MONEY, connect
from workers.embedded.servers import Servers, ensure

CONNECTIONS = 3
ORDERS = 5
TIMES = 10
SECONDS = 60
GIVE_UP_SECONDS = 120.0
_MB = 1 << 20

# Beat goes on ticking, but nothing is read from either side meanwhile.
SETTINGS = {
    "PULL_HOT": DAY,
    "PULL_WARM": DAY,
    "PULL_COLD": DAY,
    "POLL_HALO": DAY,
    "FLOWER_PORT": "0",
    "RECEIVER_PORT": "0",
}

Progress = Callable[[str], None]
Processes = Mapping[str, list[psutil.Process]]


@dataclass(frozen=True, slots=True)
class _Used:
    """What all processes and the database have spent up to a moment."""

    at: float
    cpu: Mapping[str, float]
    transactions: int
    wal_bytes: int


def run(progress: Progress, seconds: int = SECONDS) -> dict[str, Any]:
    """Measure; takes about five minutes, the most of them at rest."""
    with tempfile.TemporaryDirectory(
        prefix="syncline-bench-", ignore_cleanup_errors=True
    ) as folder:
        data = Path(folder) / "data"
        environment = _environment(data)
        settings = Settings(data=data)
        with _up(environment) as up:
            progress(f"{TIMES} times --help and status")
            figures = _timed("help", environment, "--help")
            figures |= _timed("status", environment, "status")
            with _connected(settings, progress) as order:
                figures |= _timed("show", environment, "show", "order", order)
                progress(f"{2 * seconds} s until it rests, and {seconds} s at rest")
                time.sleep(seconds)
                processes = _processes(up, data)
                rss = _rss(processes)
                # PostgreSQL looks each minute for what it shall vacuum and analyse. After two such
                # rounds it is done with what the connections have read.
                time.sleep(seconds)
                figures |= _at_rest(processes, rss, ensure(settings), seconds)
                return figures | {"cold_page_microseconds": cold_page_microseconds()}


@contextmanager
def _up(environment: Mapping[str, str]) -> Iterator[psutil.Process]:
    with subprocess.Popen(
        [sys.executable, "-m", "workers.console.main", "up"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as up:
        if up.stdout is None or not any(line.startswith("Look at it") for line in up.stdout):
            raise RuntimeError("syncline up did not start.")
        try:
            yield psutil.Process(up.pid)
        finally:
            up.terminate()
            up.communicate()


def _environment(data: Path) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    given = {f"{PREFIX}{name}": value for name, value in SETTINGS.items()}
    return {**ours, **given, f"{PREFIX}DATA": str(data)}


def _timed(name: str, environment: Mapping[str, str], *words: str) -> dict[str, Any]:
    """Median CPU and wall seconds of a whole command."""
    cpu, wall = [], []
    for _ in range(TIMES):
        before, begun = _children_cpu(), time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "workers.console.main", *words],
            env=environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        wall.append(time.monotonic() - begun)
        cpu.append(_children_cpu() - before)
    return {
        f"{name}_cpu_seconds": round(statistics.median(cpu), 3),
        f"{name}_wall_seconds": round(statistics.median(wall), 3),
    }


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def _connected(settings: Settings, progress: Progress) -> Iterator[str]:
    """Three connections that have read all there is; gives the id of an order of them."""
    mapping = default_document("summary", PLAY_MONEY)
    with ExitStack() as stack:
        for number in range(1, CONNECTIONS + 1):
            config = _config(f"{LOCATION[:-1]}{number}")
            sandbox = stack.enter_context(SandboxProcess(**config.model_dump(mode="json")))
            with opened(settings) as worker:
                connect(worker, sandbox, config, mapping, name=f"shop-{number}")
        progress(f"{CONNECTIONS} connections read what there is")
        with opened(settings) as worker:
            order = _when_read(worker)
        yield order


def _config(location: str) -> SandboxConfig:
    """An emulation of a location of its own: one may be connected to one Halo only."""
    return SandboxConfig(
        location=location,
        tokens=(Token(value=TOKEN, location=location),),
        orders=ORDERS,
        transactions=0,
        subscriptions=0,
        customers=ORDERS,
    )


def _when_read(worker: WorkerContext) -> str:
    """Wait until every connection has read and delivered; returns the id of an order."""
    give_up = time.monotonic() + GIVE_UP_SECONDS
    while time.monotonic() < give_up:
        with worker.ledger.begin() as connection:
            found = connection.execute(
                text(
                    """
                    select (select min(foreign_id) from record where kind = 'order'),
                           (select count(distinct connection_id) from pull
                             where kind = 'order' and state <> 'running'),
                           (select count(*) from delivery
                             where state not in ('delivered', 'parked'))
                    """
                )
            ).one()
        order, read, expected = found
        if order is not None and read == CONNECTIONS and expected == 0:
            return str(order)
        time.sleep(0.5)
    raise RuntimeError(f"Not read after {GIVE_UP_SECONDS:.0f} s: {tuple(found)}.")


def _processes(up: psutil.Process, data: Path) -> Processes:
    """The processes of the installation by what they are."""
    found: dict[str, list[psutil.Process]] = {"up": [up]}
    for child in up.children():
        line = " ".join(child.cmdline())
        marks = {
            "worker deliver": "-n deliver@",
            "worker pull": "-n pull@",
            "beat": " beat ",
            "receiver": "-m workers.receiver",
            "flower": " flower",
        }
        name = next(name for name, mark in marks.items() if mark in line)
        found[name] = [child]
    return found | servers_in(data)


def _rss(processes: Processes) -> Mapping[str, int]:
    return {name: sum(one.memory_info().rss for one in some) for name, some in processes.items()}


def _at_rest(
    processes: Processes, rss: Mapping[str, int], servers: Servers, seconds: int
) -> dict[str, Any]:
    before = _used(processes, servers)
    time.sleep(seconds)
    after = _used(processes, servers)
    pss = {name: sum(map(_pss, some)) for name, some in processes.items()}
    took = after.at - before.at
    cpu = {name: 100 * (after.cpu[name] - before.cpu[name]) / took for name in processes}
    return {
        "beat_rss_mb": _mb(rss["beat"]),
        "receiver_rss_mb": _mb(rss["receiver"]),
        "flower_rss_mb": _mb(rss["flower"]),
        "worker_rss_mb": _mb(max(rss["worker deliver"], rss["worker pull"])),
        "idle_cpu_percent": round(sum(cpu.values()), 2),
        "total_pss_mb": _mb(sum(pss.values())),
        "idle_transactions_per_second": round((after.transactions - before.transactions) / took, 2),
        "idle_wal_mb_per_minute": round((after.wal_bytes - before.wal_bytes) / _MB * 60 / took, 3),
        "processes": {
            name: {
                "count": len(some),
                "rss_mb": _mb(rss[name]),
                "pss_mb": _mb(pss[name]),
                "cpu_percent": round(cpu[name], 2),
            }
            for name, some in processes.items()
        },
    }


def _used(processes: Processes, servers: Servers) -> _Used:
    place = servers.database_url.replace("+psycopg", "")
    with psycopg.connect(place) as connection:
        found = connection.execute(
            """
            select sum(xact_commit + xact_rollback)::bigint,
                   pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint
              from pg_stat_database
            """
        ).fetchone()
    if found is None:
        raise RuntimeError("PostgreSQL has no statistics.")
    cpu = {name: sum(map(_cpu, some)) for name, some in processes.items()}
    return _Used(time.monotonic(), cpu, *found)


def _cpu(process: psutil.Process) -> float:
    """Seconds that a process has used by itself: its children are counted by themselves."""
    try:
        used = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(used.user + used.system)


def _pss(process: psutil.Process) -> int:
    """Bytes of memory, of which shared ones are shared out among those that use them."""
    try:
        return int(process.memory_full_info().pss)
    except psutil.NoSuchProcess:
        return 0


def _mb(size: int) -> float:
    return round(size / _MB, 1)
