"""No secret in logs, nudges, error texts, Redis or, in plain, in the ledger.

The secrets are those that the sandbox has issued, however they may be written where they leak.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from syncline.credentials.stored import keep
from syncline.sandbox.process import SandboxProcess
from syncline.settings import Settings
from syncline.webhooks.installing import install as install_webhook
from tests import oauth_app
from tests.catalog import TABLES
from tests.leaks import leaked
from tests.promises.listening import Heard, listening, lying_in
from tests.receiving import until
from tests.world import World, Worlds, small
from workers import processes
from workers.crews import EVERYTHING
from workers.embedded.ports import free_port
from workers.supervisor import Supervisor

KEY = "kept-by-the-operator-and-by-nobody-else-1"
ANOTHER_SECRET = "a-client-secret-that-halo-does-not-know"
ENVIRONMENT = {
    "KEY": KEY,
    "HEARTBEAT": "0.2",
    "DEAD_AFTER": "2",
    "SETTLE": "2",
    "DEADLINE": "5",
    "SWEEP": "0.3",
    "TICK": "0.5",
    "PULL_COLD": "2",
    "POLL_HALO": "1",
    "WORKER_THREADS": "4",
    "LOG_LEVEL": "debug",
}


def test_nothing_that_is_kept_or_said_holds_a_secret(
    worlds: Worlds,
    sandbox: SandboxProcess,
    redis_url: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    small(sandbox)
    sandbox.faults(kind="500", probability=0.2)
    caplog.set_level("DEBUG")
    world = worlds()
    world.request_pull()
    world.drive()
    sandbox.faults()
    issued = sandbox.secrets()
    sandbox.reset(halo_client_secret=ANOTHER_SECRET, tokens=[])
    world.reopened()
    world.do("delete from credential where purpose = 'access_token'")
    world.do("update delivery set state = 'due' where target = 'order'")
    world.request_pull()
    for _ in range(3):
        world.follow_all()
    said = [str(error) + repr(error) for error in world.failures]
    assert said
    out, err = capfd.readouterr()
    told = [*said, repr(world.nudges), caplog.text, out, err]
    everything = [*told, *_ledger(world), *lying_in(redis_url).values()]
    assert leaked(issued | sandbox.secrets(), everything) == []


@pytest.fixture
def connected(worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> World:
    """A connection through HighLevel's app, over an installation that the environment names."""
    small(sandbox, orders=16, transactions=8, money=True)
    environment = {
        **ENVIRONMENT,
        "HIGHLEVEL_CLIENT_ID": oauth_app.APP["highlevel_client_id"],
        "HIGHLEVEL_CLIENT_SECRET": oauth_app.APP["highlevel_client_secret"].get_secret_value(),
    }
    for name, value in environment.items():
        monkeypatch.setenv(f"SYNCLINE_{name}", value)
    world = worlds(key=SecretStr(KEY), settle=2, **oauth_app.APP)
    oauth_app.install(world)
    return world


@pytest.fixture
def running(
    connected: World,
    sandbox: SandboxProcess,
    database: str,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Supervisor]:
    """A worker, beat and a receiver that Halo's webhooks come to."""
    monkeypatch.setenv("SYNCLINE_DATABASE_URL", database)
    monkeypatch.setenv("SYNCLINE_REDIS_URL", redis_url)
    settings = Settings(data=tmp_path)
    port = free_port()
    install_webhook(
        connected.reopened(),
        f"http://127.0.0.1:{port}",
        rotate=False,
        dry_run=False,
        cause="a test",
    )
    crew = replace(EVERYTHING, name="worker")
    with Supervisor(tmp_path / "logs", grace=timedelta(seconds=8)) as supervisor:
        supervisor.start(
            [
                processes.worker(crew, settings),
                processes.beat(settings),
                *processes.receivers(settings, port),
            ]
        )
        yield supervisor


