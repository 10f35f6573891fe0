"""The commands about Halo's webhook, against the emulated Halo."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from syncline.ledger import connections
from syncline.ledger.database import Ledger
from syncline.sandbox.process import SandboxProcess
from syncline.sending.restored import mark
from syncline.settings import Settings
from syncline.webhooks import halo_cli
from syncline.webhooks.installing import look
from tests.syncline.cli.conftest import Run, connected, document

URL = "https://sync.example.com"
INSTALL = ("halo", "webhooks", "install", "acme")


@pytest.fixture
def settings(tmp_path: Path, database: str, redis_url: str) -> Settings:
    return Settings(
        data=tmp_path,
        database_url=SecretStr(database),
        redis_url=SecretStr(redis_url),
        settle=timedelta(seconds=1),
    )


@pytest.fixture
def acme(run: Run, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs commands beside a connection to a small sandbox."""
    return connected(run, sandbox, monkeypatch)


def password(run: Run) -> str:
    shown = document(run(*INSTALL, "--url", URL, "--show-secret", "--json"))
    found: str = shown["password"]
    return found


def test_it_is_installed_shown_and_removed(acme: Run) -> None:
    first = acme(*INSTALL, "--url", URL)
    assert first.exit_code == 0, first.output
    assert "made" in first.stdout
    assert "New Sales Order - All" in first.stdout
    assert "bound now" in first.stdout
    again = document(acme(*INSTALL, "--url", URL, "--json"))
    assert (again["webhook"], again["newly_bound"], again["polled"]) == ("unchanged", [], [])
    shown = document(acme("halo", "webhooks", "show", "acme", "--json"))
    assert [one["active"] for one in shown["webhooks"]] == [True]
    assert shown["webhooks"][0]["bound"]
    assert "active" in acme("halo", "webhooks", "show", "acme").stdout
    would = acme("halo", "webhooks", "remove", "acme", "--dry-run")
    assert "would be removed" in would.stdout
    assert "removed" in acme("halo", "webhooks", "remove", "acme").stdout
    nothing = acme("halo", "webhooks", "show", "acme")
    assert "syncline halo webhooks install acme" in nothing.stdout
    assert "no webhook" in acme("halo", "webhooks", "remove", "acme").stdout


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"active": False}, "No event tells of these any more, as Halo shows it now: salesorder,"),
        ({"bound": (), "events": frozenset()}, "syncline halo webhooks install acme"),
        ({"active": None}, "Halo does not say whether it is active."),
        ({}, "Every kind of change is told by an event."),
    ],
)
def test_a_webhook_that_tells_of_nothing_any_more_is_not_said_to_tell_of_all(
    acme: Run, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], said: str
) -> None:
    acme(*INSTALL, "--url", URL)
    monkeypatch.setattr(
        halo_cli, "look", lambda line: [replace(one, **change) for one in look(line)]
    )
    assert said in " ".join(acme("halo", "webhooks", "show", "acme").stdout.split())


def test_no_secret_is_shown_unless_it_is_asked_for(acme: Run) -> None:
    secret = password(acme)
    url = document(acme(*INSTALL, "--url", URL, "--show-secret", "--json"))["url"]
    assert url.startswith(f"{URL}/webhooks/halo/acme/")
    path = url.rpartition("/")[2]
    for command in (
        [*INSTALL, "--url", URL],
        [*INSTALL, "--url", URL, "--json"],
        [*INSTALL, "--url", URL, "--dry-run"],
        ["halo", "webhooks", "show", "acme"],
        ["halo", "webhooks", "show", "acme", "--json"],
    ):
        output = acme(*command).output
        assert secret not in output
        assert path not in output
        assert "(hidden)" in output
    shown = document(acme("halo", "webhooks", "show", "acme", "--show-secret", "--json"))
    assert [one["url"] for one in shown["webhooks"]] == [url]


def test_a_rotation_changes_the_password(acme: Run) -> None:
    before = password(acme)
    rotated = document(acme(*INSTALL, "--url", URL, "--rotate", "--json"))
    assert rotated["webhook"] == "repaired"
    assert password(acme) != before


def test_a_dry_run_says_what_would_be_done(acme: Run, sandbox: SandboxProcess) -> None:
    shown = acme(*INSTALL, "--url", URL, "--dry-run")
    assert shown.exit_code == 0
    assert "would be bound" in shown.stdout
    assert "nothing was changed" in shown.stdout
    operations = {call["operation"] for call in sandbox.calls("halo")}
    assert not any(one.startswith("POST") and "token" not in one for one in operations)


def test_without_the_right_it_says_step_by_step_what_to_do_and_ends_with_2(
    run: Run, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = connected(run, sandbox, monkeypatch, webhooks_allowed=False)
    told = acme(*INSTALL, "--url", URL)
    assert told.exit_code == 2
    assert "403" in told.stdout
    assert "Integrations > Webhooks" in told.stdout
    assert "user name syncline" in told.stdout
    assert "--show-secret" in told.stdout
    revealed = acme(*INSTALL, "--url", URL, "--show-secret", "--json")
    assert revealed.exit_code == 2
    steps = document(revealed)["by_hand"]
    assert any(f"{URL}/webhooks/halo/acme/" in step for step in steps)
    assert any(document(revealed)["password"] in step for step in steps)


def test_a_tenant_without_fitting_events_is_polled(
    run: Run, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = connected(run, sandbox, monkeypatch, profile="plain")
    done = acme(*INSTALL, "--url", URL)
    assert done.exit_code == 0
    assert "polled for: salesorder, payment, consignment" in done.stdout


@pytest.mark.parametrize("url", ["http://sync.example.com", "sync.example.com", "ftp://x"])
def test_an_address_that_would_show_the_password_is_refused(acme: Run, url: str) -> None:
    refused = acme(*INSTALL, "--url", url)
    assert refused.exit_code == 2
    assert "--url" in refused.stderr


def test_without_an_address_it_says_how_to_give_one(acme: Run) -> None:
    refused = acme(*INSTALL)
    assert refused.exit_code == 2
    assert "SYNCLINE_PUBLIC_URL" in refused.stderr


def test_an_unknown_connection_is_refused(acme: Run) -> None:
    assert acme("halo", "webhooks", "show", "nobody").exit_code == 2


def test_that_halo_was_restored_is_shown_and_cleared(acme: Run, ledger: Ledger) -> None:
    assert "Nothing shows" in acme("halo", "restored", "acme").stdout
    link = ledger.run(lambda c: connections.by_name(c, "acme"))
    ledger.run(lambda c: mark.note(c, link, "order 134 in Halo is no longer ours."))
    assert "order 134 in Halo is no longer ours." in acme("halo", "restored", "acme").stdout
    assert acme("halo", "restored", "acme", "--clear").exit_code == 0
    assert "Nothing shows" in acme("halo", "restored", "acme").stdout
    ledger.run(lambda c: mark.note(c, link, "another one"))
    assert "another one" in acme("halo", "restored", "acme").stdout
