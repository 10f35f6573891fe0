"""Listing and registering providers, against the emulated HighLevel."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from redis import Redis
from sqlalchemy import text

from syncline.ledger.database import Ledger
from syncline.queues import Lane
from syncline.quota.bucket import Quota
from syncline.quota.keys import Limit, QuotaKey
from syncline.sandbox.config import LOCATION, TOKEN, TOKEN_WITHOUT_SCOPES
from syncline.sandbox.process import SandboxProcess
from syncline.settings import Settings
from tests.syncline.cli.conftest import Run, adding, document

PATH = "/payments/integrations/provider/whitelabel"
LIST, REGISTER = f"GET {PATH}", f"POST {PATH}"


def registering(*more: str, **options: str) -> list[str]:
    """The command line that registers a provider."""
    given = {
        "--name": "easy-direct",
        "--title": "Easy Direct",
        "--provider": "nmi",
        "--description": "Cards",
        "--image-url": "https://example.com/logo.png",
        **{f"--{option.replace('_', '-')}": value for option, value in options.items()},
    }
    words = [part for pair in given.items() for part in pair]
    return ["provider", "register", "acme", *words, *more]


@pytest.fixture
def settings(tmp_path: Path, database: str, redis_url: str) -> Settings:
    """Writes settle within a second."""
    return Settings(
        data=tmp_path,
        database_url=SecretStr(database),
        redis_url=SecretStr(redis_url),
        settle=timedelta(seconds=1),
    )


@pytest.fixture
def acme(run: Run, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs commands beside a connection to a small sandbox."""
    sandbox.reset(orders=1, transactions=0, subscriptions=0)
    monkeypatch.setenv("HL_TOKEN", TOKEN)
    connected = adding(location=LOCATION, highlevel_url=sandbox.highlevel_url)
    added = run(*connected)
    assert added.exit_code == 0, added.output
    return run


def listed(run: Run) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = document(run("provider", "list", "acme", "--json"))["providers"]
    return found


def operations(sandbox: SandboxProcess) -> list[str]:
    return [call["operation"] for call in sandbox.calls("highlevel")]


def audited(ledger: Ledger) -> list[tuple[str, str, str]]:
    sql = """
        select entry.effect, entry.target, entry.target_id from audit_entry entry
        join call on call.id = entry.call_id where call.operation = :operation
    """
    return ledger.run(
        lambda c: [tuple(row) for row in c.execute(text(sql), {"operation": REGISTER})]
    )


def test_a_registered_provider_is_listed_and_its_effect_is_audited(
    acme: Run, ledger: Ledger
) -> None:
    assert "No provider is registered" in acme("provider", "list", "acme").stdout
    result = acme(*registering("--yes"))
    assert result.exit_code == 0
    [made] = listed(acme)
    assert made["id"] in result.stdout
    assert (made["name"], made["title"], made["provider"]) == ("easy-direct", "Easy Direct", "nmi")
    assert "easy-direct" in acme("provider", "list", "acme").stdout
    assert audited(ledger) == [("create", "provider", made["id"])]


def test_no_call_leaves_without_a_row_of_its_own(
    acme: Run, sandbox: SandboxProcess, ledger: Ledger
) -> None:
    acme(*registering("--yes"))
    rows = ledger.run(
        lambda c: c.execute(
            text("select operation, sent, status, error from call order by at")
        ).all()
    )
    assert [row.operation for row in rows] == operations(sandbox) == [LIST, REGISTER]
    assert all(row.sent and row.status == 200 and row.error is None for row in rows)


def test_a_dry_run_prints_the_request_and_sends_nothing(acme: Run, sandbox: SandboxProcess) -> None:
    result = acme(*registering("--dry-run"))
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == f"POST {sandbox.highlevel_url}{PATH}"
    assert "version: 2021-07-28" in lines
    assert TOKEN not in result.output
    (body,) = (line for line in lines if line.startswith("{"))
    assert json.loads(body) == {
        "uniqueName": "easy-direct",
        "title": "Easy Direct",
        "provider": "nmi",
        "description": "Cards",
        "imageUrl": "https://example.com/logo.png",
        "altId": LOCATION,
        "altType": "location",
    }
    assert operations(sandbox) == []


def test_a_provider_that_is_there_is_not_registered_again(
    acme: Run, sandbox: SandboxProcess, ledger: Ledger
) -> None:
    acme(*registering("--yes"))
    result = acme(*registering("--yes"))
    assert result.exit_code == 0
    assert "registered already" in result.stdout
    assert operations(sandbox).count(REGISTER) == 1
    assert len(audited(ledger)) == 1


def test_another_one_of_the_same_name_is_refused(acme: Run, sandbox: SandboxProcess) -> None:
    acme(*registering("--yes"))
    result = acme(*registering("--yes", title="Another", provider="authorize-net"))
    assert result.exit_code == 2
    assert "another title and another provider" in result.stderr
    assert "Choose another --name" in result.stderr
    assert operations(sandbox).count(REGISTER) == 1


