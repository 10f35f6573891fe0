"""`syncline demo`: the main job on realistic data against both emulated APIs, with a worker killed.

The story: all orders with their lines, their payments, refunds and subscriptions come over at the
speed that HighLevel's limit allows, in all shapes in which they are shown, and past strangers who
answer one call in a hundred; in the middle of a write a worker dies; when both sides agree,
a few orders change and only these are written. The sandbox, which knows nothing of our ledger, has
the last word.
"""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any

import typer

from syncline.calls.quota_keys import halo_key, highlevel_key
from syncline.sandbox.config import SandboxConfig
from syncline.terminal.context import command_context
from syncline.terminal.messages import WRONG_DATA
from syncline.terminal.output import console, say
from workers.crews import CREWS
from workers.demo import strangers
from workers.demo.sight import Patience, Sight
from workers.demo.stage import Stage, stage
from workers.demo.view import View, report, sums
from workers.installation import LOGS

CHANGED = 10
"""Orders that change when both sides agree."""

KILL_AFTER = 1 / 3
"""The share of the orders that Halo has when the worker is killed."""

POLL_SECONDS = 0.1
_SLACK_SECONDS = 30.0
"""On top of what quotas and settle times explain."""

_TRIES = 5
"""Looks for a write under way between two looks at everything."""

_WRITES = ("POST /SalesOrder", "POST /Invoice", "POST /InvoicePayment")
"""Of which one is awaited: on a slow machine all orders may be there before anybody has looked."""

_SLOW = {"min_ms": 300, "max_ms": 600}
"""Milliseconds that Halo takes for a write while one is awaited to be killed in its middle."""

# A call of the sandbox is answered in milliseconds. The calls of a killed worker count against the
# quota until their deadline has passed.
SETTINGS = {"DEADLINE": "5"}
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Ending:
    """What the demo came to: the sandbox's word, which knows nothing of our ledger.

    Attributes:
        orders: in line in Halo; likewise transactions that are requested, subscriptions, refunds.
        orders_owed: how many Halo shall have; likewise the others.
        sums: currency → what both sides hold of orders, payments, refunds and subscriptions.
        missing: rows that Halo lacks, of every kind; likewise duplicates and wrong ones.
        rejected_429: calls that a limit refused.
        shapes: side → shape → documents that were answered in it.
        foreign_answers: what came in place of an API's own answer, with its status → how often.
        kills: workers killed in the middle of a write.
        seconds: from the first reading until both sides agreed.
        halo_calls: that came to Halo until both sides agreed; likewise to HighLevel.
        quota_bound_seconds: what HighLevel's limit alone asks for so many lists and details.
        rewritten_after_change: orders written in Halo after the change of `changed` orders.
        clean: the sandbox found nothing wrong.
    """

    orders: int
    orders_owed: int
    transactions: int
    transactions_owed: int
    refunds: int
    refunds_owed: int
    subscriptions: int
    subscriptions_owed: int
    sums: dict[str, dict[str, dict[str, str]]]
    missing: int
    duplicates: int
    wrong_amounts: int
    rejected_429: int
    shapes: dict[str, dict[str, int]]
    foreign_answers: dict[str, int]
    kills: int
    seconds: float
    halo_calls: int
    highlevel_calls: int
    quota_bound_seconds: float
    changed: int
    rewritten_after_change: int
    clean: bool


def demo(
    context: typer.Context,
    *,
    orders: Annotated[
        int, typer.Option(min=CHANGED, help="How many orders; details are read for all.")
    ] = 1000,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object as the last line.")
    ] = False,
) -> None:
    """Bring a shop's orders and money to an emulated Halo, kill a worker, let the sandbox judge.

    Ends with 0 only if the sandbox finds nothing wrong, and only the changed orders were written.

    Example: syncline demo
    """
    config = SandboxConfig(
        orders=orders,
        transactions=orders * 6 // 5,
        subscriptions=orders // 10,
        highlevel_shape="mixed",
        halo_shape="mixed",
    )
    here = command_context(context)
    with (
        _terminated_like_interrupted(),
        View(orders) as view,
    ):
        view.say("Starting PostgreSQL, Redis, both APIs, workers, beat and Flower.")
        folder = here.settings().data / "demo"
        with stage(folder, config, "detail", SETTINGS, here.open) as on:
            try:
                ending = _Story(on, config, view).play()
            finally:
                view.say("Stopping everything.")
    console().print(report(asdict(ending)))
    console().print(sums(ending.sums))
    say(f"The sandbox's verdict: {'clean' if ending.clean else 'NOT clean'}. Logs: {folder / LOGS}")
    rewritten = ending.rewritten_after_change
    if rewritten != CHANGED:
        say(f"But {rewritten} orders were written again after {CHANGED} had changed.")
    if as_json:
        say(json.dumps(asdict(ending)))
    if not (ending.clean and rewritten == CHANGED):
        raise typer.Exit(WRONG_DATA)


