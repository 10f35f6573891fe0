"""The commands about the dashboard, against the emulated Halo."""

from __future__ import annotations

import pytest

from syncline.sandbox.process import SandboxProcess
from tests.syncline.cli.conftest import Run, connected, document

GROUP = ("halo", "dashboard")


def test_it_is_installed_shown_and_removed(
    run: Run, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected(run, sandbox, monkeypatch)
    planned = run(*GROUP, "install", "acme", "--dry-run")
    assert planned.exit_code == 0, planned.output
    assert "dry run" in planned.stdout
    shown = run(*GROUP, "show", "acme")
    assert "not there" in shown.stdout
    assert "syncline halo dashboard install acme" in shown.stdout
    made = run(*GROUP, "install", "acme")
    assert made.exit_code == 0, made.output
    assert "custom table" in made.stdout
    again = document(run(*GROUP, "install", "acme", "--json"))
    assert {one["state"] for one in again["parts"]} == {"unchanged"}
    assert again["figures_in"] == "table"
    stands = document(run(*GROUP, "show", "acme", "--json"))
    assert stands["figures"]["last reconciliation"] == "never"
    would = run(*GROUP, "remove", "acme", "--dry-run")
    assert "would be removed" in would.stdout
    gone = document(run(*GROUP, "remove", "acme", "--json"))
    assert len(gone["removed"]) == len(again["parts"])
    assert "nothing of a dashboard" in run(*GROUP, "remove", "acme").stdout


def test_a_tenant_without_dashboards_is_told_what_to_do_and_ends_with_2(
    run: Run, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected(run, sandbox, monkeypatch, profile="awkward")
    done = run(*GROUP, "install", "acme")
    assert done.exit_code == 2
    assert "not offered" in done.stdout
    assert "right to dashboards" in " ".join(done.stdout.split())
