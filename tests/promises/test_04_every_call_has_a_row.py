"""Whatever calls an API, command or task, leaves a row for each call; none of it causes a 429."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from celery import current_app
from pydantic import SecretStr

import tasks.alerts
import tasks.context
import tasks.deliveries
import tasks.events
import tasks.pulls
import tasks.reconciliation
import tasks.upkeep
from syncline.errors import Again
from syncline.highlevel.oauth import authorize_url
from syncline.runtime.registry import HANDLERS
from syncline.sandbox.config import APP_SCOPES, SandboxConfig
from syncline.sandbox.process import SandboxProcess
from syncline.settings import Settings
from tests.alerting import refuse
from tests.oauth_app import APP, REDIRECT, install
from tests.syncline.cli.conftest import Run, runner
from tests.world import NAME, World, Worlds, small

COMMANDS = (Path(__file__).parents[1] / "drift/contract/commands.txt").read_text(encoding="utf-8")

CALLING = (
    ("connection check", NAME),
    ("connection check", NAME, "--probe"),
    ("alerts test", NAME),
    ("provider list", NAME),
    (
        *("provider register", NAME, "--name", "easy-direct", "--title", "Easy Direct"),
        *("--provider", "nmi", "--description", "Cards", "--yes"),
        *("--image-url", "https://example.com/logo.png"),
    ),
    ("halo webhooks install", NAME, "--url", "https://example.com"),
    ("halo webhooks show", NAME),
    ("halo webhooks remove", NAME),
    ("halo dashboard install", NAME),
    ("halo dashboard show", NAME),
    ("halo dashboard remove", NAME),
    ("parked accept", "PARKED", "--yes"),
    ("reconcile run", NAME, "--period", "last"),
    ("reconcile run", NAME, "--period", "last", "--sampled", "3"),
    ("discrepancies accept", "--all", "--dry-run", "-c", NAME),
    ("discrepancies apply", "--all", "--yes", "-c", NAME),
    ("golive check", NAME),
    ("golive switch", NAME, "--dry-run"),
    ("golive switch", NAME),
    ("connection stop", NAME),
    ("adopt", NAME),
    ("connection start", NAME),
)
"""Commands that ask an API, in an order in which each has something to ask.

PARKED stands for an order that is parked though Halo has it.
"""

BESIDE = {"connection stop", "connection start"}
"""Such of these that ask nothing: others need them before."""

LETS_IN = {"connect highlevel"}
"""Such that ask an API and need an installation of its own: it has a test of its own."""

CALL_NOTHING = {
    *("alerts acknowledge", "alerts list", "alerts rules", "alerts show"),
    *("audit anchor", "audit erase", "audit export", "audit list", "audit show", "audit verify"),
    *("connection add", "connection list", "connection rehearse", "connection set-mapping"),
    *BESIDE,
    *("credentials list", "credentials rotate-key", "credentials set"),
    *("demo", "down", "up", "run", "health", "migrate", "status", "dry-run"),
    *("discrepancies list", "discrepancies mark", "discrepancies reopen", "discrepancies show"),
    *("events ignore", "events list", "events retry", "events show"),
    *("golive back", "golive dump", "golive show", "golive test", "halo restored"),
    *("mapping check", "mapping show"),
    *("parked list", "parked retry", "parked show", "reconcile list", "reconcile show"),
    *("sandbox", "sandbox events", "sandbox send"),
    *("show order", "show subscription", "show transaction"),
    *(line[9:] for line in COMMANDS.splitlines() if line.startswith("syncline enqueue ")),
}
"""Such that call no API, or leave it to processes of their own."""


def commands() -> set[str]:
    """Every command that does something by itself."""
    lines = [line for line in COMMANDS.splitlines() if line and not line.startswith(" ")]
    names = [line.removeprefix("syncline").strip() for line in lines]
    return {
        one
        for one in names
        if one and not any(other.startswith(f"{one} ") for other in names if one != "sandbox")
    }


def test_it_is_known_of_every_command_whether_it_calls_an_api() -> None:
    calling = {one[0] for one in CALLING} - BESIDE | LETS_IN
    assert calling & CALL_NOTHING == set()
    assert commands() == calling | CALL_NOTHING


def counted(world: World) -> dict[str, int]:
    """Calls that left, by the side, as the ledger has them."""
    rows = world.rows(
        """
        select split_part(quota_key, ':', 1) as side, count(*) as many from call
        where sent group by 1
        """
    )
    return {row.side: row.many for row in rows}


def arrived(sandbox: SandboxProcess) -> dict[str, int]:
    """The same as the APIs saw them; pages that a browser opens are none of ours."""
    ours = [one for one in sandbox.calls() if "chooselocation" not in one["operation"]]
    return dict(Counter(one["side"] for one in ours))


def parked_in_halo(world: World) -> str:
    """An order that Halo has, parked now; returns its id."""
    world.do(
        """
        update delivery set state = 'parked', reason = 'it differs'
        where id = (select max(id) from delivery where target = 'order' and state = 'delivered')
        """
    )
    [[order_id]] = world.rows("select source_id from delivery where state = 'parked'")
    return str(order_id)


def tight(sandbox: SandboxProcess, worlds: Worlds, **options: Any) -> World:
    """An installation whose limits are a small part of what is asked."""
    limits = {"highlevel": (20, 1), "halo": (32, 1)}
    small(
        sandbox,
        orders=6,
        transactions=4,
        subscriptions=1,
        highlevel_limit={"calls": 20, "seconds": 1},
        halo_limit={"calls": 32, "seconds": 1},
    )
    return worlds(**limits, **options)


@pytest.fixture
def command(tmp_path: Path, database: str, redis_url: str) -> Callable[..., Run]:
    """Runs commands beside the world's worker, with its key."""

    def of(**more: Any) -> Run:
        return runner(
            Settings(
                data=tmp_path,
                database_url=SecretStr(database),
                redis_url=SecretStr(redis_url),
                key=SecretStr("k" * 40),
                **more,
            )
        )

    return of


