"""The whole way to live on the emulation: every line green by what the ledger itself holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from syncline.calls.context import Line
from syncline.errors import Refused
from syncline.golive import end_to_end
from syncline.golive import queries as golive_queries
from syncline.golive import rules as checks
from syncline.golive.dump import dump, verify
from syncline.ledger import connections
from syncline.sandbox.process import SandboxProcess
from syncline.settings import Settings
from tests.events import arrive, order_event
from tests.from_halo import last_call
from tests.shipping import hint
from tests.syncline.cli.conftest import Run, document, runner
from tests.world import NAME, World, Worlds, small


@pytest.fixture
def run(tmp_path: Path, database: str, redis_url: str) -> Run:
    """Command lines over the world's own ledger."""
    return runner(
        Settings(
            data=tmp_path,
            key=SecretStr("k" * 40),
            database_url=SecretStr(database),
            redis_url=SecretStr(redis_url),
            actor="ada",
        )
    )


def states(found: Any) -> dict[str, str]:
    return {line["name"]: line["state"] for line in found["lines"]}


def all_the_way(world: World, line: Line) -> str:
    """What `golive test` does, with this process in place of the workers."""
    order_id = end_to_end.buy(line)
    arrive(world, order_event(world.sandbox, order_id, "OrderCreate"))
    world.pull("transaction")
    world.drive()
    hint(world, "consignment", end_to_end.consign(line, order_id))
    world.drive()
    return order_id


def compared(world: World) -> None:
    """A reconciliation that found nothing."""
    world.do(
        """
        insert into reconciliation
            (connection_id, first, last, mode, state, cause, finished_at, certificate)
        select id, current_date, current_date, 'full', 'done', 'test', clock_timestamp(),
               '{"compared": true}'
        from connection
        """
    )


def told(world: World) -> None:
    """A test alert whose ticket was made, read back and closed."""
    world.do(
        """
        insert into alert (connection_id, kind, cause, severity, title, detail, state)
        select id, 'test', 'test', 'info', 'a test',
               jsonb_build_object('proved_at', clock_timestamp()), 'closed' from connection
        """
    )


def test_the_whole_way_to_live_and_back(
    worlds: Worlds, sandbox: SandboxProcess, run: Run, tmp_path: Path
) -> None:
    small(sandbox, orders=2, transactions=1, subscriptions=0, money=True)
    world = worlds()
    found = run("golive", "check", NAME, "--json")
    assert found.exit_code == 1
    assert {name for name, state in states(document(found)).items() if state == "red"} == {
        *("order", "shipment", "finding", "arrays", "webhooks", "highlevel-quota"),
        *("halo-quota", "reconciliation", "alerts", "dump"),
    }
    refused = run("golive", "switch", NAME)
    assert (refused.exit_code, world.rows("select mode from connection")[0].mode) == (2, "sandbox")
    assert "red" in refused.stderr

    world.pull_whole()
    plan = document(run("dry-run", NAME, "--bodies", "--json"))
    writes = {target: plan["counts"][target]["writes"] for target in ("client", "user", "order")}
    assert {call["target"] for call in plan["calls"]} == set(writes)
    assert sum(len(call["body"]) for call in plan["calls"]) == sum(writes.values())
    assert "calls" in run("dry-run", NAME, "--bodies").stdout

    order_id = all_the_way(world, world.reopened())
    went = world.worker.ledger.run(
        lambda c: golive_queries.went(c, world.reopened().link, order_id)
    )
    assert None not in (went.order, went.payment, went.refund, went.shipment)
    assert went.tracking == order_id
    compared(world)
    told(world)
    taken = document(run("golive", "dump", NAME, "--json"))
    path = Path(taken["place"])
    assert (path.stat().st_size, path.stat().st_mode & 0o077) == (taken["bytes"], 0)
    assert verify(path).digest == taken["sha256"]
    found = run("golive", "check", NAME, "--json")
    assert set(states(document(found)).values()) == {"green", "not needed"}, found.stdout
    assert found.exit_code == 0

    before = last_call(sandbox)
    assert run("golive", "switch", NAME, "--dry-run").exit_code == 0
    assert all(
        call["method"] == "GET" or "Report" in call["path"] or "token" in call["path"]
        for call in sandbox.calls(after=before)
    )
    assert world.rows("select mode from connection")[0].mode == "sandbox"
    assert run("golive", "switch", NAME).exit_code == 0
    assert world.rows("select mode from connection")[0].mode == "live"
    assert run("golive", "switch", NAME).exit_code == 2
    shown = document(run("golive", "show", NAME, "--json"))
    assert [step["what"] for step in shown["steps"]] == ["switch", "dump"]
    assert shown["steps"][0]["by"] == "ada"
    certificate = shown["steps"][0]["certificate"]
    assert [line["name"] for line in certificate["lines"]] == list(checks.NAMES)
    assert certificate["test rows that stay"]["tracking"]
    assert "certificate" in run("golive", "show", NAME).stdout
    assert run("golive", "back", NAME, "--because", "a rehearsal").exit_code == 0
    assert world.rows("select mode from connection")[0].mode == "sandbox"
    entries = world.rows(
        "select target, cause from audit_entry where effect = 'command' order by id"
    )
    assert [(one.target, one.cause.rpartition(" by ")[2]) for one in entries] == [
        *(("golive dump", "ada"), ("golive switch", "ada"), ("golive back", "ada"))
    ]


