"""Looking at alerts, knowing them, and trying whether they arrive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from pydantic import SecretStr

from syncline.alerts import queries as ledger
from syncline.alerts.channels import notify
from syncline.alerts.run import evaluate
from syncline.ledger import connections
from syncline.sandbox.process import SandboxProcess
from tests.alerting import alerts
from tests.syncline.cli.conftest import Run, document, runner
from tests.world import NAME, World, Worlds, opening, small


@pytest.fixture
def worlds(database: str, redis_url: str, sandbox: SandboxProcess) -> Iterator[Worlds]:
    with opening(database, redis_url, sandbox) as make:
        yield make


class _Channel(HTTPServer):
    """A chat that takes messages; it refuses the next ones while told so."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.came: list[dict[str, Any]] = []
        self.refuses = 0


class _Handler(BaseHTTPRequestHandler):
    server: _Channel

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        refused = self.server.refuses > 0
        self.server.refuses -= refused
        if not refused:
            self.server.came.append(body)
        self.send_response(500 if refused else 200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def channel() -> Iterator[_Channel]:
    with _Channel() as server:
        thread = Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _proved(world: World) -> Any:
    with world.worker.ledger.begin() as connection:
        return ledger.delivered(connection, connections.by_name(connection, NAME).id)


@pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")  # apprise's own import
def test_alerts_are_tried_listed_shown_known_and_told_to_channels(
    worlds: Worlds,
    sandbox: SandboxProcess,
    channel: _Channel,
    database: str,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    small(sandbox, profile="plain", orders=2, transactions=0, subscriptions=0)
    address = f"json://user:secret-name@127.0.0.1:{channel.server_port}/"
    world = worlds(alert_urls=SecretStr(address))
    run = runner(
        world.settings.model_copy(
            update={
                "data": tmp_path,
                "database_url": SecretStr(database),
                "redis_url": SecretStr(redis_url),
            }
        )
    )
    assert run("alerts", "list").stdout == "No alert is open.\n"
    assert run("alerts", "test", NAME, "--dry-run").exit_code == 0
    assert not sandbox.tickets()
    assert _proved(world) is None
    _one_way_that_is_set_does_not_take_it(run, world, channel)
    trial = document(run("alerts", "test", NAME, "--json"))
    assert [(way["way"], way["arrived"]) for way in trial["ways"]] == [
        ("Halo ticket", True),
        ("json 1", True),
    ]
    assert [one["status_name"] for one in sandbox.tickets()] == ["Closed", "Closed"]
    assert _proved(world) is not None
    assert sandbox.audit()["mailed"] == []

    with world.worker.ledger.begin() as connection:
        link = connections.by_name(connection, NAME)
        connections.stop(connection, link, "HighLevel does not accept the token.")
    channel.refuses = 1
    evaluate(world.worker)
    notify(world.worker, link)
    assert [row.attempts for row in _waiting(world)] == [1]
    world.do("update alert_message set due_at = clock_timestamp()")
    notify(world.worker, link)
    assert [one["title"] for one in channel.came if "is stopped" in one["title"]] == [
        f"[opened] {NAME}: Connection {NAME} is stopped (1)"
    ]
    assert alerts(world)[-1].source_id in channel.came[-1]["message"]
    assert not _waiting(world)

    [one] = document(run("alerts", "list", "--json"))["alerts"]
    assert (one["kind"], one["severity"]) == ("stopped", "critical")
    assert "Connection acme is stopped" in run("alerts", "list").stdout
    shown = run("alerts", "show", str(one["id"]))
    assert "HighLevel does not accept the token." in shown.stdout
    assert "secret-name" not in shown.stdout
    assert "syncline connection start acme" in shown.stdout
    assert document(run("status", "--json"))["alerts"][0]["number"] == one["id"]
    assert "not told again" in run("alerts", "acknowledge", str(one["id"]), "--dry-run").stdout
    assert alerts(world)[-1].acknowledged_at is None
    assert run("alerts", "acknowledge", str(one["id"])).exit_code == 0
    assert alerts(world)[-1].acknowledged_at is not None
    world.do("update alert set told_at = told_at - cast(:by as interval)", by=timedelta(days=3))
    evaluate(world.worker)
    assert not _waiting(world)
    assert "quiet" in run("alerts", "rules", NAME).stdout
    for wrong in (("show", "999"), ("show", "0"), ("acknowledge", "9" * 20)):
        assert run("alerts", *wrong).exit_code == 2
    refused = run("alerts", "test", NAME)
    assert refused.exit_code == 2
    assert "connection start acme" in refused.stderr


def _waiting(world: World) -> list[Any]:
    return world.rows("select * from alert_message where state = 'due' and what <> 'healed'")


def _one_way_that_is_set_does_not_take_it(run: Run, world: World, channel: _Channel) -> None:
    channel.refuses = 1
    failed = run("alerts", "test", NAME, "--json")
    assert failed.exit_code == 1
    assert [way["arrived"] for way in json.loads(failed.stdout)["ways"]] == [True, False]
    assert _proved(world) is None
    world.do("update alert_message set due_at = clock_timestamp()")