def test_no_message_event_log_or_process_of_real_workers_holds_a_secret(
    running: Supervisor,
    connected: World,
    sandbox: SandboxProcess,
    database: str,
    redis_url: str,
    tmp_path: Path,
) -> None:
    pids = [running.pid(name) for name in ("worker", "beat", "receiver")]
    with listening(redis_url) as heard:
        until(lambda: delivered(connected) >= 4)
        until(lambda: bool(connected.rows("select 1 from event where source = 'halo'")))
        shown = [Path(f"/proc/{pid}/{what}").read_bytes() for pid in pids for what in _SHOWN]
        sandbox.expire_highlevel_tokens()
        until(lambda: bool(sandbox.counters()["refreshes"]))
        stale = halo_tokens(connected)
        sandbox.post("/halo/expire_tokens", {})
        until(lambda: bool(halo_tokens(connected) - stale))
        issued = sandbox.secrets()
        refuse_everything(connected, sandbox)
        until(lambda: bool(connected.rows("select 1 from connection where state = 'stopped'")))
        running.kill("worker", signal.SIGSTOP)
        until(lambda: "syncline:syncline.upkeep" in lying_in(redis_url))
        lying = lying_in(redis_url)
        running.kill("worker", signal.SIGCONT)
    assert_all_was_heard(heard)
    issued |= sandbox.secrets() | {ANOTHER_SECRET}
    assert len(issued) >= 12
    logs = [path.read_text() for path in (tmp_path / "logs").iterdir()]
    messages = [*heard.commands, *map(repr, heard.events), *lying.values()]
    passwords = {urlsplit(url).password or "" for url in (database, redis_url)}
    operators = {KEY, *passwords}
    assert leaked(issued | operators, [*messages, *logs, *_ledger(connected)]) == []
    # The settings are given by the environment, as the operator's own secrets are. No other is.
    environments = [one.decode() for one in shown[1::2]]
    given = oauth_app.APP["highlevel_client_secret"].get_secret_value()
    assert all(KEY in one for one in environments)
    assert leaked(issued - {given}, environments) == []
    assert leaked(issued | operators, [one.decode() for one in shown[::2]]) == []


_SHOWN = ("cmdline", "environ")


def refuse_everything(world: World, sandbox: SandboxProcess) -> None:
    """Let both sides turn us away, with words about what they did not take."""
    sandbox.faults(side="highlevel", kind="500", probability=0.3)
    sandbox.revoke_highlevel_tokens()
    sandbox.expire_highlevel_tokens()
    place = oauth_app.link_of(world).tenant_place
    with world.worker.ledger.begin() as connection:
        keep(connection, world.worker.sealer, place, "client_secret", SecretStr(ANOTHER_SECRET))
    sandbox.post("/halo/expire_tokens", {})


def assert_all_was_heard(heard: Heard) -> None:
    """Tasks with arguments, and everything that a broker and Flower see of them."""
    assert heard.kinds() >= {"task-sent", "task-received", "task-started", "task-succeeded"}
    tasks = {event.get("name") for event in heard.events}
    assert tasks >= {"syncline.deliveries.send", "syncline.pulls.halo", "syncline.events.handle"}
    assert "syncline.upkeep.sweep" not in tasks  # ticks would push all others out of Flower
    assert any("acme" in str(event.get("args")) for event in heard.events)
    assert any(one.startswith("LPUSH syncline:syncline.deliveries") for one in heard.commands)
    assert any(one.startswith("HSET syncline:unacked") for one in heard.commands)


def halo_tokens(world: World) -> set[bytes]:
    """As they lie in the ledger, sealed; none while a new one is fetched."""
    rows = world.rows("select sealed from credential where purpose = 'access_token'")
    return {bytes(row.sealed) for row in rows}


def delivered(world: World) -> int:
    return world.counts().get(("orders", "delivered"), 0)


def _ledger(world: World) -> list[str]:
    """Every row of every table as text; bytes are shown in hexadecimal."""
    return [
        str(row[0])
        for (name,) in world.rows(TABLES)
        for row in world.rows(f"select t::text from {name} t")  # noqa: S608 - our own tables
    ]
