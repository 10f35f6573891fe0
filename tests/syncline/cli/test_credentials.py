"""Which secrets are kept, replacing one, and changing the sealing key, whatever breaks it off."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Connection, text

from syncline import encryption as rotation
from syncline import private
from syncline.credentials import cli, queries
from syncline.credentials.oauth_grants import keep_grant
from syncline.credentials.stored import ALERT_URLS, keep, secret
from syncline.encryption import Sealer, load_key
from syncline.errors import Refused
from syncline.ledger import connections
from syncline.ledger.database import Ledger
from syncline.settings import Settings
from tests.receiving import until
from tests.syncline.cli.conftest import SECRETS, LedgerScene, Run, adding, document, runner
from workers.console import opening


class Killed(BaseException):
    """SIGKILL, as the process itself would see it if it could."""


def opened(ledger: Ledger, settings: Settings) -> dict[str, str]:
    """Every stored secret, as a process that starts now reads it."""
    sealer = load_key(settings)
    stored = ledger.run(queries.everything)
    return {one.purpose: sealer.open(one.sealed, one.context).get_secret_value() for one in stored}


def all_current(ledger: Ledger, settings: Settings) -> bool:
    sealer = load_key(settings)
    return all(sealer.is_current(one.sealed) for one in ledger.run(queries.everything))


EXPECTED = {"private_token": SECRETS["HL_TOKEN"], "client_secret": SECRETS["HALO_SECRET"]}


def test_the_list_tells_everything_but_the_secrets(scene: LedgerScene, run: Run) -> None:
    listed = document(run("credentials", "list", "--json"))
    assert {(one["purpose"], *one["connections"]) for one in listed["credentials"]} == {
        ("private_token", "acme"),
        ("client_secret", "acme"),
    }
    assert all(one["sealed_with_current_key"] for one in listed["credentials"])
    assert all(one["rotation_due"] > one["since"] for one in listed["credentials"])
    assert listed["warnings"] == []
    shown = run("credentials", "list").output
    for value in SECRETS.values():
        assert value not in shown
        assert value not in str(listed)


def test_an_empty_installation_says_how_to_begin(run: Run) -> None:
    assert "syncline connection add" in run("credentials", "list").stdout


@pytest.mark.parametrize(("days", "warned"), [(75, False), (77, True), (95, True)])
def test_a_rotation_is_spoken_of_two_weeks_before_it_is_due(
    scene: LedgerScene, run: Run, days: int, warned: bool
) -> None:
    scene.ledger.run(
        lambda c: c.execute(
            text("update credential set updated_at = updated_at - make_interval(days => :days)"),
            {"days": days},
        )
    )
    warnings = document(run("credentials", "list", "--json"))["warnings"]
    assert bool(warnings) == warned
    if warned:
        assert any("syncline credentials set acme private-token" in one for one in warnings)
        assert any("syncline credentials set acme client-secret" in one for one in warnings)


def test_an_app_that_was_not_used_for_a_year_or_not_renewed_is_spoken_of(
    scene: LedgerScene, settings: Settings
) -> None:
    sealer, place, now = load_key(settings), scene.link.location_place, datetime.now(UTC)

    def warnings(connection: Connection, at: datetime) -> list[str]:
        found = queries.credential_warnings(connection, at)
        return [one for one in found if "oauth" in one]

    def work(connection: Connection) -> list[list[str]]:
        keep_grant(connection, sealer, place, grant_until(now + timedelta(hours=20)))
        return [
            warnings(connection, now),
            warnings(connection, now + timedelta(days=2)),
            warnings(connection, now + timedelta(days=352)),
        ]

    fresh, late, unused = scene.ledger.run(work)
    assert fresh == []
    assert "was not renewed yet" in late[0]
    assert "ends unused" in unused[0]
    assert all(one[0].endswith("syncline connect highlevel acme") for one in (late, unused))


def grant_until(ends: datetime) -> Any:
    from syncline.highlevel.oauth import OAuthGrant  # noqa: PLC0415

    return OAuthGrant(
        access=SecretStr("at"),
        refresh=SecretStr("rt"),
        got_at=ends - timedelta(days=1),
        expires_at=ends,
        scopes=frozenset({"payments/orders.readonly"}),
        location_id="loc1",
        company_id=None,
    )


def test_a_replaced_secret_is_what_counts_and_its_clock_begins_anew(
    scene: LedgerScene, run: Run, settings: Settings
) -> None:
    before = document(run("credentials", "list", "--json"))["credentials"]
    command = ["credentials", "set", "acme", "client-secret", "--secret", "-"]
    assert "connection check acme" in run(*command, typed="another\n").stdout
    assert opened(scene.ledger, settings) == {**EXPECTED, "client_secret": "another"}
    after = document(run("credentials", "list", "--json"))["credentials"]
    since = [{one["purpose"]: one["since"] for one in listed} for listed in (before, after)]
    assert since[0]["client_secret"] < since[1]["client_secret"]
    assert since[0]["private_token"] == since[1]["private_token"]


def test_a_private_token_takes_the_place_of_an_installed_app(
    scene: LedgerScene, run: Run, settings: Settings
) -> None:
    def install(connection: Connection) -> None:
        ends = datetime.now(UTC) + timedelta(hours=1)
        keep_grant(connection, load_key(settings), scene.link.location_place, grant_until(ends))
        connections.let_in(connection, scene.link, auth="oauth", company_id="c1")

    scene.ledger.run(install)
    run("credentials", "set", "acme", "private-token", "--secret-env", "HL_TOKEN")
    link = scene.ledger.run(lambda c: connections.by_name(c, "acme"))
    assert (link.auth, link.company_id) == ("private", None)
    assert opened(scene.ledger, settings) == EXPECTED


def test_a_secret_on_the_command_line_or_of_nobody_is_refused(scene: LedgerScene, run: Run) -> None:
    typed = run("credentials", "set", "acme", "private-token", "--secret", "pit-typed-here")
    assert typed.exit_code == 2
    assert "--secret-env NAME" in typed.stderr
    assert "pit-typed-here" not in typed.stderr
    nobody = run("credentials", "set", "nobody", "private-token", "--secret", "-")
    assert nobody.exit_code == 2
    assert "Known: acme." in nobody.stderr


def test_addresses_of_several_channels_are_kept_as_they_are_read(
    scene: LedgerScene, run: Run, settings: Settings
) -> None:
    typed = "slack://a/b/c  mailtos://user:p\u00e4ss@example.com \n"
    assert run("credentials", "set", "acme", "alert-urls", "--secret", "-", typed=typed).stdout
    kept = scene.ledger.run(
        lambda c: secret(c, load_key(settings), scene.link.own_place, ALERT_URLS)
    )
    assert kept is not None
    assert kept.get_secret_value() == "slack://a/b/c mailtos://user:p\u00e4ss@example.com"


def test_a_new_key_seals_everything_and_the_old_one_is_forgotten(
    scene: LedgerScene, run: Run, settings: Settings
) -> None:
    before = private.read(settings.data / "key").get_secret_value()
    dry = document(run("credentials", "rotate-key", "--dry-run", "--json"))
    assert dry == {"new_key": True, "sealed_anew": 2, "dry_run": True}
    assert private.read(settings.data / "key").get_secret_value() == before
    done = document(run("credentials", "rotate-key", "--json"))
    assert done == {"new_key": True, "sealed_anew": 2, "dry_run": False}
    assert private.read(settings.data / "key").get_secret_value() != before
    assert not (settings.data / "key.old").exists()
    assert opened(scene.ledger, settings) == EXPECTED
    assert all_current(scene.ledger, settings)
    assert document(run("credentials", "list", "--json"))["warnings"] == []


def test_a_worker_that_runs_on_reads_and_writes_through_a_rotation(
    scene: LedgerScene, run: Run, settings: Settings
) -> None:
    worker = load_key(settings)
    place = scene.link.tenant_place
    run("credentials", "rotate-key")
    read = scene.ledger.run(lambda c: secret(c, worker, place, "client_secret"))
    assert read is not None
    assert read.get_secret_value() == SECRETS["HALO_SECRET"]
    scene.ledger.run(lambda c: keep(c, worker, place, "client_secret", SecretStr("newer")))
    assert opened(scene.ledger, settings) == {**EXPECTED, "client_secret": "newer"}


def test_a_key_of_the_settings_is_rotated_with_the_old_one_beside_it(
    scene: LedgerScene, settings: Settings
) -> None:
    old = private.read(settings.data / "key")
    fixed = settings.model_copy(update={"key": old})
    refused = runner(fixed)("credentials", "rotate-key")
    assert refused.exit_code == 2
    assert "SYNCLINE_OLD_KEYS" in refused.stderr
    both = settings.model_copy(update={"key": SecretStr("n" * 40), "old_keys": old})
    result = runner(both)("credentials", "rotate-key")
    assert result.exit_code == 0
    assert "may be taken out of the settings" in result.stdout
    alone = settings.model_copy(update={"key": SecretStr("n" * 40)})
    assert opened(scene.ledger, alone) == EXPECTED


POINTS = ["first file", "second file", "a row", "commit", "after commit"]


@contextmanager
def dying_at(point: str, ledger: Ledger) -> Iterator[None]:
    """The rotation is killed at this point."""
    patch = pytest.MonkeyPatch()
    put, seal, run = private.put, Sealer.seal, Ledger.run
    files: list[Path] = []

    def putting(path: Path, value: SecretStr) -> None:
        files.append(path)
        if point == ("first file", "second file")[len(files) - 1]:
            raise Killed
        put(path, value)

    def sealing(self: Sealer, value: SecretStr, context: str) -> bytes:
        if point == "a row" and "tenant" in context:
            raise Killed
        return seal(self, value, context)

    def running(self: Ledger, work: Any) -> Any:
        def whole(connection: Connection) -> Any:
            done = work(connection)
            if point == "commit" and files:
                raise Killed
            return done

        result = run(self, whole)
        if point == "after commit" and files:
            raise Killed
        return result

    patch.setattr(private, "put", putting)
    patch.setattr(Sealer, "seal", sealing)
    patch.setattr(Ledger, "run", running)
    try:
        yield
    finally:
        patch.undo()


@pytest.mark.parametrize("point", POINTS)
def test_a_rotation_that_is_killed_loses_nothing_and_the_next_one_finishes_it(
    scene: LedgerScene, run: Run, settings: Settings, point: str
) -> None:
    before = private.read(settings.data / "key").get_secret_value()
    with dying_at(point, scene.ledger), pytest.raises(Killed):
        run("credentials", "rotate-key")
    assert opened(scene.ledger, settings) == EXPECTED
    assert run("credentials", "rotate-key").exit_code == 0
    assert opened(scene.ledger, settings) == EXPECTED
    assert all_current(scene.ledger, settings)
    assert private.read(settings.data / "key").get_secret_value() != before
    assert not (settings.data / "key.old").exists()


def test_a_rotation_that_begins_while_another_one_ends_loses_nothing(
    scene: LedgerScene, run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, ended = threading.Event(), threading.Event()
    begin, end = rotation.begin_rotation, rotation.end_rotation
    others: list[threading.Thread] = []

    def rotate() -> None:
        with suppress(Refused), opening.opened(settings) as worker:
            cli._rotate(worker, settings, dry_run=False)

    def beginning(of: Settings) -> None:
        begin(of)
        if threading.current_thread() in others:
            began.set()
            assert ended.wait(60)

    def ending(of: Settings) -> None:
        if not others:
            others.append(threading.Thread(target=rotate))
            others[0].start()
            until(lambda: began.is_set() or waiting(scene.ledger) > 0)
        end(of)
        ended.set()

    monkeypatch.setattr(cli, "begin_rotation", beginning)
    monkeypatch.setattr(cli, "end_rotation", ending)
    run("credentials", "rotate-key")
    others[0].join()
    assert opened(scene.ledger, settings) == EXPECTED


def test_a_private_token_waits_for_a_renewal_of_the_app_that_it_replaces(
    scene: LedgerScene, run: Run, settings: Settings
) -> None:
    place, ends = scene.link.location_place, datetime.now(UTC) + timedelta(hours=1)
    command = ("credentials", "set", "acme", "private-token", "--secret-env", "HL_TOKEN")
    setting = threading.Thread(target=run, args=command)
    with scene.ledger.begin() as renewing:
        queries.lock(renewing, place)
        setting.start()
        until(lambda: waiting(scene.ledger) > 0 or not setting.is_alive())
        keep_grant(renewing, load_key(settings), place, grant_until(ends))
    setting.join()
    assert opened(scene.ledger, settings) == EXPECTED


def test_a_rotation_killed_for_good_in_the_middle_leaves_both_keys(
    scene: LedgerScene, run: Run, settings: Settings, database: str, redis_url: str
) -> None:
    environment = {
        **os.environ,
        "SYNCLINE_DATA": str(settings.data),
        "SYNCLINE_DATABASE_URL": database,
        "SYNCLINE_REDIS_URL": redis_url,
    }
    with scene.ledger.begin() as holding:
        # It gets its lock and its files, and then waits for this row.
        holding.execute(text("select 1 from credential for update"))
        process = subprocess.Popen(
            [sys.executable, "-m", "workers.console.main", "credentials", "rotate-key"],
            env=environment,
        )
        has_begun = (settings.data / "key.old").exists
        until(lambda: process.poll() is not None or (has_begun() and waiting(scene.ledger) > 0))
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (settings.data / "key.old").exists()
    assert opened(scene.ledger, settings) == EXPECTED
    assert not all_current(scene.ledger, settings)
    finished = document(run("credentials", "rotate-key", "--json"))
    assert finished == {"new_key": False, "sealed_anew": 2, "dry_run": False}
    assert opened(scene.ledger, settings) == EXPECTED
    assert not (settings.data / "key.old").exists()


def waiting(ledger: Ledger) -> int:
    """How many statements wait for a lock of another transaction."""
    found: int = ledger.run(
        lambda c: c.execute(
            text(
                """
                select count(*) from pg_stat_activity
                where wait_event_type = 'Lock' and datname = current_database()
                """
            )
        ).scalar_one()
    )
    return found


def test_a_trial_account_has_one_small_budget_for_all_its_locations(
    run: Run, ledger: Ledger
) -> None:
    from syncline.calls.quota_keys import highlevel_key  # noqa: PLC0415

    for number in (1, 2):
        options = {
            "trial_account": "ours",
            "location": f"loc{number}",
            "halo_url": f"https://acme{number}.example",
        }
        assert run(*adding(f"acme{number}", **options)).exit_code == 0
    first, second = (highlevel_key(link) for link in ledger.run(connections.everyone))
    assert first == second
    assert first.name == "highlevel:account:ours"
    assert (first.limits[0].calls, first.daily) == (25, 10_000)