class _Story:
    def __init__(self, on: Stage, config: SandboxConfig, view: View) -> None:
        self._on = on
        self._config = config
        self._view = view
        self._patience = Patience(_longest_standstill(on, config), time.monotonic)

    def play(self) -> Ending:
        on, config = self._on, self._config
        at = f"http://127.0.0.1:{on.installation.flower_port}"
        self._view.say(
            f"Flower shows the tasks until the demo ends: {at} (user {on.settings.flower_user},"
            f" password in {on.settings.data / 'flower.password'})"
        )
        if bound := _bound(config):
            self._view.say(f"It takes {bound:.0f} s or more, by HighLevel's limit of calls.")
        began = time.monotonic()
        on.sandbox.faults(*strangers.by_chance(), *strangers.for_certain())
        for kind in ("order", "transaction", "subscription"):
            on.publish_pull(kind, on.link.start_from)
        self._watch(lambda sight: sight.in_line >= config.orders * KILL_AFTER)
        kills = self._kill_in_the_middle()
        agreed = self._watch(self._agrees)
        on.sandbox.faults()
        seconds = time.monotonic() - began
        calls = {side: len(on.sandbox.calls(side)) for side in ("halo", "highlevel")}
        rewritten = self._change() if agreed else 0
        return self._judged(kills, seconds, calls, rewritten)

    def _kill_in_the_middle(self) -> int:
        """Kill the worker that is at a write whose answer is not there yet."""
        on = self._on
        slow = {"side": "halo", "kind": "latency", "probability": 1.0, **_SLOW}
        on.sandbox.faults(
            *strangers.by_chance(), *({**slow, "operation": write} for write in _WRITES)
        )
        killed: list[str] = []

        def strike(sight: Sight) -> bool:
            for _ in range(_TRIES):
                killed.extend(self._strike())
                if killed:
                    return True
                time.sleep(POLL_SECONDS / _TRIES)
            return self._agrees(sight)

        self._watch(strike)
        on.sandbox.faults(*strangers.by_chance())
        for name in killed:
            self._view.say(
                f"Worker {name} was killed (SIGKILL) in the middle of a write. Another one starts."
            )
        return len(killed)

    def _strike(self) -> list[str]:
        """The name of the worker that was killed, if one had a write under way."""
        owners = {
            int(row.name.rpartition(":")[2])
            for row in self._on.rows(
                """
                select distinct s.name from delivery d join session s on s.id = d.owner
                where d.state = 'sending' and d.target in ('order', 'invoice', 'payment')
                """
            )
        }
        supervisor = self._on.installation.supervisor
        for crew in CREWS:
            if supervisor.pid(crew.name) in owners and supervisor.kill(crew.name):
                return [crew.name]
        return []

    def _change(self) -> int:
        """Change orders; returns how many rows were written in Halo until both sides agreed."""
        on = self._on
        self._view.say(f"Both sides agree. {CHANGED} orders change in HighLevel.")
        before = len(on.sandbox.calls())
        [(moment,)] = on.rows("select clock_timestamp()")
        changed = on.sandbox.change_orders(CHANGED, fields="amount")
        on.publish_pull("order", on.link.start_from)
        # What was seen before the changes were noticed agrees with what was there before them.
        if self._watch(lambda _: self._noticed(changed, moment)):
            self._watch(self._agrees)
        writes = [
            call
            for call in on.sandbox.calls("halo", before)
            if call["operation"] == "POST /SalesOrder"
        ]
        return sum(int(call["elements"]) for call in writes)

    def _noticed(self, changed: list[str], moment: datetime) -> bool:
        """Whether the ledger has a change of each of these orders since the moment."""
        [(number,)] = self._on.rows(
            """
            select count(distinct foreign_id) from change
            where at > :moment and kind = 'order' and foreign_id = any(:changed)
            """,
            moment=moment,
            changed=changed,
        )
        return bool(number == len(changed))

    def _watch(self, ends: Callable[[Sight], bool]) -> bool:
        """Show how far it is until `ends` says so; False if nothing moves any more."""
        while True:
            sight = self._look()
            self._view.show(sight)
            if ends(sight):
                return True
            if sight.stopped or (sight.needs_a_person and sight.all_read):
                self._view.say(
                    f"Nothing goes on by itself any more. It waits for {sight.waits_for()}."
                )
                return False
            if self._patience.is_over(sight.moved):
                seconds = self._patience.standstill(sight.moved)
                self._view.say(
                    f"Nothing has moved for {seconds:.0f} s, which no quota explains. It waited "
                    f"for {sight.waits_for()}."
                )
                return False
            time.sleep(POLL_SECONDS)

    def _agrees(self, sight: Sight) -> bool:
        """Whether everything was seen and nothing is outstanding."""
        return sight.all_read and sight.in_line == self._config.orders and not sight.outstanding

    def _look(self) -> Sight:
        records = dict(self._on.rows("select kind, count(*) from record group by kind"))
        states = self._on.rows(
            """
            select state, count(*) as number,
                count(*) filter (where target = 'highlevel.order') as details,
                count(*) filter (where flow = 'orders') as orders,
                coalesce(sum(delivered_version), 0) as confirmed
            from delivery group by state
            """
        )
        config, [link] = self._config, self._on.rows("select state, note from connection")
        read = [records.get(kind, 0) for kind in ("order", "transaction", "subscription")]
        done = [row for row in states if row.state == "delivered"]
        [highlevel], [halo] = (
            self._on.worker.quota.left(key(self._on.link))["windows"]
            for key in (highlevel_key, halo_key)
        )
        return Sight(
            orders=read[0],
            transactions=read[1],
            subscriptions=read[2],
            details=sum(row.details for row in done),
            in_line=sum(row.orders for row in done),
            confirmed=int(sum(row.confirmed for row in states)),
            outstanding={row.state: row.number for row in states if row.state != "delivered"},
            highlevel=highlevel,
            halo=halo,
            stopped=link.note if link.state == "stopped" else None,
            all_read=read == [config.orders, config.transactions, config.subscriptions],
        )

    def _judged(
        self, kills: int, seconds: float, calls: Mapping[str, int], rewritten: int
    ) -> Ending:
        verdict = self._on.sandbox.audit()
        found: dict[str, int] = verdict["counts"]

        def count(start: str) -> int:
            return sum(many for kind, many in found.items() if kind.startswith(start))

        return Ending(
            orders=verdict["orders_in_line"],
            orders_owed=verdict["orders_owed"],
            transactions=verdict["transactions_in_line"],
            transactions_owed=verdict["transactions_owed"],
            refunds=verdict["refunds_in_line"],
            refunds_owed=verdict["refunds_owed"],
            subscriptions=verdict["subscriptions_in_line"],
            subscriptions_owed=verdict["subscriptions_owed"],
            sums=verdict["sums"],
            missing=count("missing"),
            duplicates=count("duplicate"),
            wrong_amounts=count("wrong"),
            rejected_429=sum(verdict["rejected_429"].values()),
            shapes=self._on.sandbox.counters()["shapes"],
            foreign_answers=strangers.came(self._on.sandbox.calls()),
            kills=kills,
            seconds=round(seconds, 1),
            halo_calls=calls["halo"],
            highlevel_calls=calls["highlevel"],
            quota_bound_seconds=_bound(self._config),
            changed=CHANGED,
            rewritten_after_change=rewritten,
            clean=verdict["clean"],
        )


def _bound(config: SandboxConfig) -> float:
    """The seconds until the last window may begin in which the last call fits."""
    lists = (config.orders, config.transactions, config.subscriptions)
    details = config.orders + config.subscriptions
    calls = details + sum(math.ceil(rows / _PAGE) for rows in lists)
    limit = config.highlevel_limit
    return (math.ceil(calls / limit.calls) - 1) * limit.seconds


def _longest_standstill(on: Stage, config: SandboxConfig) -> float:
    """Seconds after which something must have moved: a whole window, and what a dead worker holds.

    Its calls count until their deadline has passed, and what it sent is in doubt for the settle
    time.
    """
    settings = on.settings
    settle = on.link.settle(settings.settle) + settings.dead_after + settings.deadline
    windows = (config.highlevel_limit.seconds, config.halo_limit.seconds)
    return max(windows) + settle.total_seconds() + _SLACK_SECONDS


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM stops everything in order, as Ctrl-C does."""
    before: Any = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
