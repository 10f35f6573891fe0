"""Two sides in line, made fast: HighLevel's records read, and Halo's rows of them confirmed.

What is recorded, requested, rendered, judged and kept of an answer is done by the steps themselves,
and the emulation saves each row as it saves one that is posted. What is spared is the way in
between: rows come and go by thousands and not by pages, without calls, and what they came to is
copied into the ledger. Each processor has a process of its own.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from typing import Any, cast
from uuid import uuid4

import httpx
from psycopg.types.json import Jsonb
from sqlalchemy import Connection, text

from syncline import jsontext
from syncline.calls import capabilities
from syncline.calls.calls import Outcome
from syncline.calls.context import WorkerContext
from syncline.deliveries import leased
from syncline.deliveries.delivery import Confirmation
from syncline.engine.failures import RefusalPolicy
from syncline.halo.client import HaloClient, HaloResponse
from syncline.halo_changes.polling import poll
from syncline.ingest.record import record
from syncline.ingest.rereading import reread
from syncline.runtime.registry import send
from syncline.runtime.sweep import sweep
from syncline.sandbox.process import SandboxProcess
from syncline.sending.completing import Shown
from syncline.sending.outcomes import Array, judge, rows_of
from syncline.sending.render import gathered, render
from syncline.sending.targets import TARGETS
from syncline.settings import Settings
from syncline.transport import Permit
from workers.console.opening import opened

NAME = "bench"
PROCESSES = 2
AT_ONCE = 2_000
"""Rows of one batch."""

SHOWN = {"order": "single", "transaction": "list", "subscription": "list"}
FACETS = {"single": "event", "list": "list"}
"""An event tells the whole of an order, so that no detail is requested."""
SENT = ("highlevel.subscription", "client", "user", "recurring")
"""Of these there are few: they are read and sent as ever."""
SAVED = ("order", "invoice", "payment", "credit")

Progress = Callable[[str], None]


def fill(
    settings: Settings,
    worker: WorkerContext,
    sandbox: SandboxProcess,
    counts: dict[str, int],
    progress: Progress,
) -> None:
    """Bring a location's records into the ledger, and into Halo.

    Args:
        settings: of the installation, which the processes share.
        worker: of this process.
        sandbox: both sides.
        counts: how many records there are of each kind.
        progress: is told how far it came.

    Raises:
        RuntimeError: something could not be brought in line.
    """
    began = time.monotonic()

    def done(what: str) -> None:
        progress(f"{time.monotonic() - began:5.0f} s: {what}")

    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, spawned, _open, (settings, sandbox.url)) as pool:
        # Records of one kind are written by one process at a time, so the kinds go side by side.
        ranges = sorted(
            ((kind, first) for kind, many in counts.items() for first in range(0, many, AT_ONCE)),
            key=lambda one: one[1],
        )
        at = 0
        while at < len(ranges):
            # Tables that double want other plans.
            some = ranges[at : max(2 * PROCESSES, 2 * at)]
            list(pool.map(_read, some))
            at += len(some)
            _analyze(worker)
        done("read")
        worker.ledger.run(_nothing_else_to_read)
        _analyze(worker)
        for target in SENT[:-1]:
            _sent(worker, target)
        done("customers sent")
        for target in SAVED:
            sweep(worker)
            many = sum(pool.map(_save, [target] * PROCESSES))
            done(f"{many} {target}s saved")
            _analyze(worker)
        _sent(worker, SENT[-1])
    _drive(worker)


def ship(worker: WorkerContext, sandbox: SandboxProcess, orders: int) -> int:
    """Let goods of so many orders leave in Halo, and be told to HighLevel; returns how many were.

    Raises:
        RuntimeError: not all of them were.
    """
    line = worker.open_line(NAME)
    poll(line)  # what there is by now is not new
    sold = worker.ledger.run(
        lambda c: c.execute(
            text(
                """
                select cast(target_id as bigint) from delivery
                where target = 'order' and source_id in (
                    select foreign_id from record where kind = 'order'
                    order by created_at desc limit :many)
                """
            ),
            {"many": orders},
        ).scalars()
    )
    for at, order_id in enumerate(sold):
        sandbox.consign(order_id, note=f"Tracking: 1Z{at:06}\nCarrier: UPS")
    poll(line)
    _drive(worker)
    shipped = "select count(*) from delivery where target = 'fulfillment'"
    return int(worker.ledger.run(lambda c: c.execute(text(shipped)).scalar_one()))


def read_again(worker: WorkerContext) -> None:
    """Have read what HighLevel shows of the orders that were shipped, as a cadence does."""
    link = worker.open_line(NAME).link
    shipped = """
        select canonical ->> 'order_id' from record
        where kind = 'consignment' and canonical ? 'order_id'"""

    def work(connection: Connection) -> None:
        ids = connection.execute(text(shipped)).scalars()
        reread(connection, link, sorted(ids), ["fulfillments"], "cadence")

    worker.ledger.run(work)
    _drive(worker)


def _drive(worker: WorkerContext) -> None:
    """Do what is due, until nothing is."""
    while nudges := sweep(worker):
        for nudge in nudges:
            send(worker.open_line(NAME), nudge.target)
    if left := worker.ledger.run(_left):
        raise RuntimeError(f"Not in line: {left}")


_here: dict[str, Any] = {}
"""What a process of the pool has open."""


def _open(settings: Settings, url: str) -> None:
    stack = ExitStack()
    _here["parts"] = stack.enter_context(opened(settings))
    _here["admin"] = stack.enter_context(
        httpx.Client(base_url=f"{url}/admin", timeout=120, trust_env=False)
    )
    _here["stack"] = stack  # stays open until the process ends


def _posted(path: str, body: dict[str, Any]) -> Any:
    answer = _here["admin"].post(path, content=jsontext.dumps(body))
    if answer.is_error:
        raise RuntimeError(f"the sandbox refused {path}: {answer.text[:500]}")
    return jsontext.loads(answer.content)


class _Door:
    """Takes arrays as a client of Halo does, and gives them in by the emulation's own door."""

    def post(
        self, path: str, elements: Sequence[Mapping[str, Any]], _permit: Permit
    ) -> HaloResponse:
        saved = _posted("/halo/save", {"path": path, "elements": list(elements)})
        return HaloResponse(saved["rows"], 201, {})


