"""3,000 records of every shape and kind of nonsense, through ledger and delivery, past strangers.

Real processes: two workers, beat, embedded servers. Nine connections, each to an emulation of its
own: the three kinds of tenant, each with HighLevel as published, as printed and rich. From 1 % to
10 % of all calls are answered by somebody else, some of them after their effect was made. The
emulations judge; they ask only for what they told.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any, get_args

from bench.flows.shapes_verdict import Pair, Verdict, judged, reasons, stuck
from syncline.mapping.shipped import default_document
from syncline.queues import Lane
from syncline.sandbox.config import TOKEN, Limit, SandboxConfig, Token
from syncline.sandbox.process import SandboxProcess
from syncline.sandbox.wire.faults import Says
from tasks.nudging import PULL_TASKS
from workers.console.main import this_installation
from workers.demo.stage import NAME, PLAY_MONEY, Stage, connect, stage

RECORDS = 3_000
PROFILES = ("generous", "plain", "awkward")
SHAPES = ("published", "printed", "rich")
NONSENSE = 0.5
FEWEST_FOREIGN, MOST_FOREIGN = 0.01, 0.10
"""The share of calls that somebody else answers, of the first connection and of the last."""

LIMIT = Limit(calls=1000, seconds=10)
SETTINGS = {
    # Beat goes on sweeping, but no reading of its own comes in between.
    **dict.fromkeys(("PULL_HOT", "PULL_WARM", "PULL_COLD"), "86400"),
    "DEADLINE": "5",
    "LOG_LEVEL": "warning",
}
GIVE_UP_SECONDS = 900
LOOK_SECONDS = 0.5
TOLD_AFTER_LOOKS = 20
QUIET_LOOKS = 6
"""So often in a row nothing must be open before it counts as the end."""

NOTHING = SandboxConfig(orders=0, transactions=0, subscriptions=0, customers=1)
"""What the stage's own connection reads; the others have the records."""

NOBODYS: dict[str, dict[str, Any]] = {
    "customers": {"without_email": "default-client", "default_client": 1, "default_site": 1}
}
"""The option of the mapping by which nobody is asked whose a record is that names no customer."""

_DAMAGE = ("truncated", "double_encoded", "wrong_type", "drip", "redirect", "forbidden")
_PAGES = (403, 404, 503, 200)
_GATEWAYS = (200, 400, 401, 403, 404, 405, 407, 413, 429, 502, 504)
"""Their statuses; each wording of a gateway comes with every one of them."""

Progress = Callable[[str], None]


def run(
    progress: Progress, records: int = RECORDS, seed: int = 1, seconds: int = GIVE_UP_SECONDS
) -> dict[str, Any]:
    """Measure; takes about four minutes, and ends after so many seconds in any case."""
    configs = list(_configs(records, seed))
    opening = this_installation().open
    with (
        tempfile.TemporaryDirectory(prefix="syncline-bench-") as folder,
        stage(Path(folder) / "data", NOTHING, "detail", SETTINGS, opening) as on,
        ExitStack() as emulations,
    ):
        pairs = list(_connected(on, configs, emulations))
        began = time.monotonic()
        for pair in pairs:
            pair.sandbox.faults(*_strangers(pair.foreign))
            _publish(on, pair)
        stopped = _watched(on, len(pairs), began + seconds, progress)
        took = time.monotonic() - began
        whole, left = Verdict(), stuck(on)
        for pair in pairs:
            verdict = judged(on, pair)
            progress(f"{pair.name}: {verdict.told()}")
            whole.add(verdict)
        for line in reasons(on):
            progress(line)
    return {
        "records": whole.records,
        "decidable": whole.decidable,
        "in_line": whole.in_line,
        "in_line_share": round(whole.in_line / max(1, whole.decidable), 5),
        "asked": whole.asked,
        "wrong": whole.wrong,
        "lost_without_word": whole.lost,
        "stopped_connections": len(stopped),
        "stuck": left,
        "by_shape": dict(sorted(whole.by_shape.items())),
        "foreign": dict(sorted(whole.foreign.items())),
        "foreign_share": round(whole.foreign.total() / max(1, whole.calls), 4),
        "rejected_429": whole.rejected,
        "seconds": round(took, 1),
    }