def test_a_name_beyond_the_first_page_is_seen(
    acme: Run, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncline.connections.provider_cli.PAGE", 1)
    for name in ("one", "two", "three"):
        assert acme(*registering("--yes", name=name)).exit_code == 0
    assert [one["name"] for one in listed(acme)] == ["one", "two", "three"]
    assert "registered already" in acme(*registering("--yes", name="three")).stdout


@pytest.mark.parametrize(
    ("typed", "code", "said"), [("y\n", 0, "Registered"), ("n\n", 1, "Nothing"), ("", 2, "--yes")]
)
def test_without_yes_a_person_is_asked(
    acme: Run, sandbox: SandboxProcess, typed: str, code: int, said: str
) -> None:
    result = acme(*registering(), typed=typed)
    assert result.exit_code == code
    assert said in result.output
    assert LOCATION in result.stderr
    assert operations(sandbox).count(REGISTER) == (code == 0)


@pytest.mark.parametrize("kind", ["cut_after", "500_after"])
def test_one_that_was_registered_without_an_answer_is_found_and_audited(
    acme: Run, sandbox: SandboxProcess, ledger: Ledger, kind: str
) -> None:
    sandbox.faults(kind=kind, operation=REGISTER, next=1)
    result = acme(*registering("--yes"))
    assert result.exit_code == 0
    [made] = listed(acme)
    assert made["id"] in result.stdout
    assert operations(sandbox).count(REGISTER) == 1
    assert audited(ledger) == [("create", "provider", made["id"])]


def test_one_that_lands_late_is_found_after_the_settle_time(
    acme: Run, sandbox: SandboxProcess, ledger: Ledger
) -> None:
    sandbox.faults(kind="late", operation=REGISTER, next=1, late_seconds=0.5)
    result = acme(*registering("--yes"))
    assert result.exit_code == 0
    assert "outcome of a write is unknown" in result.stderr
    assert [made["id"] for made in listed(acme)] == [row[2] for row in audited(ledger)]
    assert operations(sandbox).count(REGISTER) == 1


def test_one_that_never_arrived_may_be_registered_again(
    acme: Run, sandbox: SandboxProcess, ledger: Ledger
) -> None:
    sandbox.faults(kind="cut_before", operation=REGISTER, next=1)
    result = acme(*registering("--yes"))
    assert result.exit_code == 1
    assert "was not registered" in result.stderr
    assert "Run the command again" in result.stderr
    assert audited(ledger) == []
    assert acme(*registering("--yes")).exit_code == 0
    assert len(listed(acme)) == 1


def test_when_the_list_cannot_be_read_either_it_says_that_nobody_knows(
    acme: Run, sandbox: SandboxProcess
) -> None:
    sandbox.faults(
        {"kind": "cut_after", "operation": REGISTER, "next": 1},
        {"kind": "500", "operation": LIST, "skip": 2, "next": 1},
    )
    result = acme(*registering("--yes"))
    assert result.exit_code == 1
    assert "is unknown" in result.stderr
    assert "syncline provider list acme" in result.stderr


@pytest.mark.parametrize("kind", ["500", "429"])
def test_a_list_that_cannot_be_read_registers_nothing(
    acme: Run, sandbox: SandboxProcess, kind: str
) -> None:
    sandbox.faults(kind=kind, operation=LIST, next=1)
    result = acme(*registering("--yes"))
    assert result.exit_code == 1
    assert "Run the command again in" in result.stderr
    assert operations(sandbox) == [LIST]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("name", "Easy Direct"),
        ("title", " "),
        ("description", ""),
        ("image_url", "http://example.com/logo.png"),
    ],
)
def test_an_option_that_will_not_do_is_named_before_anything_is_sent(
    acme: Run, sandbox: SandboxProcess, option: str, value: str
) -> None:
    result = acme(*registering("--dry-run", **{option: value}))
    assert result.exit_code == 2
    assert f"--{option.replace('_', '-')} will not do" in result.stderr
    assert operations(sandbox) == []


def test_while_a_backfill_uses_up_the_quota_a_command_waits_and_says_so(
    run: Run,
    sandbox: SandboxProcess,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sandbox.reset(orders=1, transactions=0, subscriptions=0)
    monkeypatch.setenv("HL_TOKEN", TOKEN)
    here = adding(
        location=LOCATION, highlevel_url=sandbox.highlevel_url, highlevel_limit=f"{CALLS}/2"
    )
    assert run(*here).exit_code == 0
    key = QuotaKey(f"highlevel:{LOCATION}", (Limit(CALLS, timedelta(seconds=2)),))
    with Redis.from_url(redis_url) as redis:
        quota = Quota(redis, recover=lambda _key, _window: ())

        def taken_by_a_backfill() -> Sequence[str]:
            within = timedelta(seconds=5)
            return quota.take(
                key, CALLS, lane=Lane.BACKFILL, connection="acme", deadline=within
            ).tokens

        quota.give_back(key, taken_by_a_backfill())
        result = run(*registering("--yes"))
        assert result.exit_code == 0, result.output
        assert "Registered easy-direct" in result.stdout
        assert "note: Waiting for HighLevel's quota, which the workers use too" in result.stderr
        # For half a minute a part is kept for what the person asks next.
        assert len(taken_by_a_backfill()) < CALLS - 2


CALLS = 20
"""In 2 s."""


def test_a_missing_scope_is_named(
    acme: Run, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HL_TOKEN", TOKEN_WITHOUT_SCOPES)
    new_token = ["credentials", "set", "acme", "private-token", "--secret-env", "HL_TOKEN"]
    assert acme(*new_token).exit_code == 0
    result = acme("provider", "list", "acme")
    assert result.exit_code == 2
    assert "payments/integration.readonly" in result.stderr


def test_an_unknown_connection_is_named(acme: Run) -> None:
    assert "Known: acme." in acme("provider", "list", "nobody").stderr
