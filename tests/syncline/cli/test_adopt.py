"""`syncline adopt`: what it shows, what it asks, and that it starts the connection only then."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from syncline.ledger import connections
from syncline.ledger.connections import Link
from syncline.ledger.database import Ledger
from syncline.sandbox.config import LOCATION, TOKEN, SandboxConfig
from syncline.sandbox.process import SandboxProcess
from tests.syncline.cli.conftest import Run, adding, document
from tests.world import small


@pytest.fixture
def waiting(run: Run, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A connection to the sandbox that was added to be adopted."""
    config = SandboxConfig()
    monkeypatch.setenv("HL_TOKEN", TOKEN)
    monkeypatch.setenv("HALO_SECRET", config.halo_client_secret)
    small(sandbox, orders=12)
    places = {
        "location": LOCATION,
        "highlevel_url": sandbox.highlevel_url,
        "halo_url": sandbox.halo_url,
        "halo_client_id": config.halo_client_id,
        "highlevel_limit": "1000/1",
        "halo_limit": "1000/1",
    }
    added = run(*adding(**places), "--adopt")
    assert added.exit_code == 0
    assert "syncline adopt acme" in added.stdout
    return run


def link(ledger: Ledger) -> Link:
    return ledger.run(lambda connection: connections.by_name(connection, "acme"))


def test_a_connection_to_be_adopted_is_added_stopped_and_says_why(
    waiting: Run, ledger: Ledger
) -> None:
    found = link(ledger)
    assert (found.state, found.note) == ("stopped", "adopt first: syncline adopt acme")


def test_without_apply_it_shows_all_and_changes_nothing(
    waiting: Run, sandbox: SandboxProcess, ledger: Ledger, tmp_path: Path
) -> None:
    truth = sandbox.post("/plant", {"near_misses": 0.3})
    file = tmp_path / "doubtful.csv"
    shown = document(waiting("adopt", "acme", "--json", "--doubtful", str(file)))
    owed = {one["order"] for one in shown["matched"]}
    owed |= {one["order"]["id"] for one in shown["doubtful"]} | set(shown["rest"])
    assert {one["order"]: one["halo"] for one in shown["matched"]}.items() <= truth[
        "matches"
    ].items()
    assert owed <= {*truth["matches"], *truth["near_misses"]}
    assert (shown["applied"], link(ledger).state) == (False, "stopped")
    with file.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert {row["order"] for row in rows} == {one["order"]["id"] for one in shown["doubtful"]}
    told = waiting("adopt", "acme").stdout
    assert "matched: would be taken over" in told
    assert "syncline adopt acme --apply" in told


def test_with_apply_it_takes_over_and_starts_the_connection(
    waiting: Run, sandbox: SandboxProcess, ledger: Ledger
) -> None:
    truth = sandbox.post("/plant", {"near_misses": 0})
    done = document(waiting("adopt", "acme", "--apply", "--yes", "--json"))
    matched = {one["order"]: one["halo"] for one in done["matched"]}
    assert matched.items() <= truth["matches"].items()
    assert (done["applied"], done["started"], done["unwritten"]) == (True, True, 0)
    assert link(ledger).state == "active"
    again = waiting("adopt", "acme")
    assert again.exit_code == 2
    assert "syncline connection stop acme" in again.stderr


def test_it_asks_and_where_nobody_is_there_it_refuses(
    waiting: Run, sandbox: SandboxProcess, ledger: Ledger
) -> None:
    sandbox.post("/plant", {})
    refused = waiting("adopt", "acme", "--apply")
    assert refused.exit_code == 2
    assert "--yes" in refused.stderr
    assert link(ledger).state == "stopped"


def test_it_stays_stopped_where_that_is_wished(
    waiting: Run, sandbox: SandboxProcess, ledger: Ledger
) -> None:
    sandbox.post("/plant", {"near_misses": 0})
    done = waiting("adopt", "acme", "--apply", "--yes", "--keep-stopped")
    assert done.exit_code == 0
    assert "acme stays stopped." in done.stdout
    assert link(ledger).state == "stopped"
    assert link(ledger).note == "by hand; to go on: syncline connection start acme"
    assert waiting("connection", "start", "acme").exit_code == 0


def test_it_is_not_started_before_its_adoption_unless_halo_holds_nothing_of_it(
    waiting: Run, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncline.connections.run.NOTICED_AFTER_S", 0.0)
    assert not link(ledger).stopped_by_itself
    for before in ([], ["rehearse"]):
        for command in before:
            assert waiting("connection", command, "acme").exit_code == 0
        refused = waiting("connection", "start", "acme")
        assert refused.exit_code == 2
        assert "syncline adopt acme" in refused.stderr
    assert waiting("connection", "start", "acme", "--without-adoption").exit_code == 0
    assert link(ledger).state == "active"
    assert not link(ledger).awaits_adoption


@pytest.mark.parametrize("text", ["5012", "order=", "order=x", "=12"])
def test_a_pair_that_is_none_is_refused(waiting: Run, text: str) -> None:
    refused = waiting("adopt", "acme", "--take", text)
    assert refused.exit_code == 2
    assert "pairs" in refused.stderr


def test_a_connection_is_stopped_by_hand_and_says_how_it_goes_on(
    run: Run, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncline.connections.run.NOTICED_AFTER_S", 0.0)
    assert run(*adding()).exit_code == 0
    assert run("connection", "stop", "acme").stdout == "acme stands still.\n"
    assert link(ledger).state == "stopped"
    assert run("connection", "stop", "acme").stdout == "acme was stopped already.\n"


def test_money_is_shown_and_taken_over_beside_the_orders(
    waiting: Run, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    truth = sandbox.post("/plant", {"near_misses": 0, "money": 1, "billing": 1})["money"]
    file = tmp_path / "doubtful.csv"
    shown = document(waiting("adopt", "acme", "--json", "--doubtful", str(file)))
    for kind in ("invoices", "payments", "credits"):
        matched = {one["halo"] for one in shown[kind]["matched"]}
        assert matched <= set(truth[kind].values())
    assert shown["invoices"]["matched"]
    billing = {one["halo"]["id"] for one in shown["subscriptions"]["doubtful"]}
    assert billing == set(shown["bills_by_itself"])
    assert billing
    assert billing <= set(truth["billing"])
    with file.open(encoding="utf-8") as lines:
        told = {(row["what"], int(row["halo_id"])) for row in csv.DictReader(lines)}
    assert {("recurring", row) for row in billing} <= told
    for said in (
        waiting("adopt", "acme").stdout,
        waiting("adopt", "acme", "--apply", "--yes", "--keep-stopped").stdout,
    ):
        assert "bill by themselves" in said
        assert "They are left as they are." in said


def test_money_that_is_doubtful_is_taken_by_its_kind(waiting: Run, sandbox: SandboxProcess) -> None:
    sandbox.post("/plant", {"near_misses": 0, "money": 1, "money_near_misses": 1})
    done = document(waiting("adopt", "acme", "--apply", "--yes", "--json", "--keep-stopped"))
    doubt = done["invoices"]["doubtful"][0]
    pair = f"invoice:{doubt['order']['id']}={doubt['halo']['id']}"
    assert waiting("adopt", "acme", "--take", pair).stdout == "1 of 1 adopted.\n"
    again = waiting("adopt", "acme", "--take", pair)
    assert again.exit_code == 2
    assert "not open to be adopted" in again.stderr
