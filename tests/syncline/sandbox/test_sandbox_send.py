"""`syncline sandbox`: events by hand, from a running sandbox to a receiver."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from syncline.sandbox.config import LOCATION
from syncline.sandbox.highlevel.events.writer import TYPES
from syncline.sandbox.process import SandboxProcess
from syncline.settings import Settings
from syncline.terminal.context import CommandContext
from tests.syncline.sandbox.taking_in import TakingIn, taking_in
from workers import processes
from workers.console import main, opening, sandbox

Run = Callable[..., Result]


@pytest.fixture
def running(sandbox_process: SandboxProcess) -> SandboxProcess:
    sandbox_process.reset(orders=20, transactions=0, subscriptions=0, customers=10)
    return sandbox_process


@pytest.fixture
def receiver() -> Iterator[TakingIn]:
    with taking_in() as receiver:
        yield receiver


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path)


@pytest.fixture
def run(settings: Settings) -> Run:
    commanded = CommandContext(
        settings=lambda: settings,
        open=lambda: opening.opened(settings),
    )

    def run(*words: str) -> Result:
        return CliRunner().invoke(main.app, ["sandbox", *words], obj=commanded)

    return run


def test_events_are_sent_signed_and_what_was_answered_is_shown(
    run: Run, running: SandboxProcess, receiver: TakingIn
) -> None:
    shown = run(
        "send", "InvoicePaid", "--to", receiver.url, "--sandbox", running.url, "--count", "3"
    )
    assert shown.exit_code == 0, shown.output
    came = receiver.wait(3)
    assert {one.document["type"] for one in came} == {"InvoicePaid"}
    assert all(one.headers["x-ghl-signature"] for one in came)
    assert all(one.document["webhookId"] in shown.stdout for one in came)
    assert shown.stdout.count("200") >= 3
    assert running.highlevel_deliveries()["sent"] == 0


def test_an_order_create_makes_an_order_and_a_status_update_changes_one(
    run: Run, running: SandboxProcess, receiver: TakingIn
) -> None:
    before = set(running.get("/state/orders")["ids"])
    where = ("--to", receiver.url, "--sandbox", running.url)
    assert run("send", "OrderCreate", *where).exit_code == 0
    assert run("send", "OrderStatusUpdate", *where).exit_code == 0
    made, changed = (one.document for one in receiver.wait(2))
    assert made["_id"] not in before
    assert running.get(f"/state/orders/{made['_id']}")["amount"] == made["amount"]
    stored = running.get(f"/state/orders/{changed['_id']}")
    assert (stored["status"], stored["updatedAt"]) == (changed["status"], changed["updatedAt"])


def test_another_location_is_told_of_an_order_that_is_not_stored(
    run: Run, running: SandboxProcess, receiver: TakingIn
) -> None:
    place = ("--location", "AnotherLocation00000")
    sent = run(
        "send", "OrderCreate", *place, "--to", receiver.url, "--sandbox", running.url, "--json"
    )
    (told,) = receiver.wait(1)
    assert told.document["locationId"] == told.document["altId"] == "AnotherLocation00000"
    assert told.document["locationId"] != LOCATION
    assert told.document["_id"] not in running.get("/state/orders")["ids"]
    document = json.loads(sent.stdout)
    assert document["url"] == receiver.url
    (one,) = document["sent"]
    assert one["webhook_id"] == told.document["webhookId"]
    assert (one["type"], one["status"], one["taken"]) == ("OrderCreate", 200, True)


def test_one_that_is_not_taken_ends_with_1(
    run: Run, running: SandboxProcess, receiver: TakingIn
) -> None:
    receiver.first.append(401)
    where = ("--to", receiver.url, "--sandbox", running.url, "--json")
    sent = run("send", "ProductCreate", "--count", "2", *where)
    assert sent.exit_code == 1
    assert sorted(one["status"] for one in json.loads(sent.stdout)["sent"]) == [200, 401]


def test_a_receiver_that_is_away_is_told_of_and_ends_with_1(
    run: Run, running: SandboxProcess
) -> None:
    where = ("--to", "http://127.0.0.1:1/", "--sandbox", running.url)
    sent = run("send", "INSTALL", *where)
    assert sent.exit_code == 1
    assert "ConnectError" in sent.stdout


def test_the_servers_of_this_installation_are_found_by_themselves(
    run: Run, running: SandboxProcess, receiver: TakingIn, settings: Settings
) -> None:
    sandbox.port_file(settings).write_text(running.url.rpartition(":")[2])
    port = receiver.url.removeprefix("http://127.0.0.1:").partition("/")[0]
    processes.port_file(settings).write_text(port)
    assert run("send", "UNINSTALL").exit_code == 0
    (told,) = receiver.wait(1)
    assert told.document["locationId"] == LOCATION


def test_a_type_that_is_not_documented_is_named_with_near_ones(run: Run) -> None:
    shown = run("send", "ordercreated")
    assert shown.exit_code == 2
    assert "'ordercreated'" in shown.stderr
    assert "OrderCreate" in shown.stderr
    assert "syncline sandbox events" in run("send", "zzz").stderr


def test_without_a_sandbox_it_says_how_to_start_one(run: Run) -> None:
    never = run("send", "OrderCreate")
    away = run("send", "OrderCreate", "--sandbox", "http://127.0.0.1:1")
    assert (never.exit_code, away.exit_code) == (2, 2)
    for shown in (never, away):
        assert "syncline up --sandbox" in shown.stderr


def test_without_a_receiver_the_sandbox_asks_for_one(run: Run, running: SandboxProcess) -> None:
    shown = run("send", "OrderCreate", "--sandbox", running.url)
    assert shown.exit_code == 2
    assert "--to URL" in shown.stderr


def test_an_order_status_update_needs_an_order(run: Run, running: SandboxProcess) -> None:
    running.remove_orders(running.get("/state/orders")["ids"])
    shown = run("send", "OrderStatusUpdate", "--to", "http://x.example/", "--sandbox", running.url)
    assert shown.exit_code == 2
    assert "no order" in shown.stderr


def test_the_types_are_listed(run: Run) -> None:
    assert json.loads(run("events", "--json").stdout) == {"types": list(TYPES)}
    assert "LCEmailStats" in run("events").stdout