def test_every_command_that_calls_leaves_a_row_for_each_call(
    worlds: Worlds,
    sandbox: SandboxProcess,
    command: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("syncline.connections.run.NOTICED_AFTER_S", 0.0)
    world = tight(sandbox, worlds)
    world.pull()
    world.drive()
    for kind in ("order_deleted", "order_price", "order_doubled"):
        sandbox.tamper(kind, 1)
    parked = parked_in_halo(world)
    run = command(public_url="https://example.com")
    for name, *arguments in CALLING:
        before = sum(arrived(sandbox).values())
        done = run(*name.split(), *(parked if one == "PARKED" else one for one in arguments))
        assert done.exit_code in {0, 1, 2}, done.output
        if name not in BESIDE:
            assert sum(arrived(sandbox).values()) > before, (name, done.output)
        assert counted(world) == arrived(sandbox), (name, done.output)
    assert sandbox.audit()["rejected_429"] == {"highlevel": 0, "halo": 0}


def test_an_app_that_is_let_in_leaves_a_row_for_each_call(
    worlds: Worlds, sandbox: SandboxProcess, command: Callable[..., Run]
) -> None:
    world = tight(sandbox, worlds, **APP)
    page = authorize_url(
        f"{sandbox.highlevel_url}/v2/oauth/chooselocation",
        client_id=SandboxConfig().oauth_client_id,
        redirect=REDIRECT,
        scopes=APP_SCOPES,
        state="s",
    )
    code = parse_qs(urlsplit(httpx.get(page).headers["location"]).query)["code"][0]
    run = command(**APP, highlevel_redirect=REDIRECT)
    done = run("connect", "highlevel", NAME, "--code", code)
    assert done.exit_code == 0, done.output
    assert run("connection", "check", NAME).exit_code == 0
    assert counted(world) == arrived(sandbox)
    assert sandbox.audit()["rejected_429"] == {"highlevel": 0, "halo": 0}


def test_every_task_leaves_a_row_for_each_call(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = tight(sandbox, worlds, **APP)
    install(world)
    monkeypatch.setattr(tasks.context, "_worker", world.worker)
    refuse(sandbox, sandbox.get("/state/orders")["ids"][:1])
    ran = set[str]()

    def do(task: Any, *arguments: str) -> None:
        ran.add(task.name)
        with suppress(Again):  # such as a token that has run out: it ends the task, and no more
            task(*arguments)

    for tick in range(3):
        if tick == 1:
            sandbox.expire_highlevel_tokens()
            sandbox.post("/halo/expire_tokens", {})
        for pull in (tasks.pulls.orders, tasks.pulls.transactions, tasks.pulls.subscriptions):
            do(pull, NAME, str(world.worker.now().date()))
        do(tasks.pulls.halo, NAME)
        do(tasks.upkeep.credentials)
        for target in HANDLERS:
            world.hurry()
            do(tasks.deliveries.send, NAME, target)
            do(tasks.deliveries.look_up, NAME, target)
        for upkeep in vars(tasks.upkeep).values():
            name = getattr(upkeep, "name", "")
            if name.startswith("syncline.upkeep.") and "credentials" not in name:
                do(upkeep, *([NAME] if name.endswith("owe_again") else []))
        do(tasks.alerts.evaluate)
        do(tasks.alerts.tell, NAME)
        do(tasks.events.handle)
        do(tasks.reconciliation.run, NAME, "last")
    world.drive()
    assert ran == {name for name in current_app.tasks if name.startswith("syncline.")}
    assert counted(world) == arrived(sandbox)
    assert sandbox.audit()["rejected_429"] == {"highlevel": 0, "halo": 0}
