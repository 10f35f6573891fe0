"""Adding connections and checking them, against the emulated APIs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis import Redis
from sqlalchemy import text

from syncline.calls.quota_keys import halo_key
from syncline.ledger import capabilities, connections, modes
from syncline.ledger.database import Ledger
from syncline.quota.bucket import Quota
from syncline.sandbox.config import (
    LOCATION,
    TOKEN_OF_ANOTHER_LOCATION,
    TOKEN_WITHOUT_SCOPES,
    SandboxConfig,
)
from syncline.sandbox.process import SandboxProcess
from syncline.settings import Settings
from tests.syncline.cli.conftest import (
    SECRETS,
    LedgerScene,
    Run,
    add_sandbox,
    adding,
    document,
    runner,
)


@pytest.fixture
def shut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs commands that must end before they open anything."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    away = SecretStr("postgresql://127.0.0.1:1/none")
    return runner(Settings(data=tmp_path, database_url=away))


def refused(run: Run, *arguments: str, typed: str | None = None) -> str:
    """The one line with which it ends, with exit code 2; what it waited for stands before it."""
    result = run(*arguments, typed=typed)
    assert result.exit_code == 2
    [*notes, error] = result.stderr.splitlines()
    assert error.startswith("error: ")
    assert all(note.startswith("note: Waiting for ") for note in notes)
    return error


def test_secrets_are_sealed_and_never_shown(scene: LedgerScene, run: Run) -> None:
    shown = run("connection", "list").output + run("connection", "list", "--json").output
    stored = scene.ledger.run(lambda c: c.execute(text("select sealed from credential")).all())
    assert len(stored) == 2
    for secret in SECRETS.values():
        assert secret not in shown
        assert all(secret.encode() not in bytes(row.sealed) for row in stored)


def test_a_dry_run_adds_nothing(run: Run, ledger: Ledger) -> None:
    assert "could be added" in run(*adding(), "--dry-run").stdout
    assert ledger.run(connections.everyone) == []
    assert ledger.run(lambda c: c.execute(text("select 1 from credential")).all()) == []


def test_secrets_are_read_from_standard_input_in_their_order(run: Run, ledger: Ledger) -> None:
    command = [part for part in adding() if not part.endswith(("-env", "HL_TOKEN", "HALO_SECRET"))]
    typed = "token-1\nsecret-2\n"
    result = run(*command, "--highlevel-token", "-", "--halo-secret", "-", typed=typed)
    assert result.exit_code == 0
    assert len(ledger.run(connections.everyone)) == 1


def test_a_secret_on_the_command_line_is_refused(shut: Run) -> None:
    command = [part for part in adding() if part not in {"--highlevel-token-env", "HL_TOKEN"}]
    line = refused(shut, *command, "--highlevel-token", "pit-typed-here")
    assert "--highlevel-token-env NAME" in line
    assert "pit-typed-here" not in line


def test_a_missing_secret_says_how_to_give_it(shut: Run) -> None:
    command = [part for part in adding() if part not in {"--highlevel-token-env", "HL_TOKEN"}]
    assert "--highlevel-token-env NAME" in refused(shut, *command)


@pytest.mark.parametrize(
    ("option", "value", "remedy"),
    [
        ("halo_url", "acme", "https://acme.halopsa.com"),
        ("halo_url", "http://acme.example", "https://"),
        ("halo_url", "https://www.halopsa.com/guides", "the tenant's own"),
        ("halo_url", "acme,halopsa.com", "the tenant's own"),
        ("halo_url", "ada@acme.halopsa.com", "https://acme.halopsa.com"),
        ("halo_url", "ftp://acme.halopsa.com", "https://acme.halopsa.com"),
        ("halo_limit", "many", "100/10"),
        ("highlevel_limit", "0/10", "100/10"),
        ("start_from", "yesterday", "2026-01-31"),
        ("mapping", "nowhere.toml", "TOML file"),
        ("highlevel_token_env", "NOT_SET", "Put the secret there"),
    ],
)
def test_an_option_that_is_wrong_says_how_to_write_it(
    shut: Run, option: str, value: str, remedy: str
) -> None:
    assert remedy in refused(shut, *adding(**{option: value}))


def test_a_name_that_is_taken_is_refused(scene: LedgerScene, run: Run) -> None:
    assert "Choose another name." in refused(run, *adding())


def test_a_broken_mapping_names_its_line_and_changes_nothing(
    scene: LedgerScene, run: Run, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("[orders]\nlines = 'sideways'\n", encoding="utf-8")
    assert "line 2" in refused(run, "connection", "set-mapping", "acme", str(broken))
    [link] = scene.ledger.run(connections.everyone)
    assert link.mapping == scene.link.mapping


def test_what_another_mapping_would_park_is_counted_before(
    scene: LedgerScene, run: Run, tmp_path: Path
) -> None:
    scene.ledger.run(lambda connection: modes.set_mode(connection, scene.link, "live"))
    for number in range(3):
        scene.see(f"o{number}")
    scene.see("with", sourceId="s-1")
    parked, *_, with_it = scene.claim()
    scene.park([parked], "something else")
    scene.deliver(with_it, total="10.5")
    strict = tmp_path / "strict.toml"
    command = ["connection", "set-mapping", "acme", str(strict), "--dry-run"]
    strict.write_text("[orders]\nlines = 'summary'\n", encoding="utf-8")
    harmless = run(*command)
    assert harmless.exit_code == 0
    assert "acme could follow this mapping; nothing was changed." in harmless.stdout
    strict.write_text(strict.read_text(encoding="utf-8") + REQUIRED, encoding="utf-8")
    counted = run(*command)
    assert counted.exit_code == 1
    assert "2 of 5 would be parked" in counted.stdout
    assert "customfields.CFsource" in counted.stdout
    [link] = scene.ledger.run(connections.everyone)
    assert link.mapping == scene.link.mapping


REQUIRED = """
[[orders.field]]
target = "customfields.CFsource"
source = "source.id"
type = "text"
required = true
owner = "highlevel"
"""


def test_another_mapping_is_followed(scene: LedgerScene, run: Run, tmp_path: Path) -> None:
    good = tmp_path / "good.toml"
    good.write_text("[orders]\nlines = 'summary'\n", encoding="utf-8")
    command = ["connection", "set-mapping", "acme", str(good)]
    run(*command, "--dry-run")
    [link] = scene.ledger.run(connections.everyone)
    assert link.mapping == scene.link.mapping
    run(*command)
    [link] = scene.ledger.run(connections.everyone)
    assert link.mapping == good.read_text(encoding="utf-8")


def test_a_stopped_connection_goes_on(scene: LedgerScene, run: Run) -> None:
    scene.ledger.run(lambda c: connections.stop(c, scene.link, "The token is wrong."))
    assert run("connection", "start", "acme").stdout == "acme goes on.\n"
    [link] = scene.ledger.run(connections.everyone)
    assert (link.state, link.note) == ("active", None)
    assert run("connection", "start", "acme").stdout == "acme was not stopped.\n"


@pytest.mark.usefixtures("keys")
def test_a_good_connection_works_in_every_point(
    run: Run, sandbox: SandboxProcess, ledger: Ledger
) -> None:
    add_sandbox(run, sandbox)
    result = run("connection", "check", "acme", "--json")
    assert result.exit_code == 0
    checked = document(result)
    assert checked["works"]
    assert all(finding["works"] for finding in checked["findings"])
    known = ledger.run(lambda c: capabilities.read(c, "tenant:1"))
    assert {"USD", "EUR"} <= {code for row in known for code in row["value"]}
    assert sandbox.counters()["halo"]["rejected_429"] == 0


@pytest.mark.usefixtures("keys")
def test_a_probe_proves_how_orders_are_found_and_leaves_none_behind(
    run: Run, sandbox: SandboxProcess, ledger: Ledger
) -> None:
    add_sandbox(run, sandbox)
    checked = document(run("connection", "check", "acme", "--probe", "--json"))
    assert checked["findings"][-1]["works"]
    effects = ledger.run(
        lambda c: c.execute(
            text("select effect from audit_entry where flow = 'probe' order by id")
        ).all()
    )
    assert [row.effect for row in effects] == ["create", "delete"]
    deleted = [call for call in sandbox.calls("halo") if call["method"] == "DELETE"]
    assert len(deleted) == 1
    known = {row["name"] for row in ledger.run(lambda c: capabilities.read(c, "tenant:1"))}
    assert "find.order.sql" in known


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("token", "remedy"),
    [
        ("pit-unknown", "Make a new private integration token"),
        (TOKEN_OF_ANOTHER_LOCATION, "Check the location id"),
        (TOKEN_WITHOUT_SCOPES, "payments/transactions.readonly"),
    ],
    ids=["wrong token", "token of another location", "token without a scope"],
)
def test_a_token_that_does_not_do_says_what_to_do(
    run: Run,
    sandbox: SandboxProcess,
    monkeypatch: pytest.MonkeyPatch,
    token: str,
    remedy: str,
) -> None:
    monkeypatch.setenv("HL_TOKEN", token)
    add_sandbox(run, sandbox)
    line = refused(run, "connection", "check", "acme")
    assert remedy in line
    assert token not in line
    assert (LOCATION in line) == (token == TOKEN_OF_ANOTHER_LOCATION)


@pytest.mark.usefixtures("keys")
def test_a_wrong_location_is_named_at_the_first_check_also_where_the_key_is_busy(
    run: Run, sandbox: SandboxProcess
) -> None:
    sandbox.reset(highlevel_limit={"calls": 10, "seconds": 1})
    add_sandbox(run, sandbox, location="Zx0cV9bNmA8sDfG7hJk6")
    sandbox.faults(side="highlevel", operation="*", kind="429", next=2)
    line = refused(run, "connection", "check", "acme")
    assert "names the location Zx0cV9bNmA8sDfG7hJk6" in line


@pytest.mark.usefixtures("keys")
def test_what_cannot_be_asked_for_lack_of_quota_is_not_said_not_to_work(
    run: Run, sandbox: SandboxProcess, ledger: Ledger, redis_url: str
) -> None:
    add_sandbox(run, sandbox)
    [link] = ledger.run(connections.everyone)
    with Redis.from_url(redis_url) as redis:
        Quota(redis, recover=lambda _k, _w: ()).freeze(halo_key(link), timedelta(hours=1))
    result = run("connection", "check", "acme", "--json")
    assert result.exit_code == 1
    checked = document(result)
    assert (checked["works"], checked["complete"]) == (True, False)
    halo = [one for one in checked["findings"] if one["what"].startswith("Halo")]
    assert halo
    assert not any(one["checked"] for one in halo)
    assert all("not checked" in one["found"] for one in halo)
    shown = run("connection", "check", "acme")
    assert "does not work" not in shown.stdout
    assert "quota of halo:1 is used up" in shown.stderr


@pytest.mark.usefixtures("keys")
def test_somebody_else_who_answers_once_is_asked_again_and_who_stays_is_named(
    run: Run, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncline.connections.questions._PAUSE_S", 0.0)
    add_sandbox(run, sandbox)
    sandbox.faults(side="halo", operation="GET /Currency", kind="html", next=2)
    assert run("connection", "check", "acme").exit_code == 0
    sandbox.faults(side="halo", operation="GET /Currency", kind="html", probability=1)
    result = run("connection", "check", "acme")
    assert result.exit_code == 1
    assert "Somebody else answered GET /Currency in place of Halo" in result.stderr


@pytest.mark.usefixtures("keys")
def test_a_side_that_fails_for_everybody_is_asked_all_the_same_when_somebody_wants_to_know(
    run: Run, sandbox: SandboxProcess
) -> None:
    add_sandbox(run, sandbox)
    sandbox.faults(side="halo", operation="POST /auth/token", kind="500", next=2)
    for _ in range(2):
        assert run("connection", "check", "acme").exit_code == 1
    assert run("connection", "check", "acme").exit_code == 0


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"tenant": "another"}, "Check the client id and secret"),
        ({"halo_client_id": "another"}, "Check the client id and secret"),
        ({"scope": "flying:carpets"}, "Grant this scope"),
        ({"scope": "read:tickets"}, "Give the API application this permission"),
        ({"halo_url": "http://127.0.0.1:1"}, "Check the address"),
        ({"highlevel_url": "http://127.0.0.1:1"}, "Check the address"),
    ],
    ids=["tenant", "application", "scope", "permission", "Halo's host", "HighLevel's host"],
)
def test_a_side_that_does_not_let_us_in_says_what_to_do(
    run: Run, sandbox: SandboxProcess, options: dict[str, str], remedy: str
) -> None:
    add_sandbox(run, sandbox, **options)
    assert remedy in refused(run, "connection", "check", "acme")


@pytest.mark.usefixtures("keys")
def test_a_side_that_falls_silent_is_asked_nothing_more(run: Run, sandbox: SandboxProcess) -> None:
    add_sandbox(run, sandbox)
    sandbox.faults(side="halo", operation="GET /Currency", kind="cut_after", next=1)
    checked = document(run("connection", "check", "acme", "--json"))
    halo = [one["works"] for one in checked["findings"] if one["what"].startswith("Halo")]
    assert halo == [True, False]
    assert {one["works"] for one in checked["findings"] if one["what"].startswith("High")} == {True}


@pytest.mark.usefixtures("keys")
def test_a_new_secret_is_what_counts_from_then_on(
    run: Run, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = SandboxConfig().halo_client_secret
    monkeypatch.setenv("HALO_SECRET", "an-old-one")
    add_sandbox(run, sandbox)
    refused(run, "connection", "check", "acme")
    command = ["credentials", "set", "acme", "client-secret", "--secret", "-"]
    assert run(*command, typed=f"{good}\n").exit_code == 0
    assert run("connection", "check", "acme").exit_code == 0


def test_an_unknown_connection_is_named(scene: LedgerScene, run: Run) -> None:
    for command in (["check"], ["start"]):
        assert "Known: acme." in refused(run, "connection", *command, "nobody")


def test_a_connection_starts_in_sandbox_mode_unless_somebody_knows_better(
    scene: LedgerScene, run: Run
) -> None:
    assert scene.link.mode == "sandbox"
    other = adding("other", location="loc2", mode="live")
    assert "without the check of: syncline golive check" in run(*other).stdout
    [link] = [one for one in scene.ledger.run(connections.everyone) if one.name == "other"]
    assert link.mode == "live"


def test_a_connection_rehearses_and_goes_on(
    scene: LedgerScene, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncline.connections.run.NOTICED_AFTER_S", 0.0)
    for name in ("rehearse", "stop"):
        assert "nothing was changed" in run("connection", name, "acme", "--dry-run").stdout
    assert scene.ledger.run(connections.everyone)[0].state == "active"
    assert "syncline dry-run acme" in run("connection", "rehearse", "acme").stdout
    assert run("connection", "rehearse", "acme").stdout == "acme rehearses already.\n"
    [link] = scene.ledger.run(connections.everyone)
    assert (link.state, link.reads, link.writes) == ("rehearsing", True, False)
    assert "acme rehearses" in run("status").stdout
    assert "nothing was changed" in run("connection", "start", "acme", "--dry-run").stdout
    assert run("connection", "start", "acme").stdout == "acme goes on.\n"
    assert scene.ledger.run(connections.everyone)[0].writes


@pytest.mark.parametrize(
    "line", ["connection rehearse acme", "connection stop acme", "golive back acme"]
)
def test_a_command_that_waits_for_the_workers_says_so(
    scene: LedgerScene, run: Run, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setattr("syncline.connections.run.NOTICED_AFTER_S", 0.0)
    monkeypatch.setattr("syncline.terminal.waiting._WORTH_A_WORD_S", 0.0)
    scene.ledger.run(
        lambda c: c.execute(text("update location set base_url = 'https://a.example'"))
    )
    link = scene.ledger.run(connections.everyone)[0]
    scene.ledger.run(lambda c: modes.set_mode(c, link, "live"))
    done = run(*line.split())
    assert done.exit_code == 0
    assert done.stderr.startswith("note: Until all workers have noticed: it goes on in ")