_DOOR = cast("HaloClient", _Door())
_PERMIT = Permit("", "", 0.0, timedelta(0))
"""Nobody asks for it: no call is made."""


def _read(wanted: tuple[str, int]) -> None:
    """Record some documents of a kind."""
    kind, first = wanted
    worker: WorkerContext = _here["parts"]
    line = worker.open_line(NAME)
    asked = {"kind": f"{kind}s", "first": first, "count": AT_ONCE, "shown": SHOWN[kind]}
    payloads = {one["_id"]: one for one in _posted("/documents", asked)["documents"]}
    facet = FACETS[SHOWN[kind]]
    worker.ledger.run(
        lambda c: record(c, line.link, line.document, kind, facet, payloads, "pull 0")
    )


def _save(target_name: str) -> int:
    """Save what is due to a target, until nothing is."""
    worker: WorkerContext = _here["parts"]
    line, target, many = worker.open_line(NAME), TARGETS[target_name], 0
    while True:
        leases = worker.ledger.run(
            lambda c: leased.claim(c, line.link.id, target_name, worker.session(), AT_ONCE)
        )
        if not leases:
            return many
        known = capabilities.known(line)
        given = gathered(line, target, leases)
        rendered = render(line, target, known, given, leases[0].owner)
        writes = [one.departed(uuid4()) for one in rendered]
        if not writes:
            continue
        bodies = [one.body for one in writes]
        rows = target.saves(_DOOR, _PERMIT, bodies, known.line_spelling)
        array, outcome = Array(tuple(writes)), Outcome(uuid4(), rows, None)
        shown = Shown(rows_of(target, array, outcome))
        verdict = judge(line, target, known, array, outcome, shown, RefusalPolicy(line))
        if len(verdict.confirmed) < len(writes):
            raise RuntimeError(f"Halo holds other {target_name}s: {verdict.differing[:2]}")
        worker.ledger.run(lambda c: _confirm(c, verdict.confirmed))  # noqa: B023 - run at once
        many += len(writes)


def _confirm(connection: Connection, confirmed: Sequence[Confirmation]) -> None:
    connection.execute(
        text(
            """
            create temp table if not exists saved (
                id bigint, version bigint, target_id text, meta jsonb, projection jsonb
            ) on commit drop
            """
        )
    )
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy("copy saved from stdin") as copy:
        for one in confirmed:
            meta, projection = (
                Jsonb(each, dumps=jsontext.dumps) for each in (one.meta, one.projection)
            )
            copy.write_row((one.lease.id, one.lease.sent_version, one.target_id, meta, projection))
    connection.execute(
        text(
            """
            update delivery d
            set state = 'delivered', owner = null, target_id = saved.target_id,
                target_meta = saved.meta, projection = saved.projection,
                sent_version = saved.version, delivered_version = saved.version,
                sent_projection = saved.projection, sent_at = clock_timestamp(),
                confirmed_at = clock_timestamp(), due_at = clock_timestamp()
            from saved where d.id = saved.id
            """
        )
    )


def _nothing_else_to_read(connection: Connection) -> None:
    """An event asks for the transactions of its order: here they are read by then."""
    connection.execute(
        text("update delivery set state = 'delivered' where target = 'highlevel.transactions'")
    )


def _sent(worker: WorkerContext, target: str) -> None:
    """Send what is due to a target; what waits for the first row is not due yet."""
    sweep(worker)
    while worker.ledger.run(lambda c: c.execute(text(_OPEN), {"target": target}).scalar_one()):
        after = send(worker.open_line(NAME), target).after
        worker.sleep(0.1 if after is None else min(after.total_seconds(), 0.1))


_OPEN = """
    select exists (select 1 from delivery
                   where target = :target and state not in ('delivered', 'parked'))"""


def _analyze(worker: WorkerContext) -> None:
    with worker.ledger.engine.begin() as connection:
        connection.execute(text("analyze delivery, record, facet, change, wait"))


def _left(connection: Connection) -> list[Any]:
    found = connection.execute(
        text(
            """
            select target, state, min(reason) as reason, count(*) from delivery
            where state <> 'delivered' group by target, state
            """
        )
    )
    return [tuple(row) for row in found]