def test_what_is_accepted_is_written_down_with_name_and_reason_until_the_next_switch(
    worlds: Worlds, sandbox: SandboxProcess, run: Run
) -> None:
    small(sandbox, orders=0, transactions=0, subscriptions=0)
    world = worlds()
    assert run("golive", "switch", NAME, "--accept", "dump").exit_code == 2
    wrong = run("golive", "switch", NAME, "--accept", "nothing", "--because", "so")
    assert "Name one of: state, scopes" in wrong.stderr
    assert world.rows("select 1 from golive") == []
    found = run("golive", "check", NAME, "--accept-polling", "--json")
    line = next(one for one in document(found)["lines"] if one["name"] == "webhooks")
    assert line["state"] == "accepted"
    assert "by ada" in line["found"]
    accept = [part for name in checks.NAMES for part in ("--accept", name)]
    assert run("golive", "switch", NAME, *accept, "--because", "a demo").exit_code == 0
    certificate = world.rows("select certificate from golive where what = 'switch'")[0][0]
    dumped = next(one for one in certificate["lines"] if one["name"] == "dump")
    assert (dumped["state"], "a demo" in dumped["found"]) == ("accepted", True)
    assert run("golive", "back", NAME).exit_code == 0
    assert "dump" in run("golive", "switch", NAME).stderr
    world.worker.ledger.run(lambda c: connections.rehearse(c, world.reopened().link))
    for command in (
        ["halo", "webhooks", "install", NAME, "--url", "https://sync.example.com"],
        ["golive", "test", NAME],
        ["adopt", NAME, "--apply", "--yes"],
    ):
        kept = run(*command)
        assert kept.exit_code != 0
        assert "syncline connection st" in kept.stderr
    assert world.rows("select state from connection")[0].state == "rehearsing"
    told = document(run("dry-run", NAME, "--json"))
    assert (told["calls"], told["would_park"], told["halo_calls"]) == ([], [], 0)
    text = run("dry-run", NAME)
    assert text.stdout.startswith(f"Nothing is due: {NAME} would write nothing now.")


def test_a_dump_that_holds_no_ledger_counts_for_nothing(
    tmp_path: Path, worlds: Worlds, database_url: str
) -> None:
    world = worlds()
    url = world.worker.ledger.engine.url
    with pytest.raises(Refused, match="holds no rows of"):
        dump(url.set(database=database_url.rpartition("/")[2]), tmp_path / "other.dump")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(Refused, match="pg_dump failed"):
        dump(url.set(database="nowhere"), tmp_path / "none.dump")
    assert list(tmp_path.iterdir()) == []
