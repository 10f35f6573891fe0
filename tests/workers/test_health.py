"""`syncline health`: each part is well while it works, and not when it has fallen silent."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import Connection, text
from typer.testing import CliRunner, Result

from syncline.errors import Refused
from syncline.ledger import sessions
from syncline.ledger.database import Ledger, connect
from syncline.settings import Settings
from workers.console import health, main
from workers.embedded.ports import free_port
from workers.processes import port_file, tick_mark

Run = Callable[..., Result]


@pytest.fixture
def settings(database: str, tmp_path: Path) -> Settings:
    return Settings(data=tmp_path, database_url=SecretStr(database))


@pytest.fixture
def run(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("SYNCLINE_DATABASE_URL", database)
    monkeypatch.setenv("SYNCLINE_DATA", str(tmp_path))
    return lambda *words: CliRunner().invoke(main.app, ["health", *words])


def begin(database: str, name: str, silent_s: float = 0) -> None:
    engine = connect(database, connections=1)

    def work(connection: Connection) -> None:
        made = uuid4()
        sessions.begin(connection, made, name)
        connection.execute(
            text("update session set heartbeat_at = heartbeat_at - make_interval(secs => :s)"),
            {"s": silent_s},
        )

    Ledger(engine).run(work)
    engine.dispose()


def test_a_worker_of_this_machine_that_beats_is_well(settings: Settings, database: str) -> None:
    begin(database, f"{socket.gethostname()}:7")
    assert health.check_worker(settings).healthy


def test_a_worker_of_another_machine_says_nothing_about_this_one(
    settings: Settings, database: str
) -> None:
    begin(database, f"{socket.gethostname()}-other:7")
    assert not health.check_worker(settings).healthy


def test_a_silent_worker_is_not_well(settings: Settings, database: str) -> None:
    begin(database, f"{socket.gethostname()}:7", settings.dead_after.total_seconds() + 1)
    assert not health.check_worker(settings).healthy


def test_beat_is_well_while_its_last_tick_is_fresh(settings: Settings) -> None:
    assert not health.check_beat(settings).healthy
    tick_mark(settings).touch()
    assert health.check_beat(settings).healthy
    os.utime(tick_mark(settings), (0, 0))
    assert not health.check_beat(settings).healthy


def test_flower_is_well_when_it_answers(settings: Settings) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/healthcheck" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Tests are quiet."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever).start()
        at = settings.model_copy(update={"flower_port": server.server_port})
        assert health.check_flower(at).healthy
        server.shutdown()
    assert not health.check_flower(settings.model_copy(update={"flower_port": free_port()})).healthy


def test_a_receiver_is_asked_on_the_port_that_it_wrote_down(settings: Settings) -> None:
    assert not health.check_receiver(settings.model_copy(update={"receiver_port": 0})).healthy
    at = free_port()
    port_file(settings).write_text(f"{at}\n")
    assert "not answer" in health.check_receiver(settings).says


def test_a_database_without_a_ledger_says_how_to_make_one(
    database_url: str, settings: Settings
) -> None:
    empty = settings.model_copy(update={"database_url": SecretStr(database_url)})
    assert "syncline migrate" in health.check_database(empty).says
    assert not health.check_database(empty).healthy


def test_a_database_that_does_not_answer_is_not_well_and_no_traceback(settings: Settings) -> None:
    away = SecretStr(f"postgresql://nobody@127.0.0.1:{free_port()}/none")
    found = health.check_worker(settings.model_copy(update={"database_url": away}))
    assert not found.healthy
    assert "not reachable" in found.says


def test_servers_that_were_never_started_are_not_started_by_asking(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="syncline up"):
        health.check_database(Settings(data=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_without_options_the_database_is_asked(run: Run) -> None:
    asked = run("--json")
    assert asked.exit_code == 0
    assert [check["part"] for check in json.loads(asked.stdout)["checks"]] == ["database"]


def test_one_part_that_is_not_well_decides_the_exit_code(run: Run) -> None:
    asked = run("--database", "--beat", "--json")
    assert asked.exit_code == 1
    document = json.loads(asked.stdout)
    assert document["healthy"] is False
    assert [check["healthy"] for check in document["checks"]] == [True, False]
    assert "beat: NOT WELL" in run("--beat").stdout