def _configs(records: int, seed: int) -> Iterator[SandboxConfig]:
    """The nine emulations: every dial is turned at some of them."""
    pairs = list(product(PROFILES, SHAPES))
    for at, (profile, shape) in enumerate(pairs):
        share = records * (at + 1) // len(pairs) - records * at // len(pairs)
        orders, subscriptions = share * 2 // 5, share // 5
        # Of one location there is one connection to a tenant, and each has its own records.
        location = f"Shape{at:015}"
        yield SandboxConfig(
            seed=seed * 100 + at,
            orders=orders,
            subscriptions=subscriptions,
            transactions=share - orders - subscriptions,
            customers=max(1, orders // 3),
            profile=profile,
            fulfillments=False,
            highlevel_limit=LIMIT,
            halo_limit=LIMIT,
            location=location,
            tokens=(Token(value=TOKEN, location=location),),
            link_delay=0.5,
            highlevel_shape=shape,
            halo_shape=SHAPES[(at + at // len(SHAPES)) % len(SHAPES)],
            nonsense=NONSENSE,
            column_lengths=True,
            clients_without_site=at % 2 == 1,
            wrapped_lists=at % 3 == 1,
            reports_refused=at == 1,
            skipped_elements=0.1 if at % 2 == 0 else 0.0,
            line_spelling="quote" if at in (2, 4) else "order",
        )


def _connected(
    on: Stage, configs: Sequence[SandboxConfig], emulations: ExitStack
) -> Iterator[Pair]:
    """A connection to an emulation of its own for each config."""
    document = default_document("detail", {**PLAY_MONEY, **NOBODYS})
    for at, config in enumerate(configs):
        foreign = FEWEST_FOREIGN + (MOST_FOREIGN - FEWEST_FOREIGN) * at / (len(configs) - 1)
        sandbox = emulations.enter_context(SandboxProcess(**config.model_dump(mode="json")))
        link = connect(on.worker, sandbox, config, document, name=f"{NAME}{at}")
        name = f"{link.name} ({config.profile}, {config.highlevel_shape}, {foreign:.1%} foreign)"
        yield Pair(name, config, foreign, sandbox, link)


def _strangers(share: float) -> list[dict[str, Any]]:
    """Fault rules by which that share of the calls is answered by somebody else."""
    kinds: list[dict[str, Any]] = [{"kind": "html", "status": status} for status in _PAGES]
    kinds += [{"kind": kind, "late_seconds": 0.3} for kind in _DAMAGE]
    gateways = [
        {"kind": "gateway", "says": says, "status": status}
        for says, status in product(get_args(Says), _GATEWAYS)
    ]
    # A gateway's answers are many kinds, and together half of what strangers say.
    return [
        {**rule, "effect": effect, "probability": share / 4 / len(family)}
        for family in (kinds, gateways)
        for rule, effect in product(family, (False, True))
    ]


def _publish(on: Stage, pair: Pair) -> None:
    """Enqueue the readings of all kinds, as `syncline enqueue` does."""
    since = datetime.now(UTC).date() - timedelta(days=pair.config.days)
    for task in PULL_TASKS.values():
        arguments = [pair.link.name, since.isoformat()]
        on.celery.send_task(task, args=arguments, queue=Lane.PULLS.queue)


def _watched(on: Stage, connections: int, give_up: float, progress: Progress) -> set[str]:
    """Look until nothing is open; returns the connections that were stopped meanwhile."""
    stopped: set[str] = set()
    looks = quiet = 0
    while quiet < QUIET_LOOKS and time.monotonic() < give_up:
        time.sleep(LOOK_SECONDS)
        looks += 1
        stopped |= {
            one.name for one in on.rows("select name from connection where state = 'stopped'")
        }
        [(read,)] = on.rows("select count(*) from pull where state <> 'running'")
        is_over = read >= connections * len(PULL_TASKS) and not stuck(on)
        quiet = quiet + 1 if is_over else 0
        if looks % TOLD_AFTER_LOOKS == 0:
            states = on.rows("select state, count(*) from delivery group by 1 order by 1")
            told = ", ".join(f"{state} {many}" for state, many in states)
            progress(f"{read} readings finished; {told}")
    return stopped
