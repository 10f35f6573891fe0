"""Looking at parked deliveries by cause, and sending them again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

from syncline.deliveries import leased
from syncline.deliveries.delivery import Confirmation
from tests.syncline.cli.conftest import LedgerScene, Run, document, send

REASON = "Halo has no currency XTS. Add the currency in Halo's configuration, then retry."
IDS = ("o1", "o2")


@pytest.fixture
def parked(scene: LedgerScene) -> LedgerScene:
    for order_id in IDS:
        scene.see(order_id, currency="XTS")
    scene.park(scene.claim(), REASON, "currency_code")
    return scene


@pytest.fixture
def of_two_causes(parked: LedgerScene) -> LedgerScene:
    for order_id in ("o3", "o4", "o5"):
        parked.see(order_id)
    for at, lease in enumerate(parked.claim()):
        parked.park([lease], f"total: wanted 10.50, Halo holds 10.5{at}", "total")
    return parked


def test_one_cause_is_one_line_however_many_records_it_holds_up(
    of_two_causes: LedgerScene, run: Run
) -> None:
    found = document(run("parked", "list", "--json"))
    assert found["parked"] == 5
    assert [
        (one["cause"]["records"], one["cause"]["field"], one["said"]) for one in found["causes"]
    ] == [
        (3, "total", "total: wanted …, Halo holds …"),
        (2, "currency_code", "Halo has no currency XTS."),
    ]
    shown = run("parked", "list").stdout
    assert "5 parked, for 2 causes" in shown
    assert all(shown.count(one["cause"]["id"]) == 1 for one in found["causes"])


def test_a_cause_comes_with_its_remedy_and_an_example(parked: LedgerScene, run: Run) -> None:
    [one] = document(run("parked", "list", "--json"))["causes"]
    assert one["remedy"] == "Add the currency in Halo's configuration, then retry."
    assert one["cause"]["example_record"] == "o1"
    assert one["cause"]["connections"] == ["acme"]


def test_on_a_narrow_terminal_a_remedy_stands_in_lines_of_its_own(
    parked: LedgerScene, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    cause = document(run("parked", "list", "--json"))["causes"][0]["cause"]["id"]
    monkeypatch.setattr("syncline.cli.parked.console", lambda: Console(width=80))
    shown = run("parked", "list").stdout
    assert f"{cause}: Add the currency in Halo's configuration, then retry." in shown


def test_causes_beyond_the_limit_are_counted(of_two_causes: LedgerScene, run: Run) -> None:
    found = document(run("parked", "list", "--limit", "1", "--json"))
    assert (found["parked"], len(found["causes"]), found["more"]) == (5, 1, 1)
    assert "1 more cause" in run("parked", "list", "--limit", "1").stdout


def test_records_are_listed_with_reason_and_field(parked: LedgerScene, run: Run) -> None:
    found = document(run("parked", "list", "--records", "--json"))
    assert found["parked"] == 2
    assert {one["source_id"] for one in found["deliveries"]} == set(IDS)
    assert {(one["reason"], one["field"]) for one in found["deliveries"]} == {
        (REASON, "currency_code")
    }
    assert "2 parked" in run("parked", "list", "--records").stdout


def test_the_records_of_one_cause_are_listed_alone(of_two_causes: LedgerScene, run: Run) -> None:
    cause = document(run("parked", "list", "--json"))["causes"][1]["cause"]["id"]
    found = document(run("parked", "list", "--cause", cause, "--json"))
    assert found["parked"] == 2
    assert [one["source_id"] for one in found["deliveries"]] == list(IDS)


def test_one_that_was_never_sent_is_shown_with_its_record_and_the_field_marked(
    parked: LedgerScene, run: Run
) -> None:
    [one] = document(run("parked", "show", "o1", "--json"))
    assert one["marked"] == {"highlevel": ["currency"], "halo": ["currency_code"]}
    assert one["source"]["canonical"]["currency"] == "XTS"
    assert one["source"]["facets"]["list"]["contactEmail"] == "ada@example.com"
    assert one["remedy"] == "Add the currency in Halo's configuration, then retry."
    shown = run("parked", "show", str(one["delivery"]["id"])).stdout
    assert f"syncline parked retry {one['delivery']['id']}" in shown
    assert "never sent" in shown
    marked = [line for line in shown.splitlines() if "►" in line]
    assert any("currency_code" in line for line in marked)
    assert any("XTS" in line for line in marked)
    assert not any("ada@example.com" in line for line in marked)


def test_what_was_sent_stands_beside_what_halo_holds(scene: LedgerScene, run: Run) -> None:
    scene.see("o1")
    [lease] = scene.claim()
    sent = replace(lease, sent_version=lease.wanted_version)
    held = Confirmation(sent, "77", {"change_seq": 4}, None)
    send(scene, lease, {"po_number": "HL-o1", "total": "10.50"})
    scene.ledger.run(
        lambda c: leased.park(
            c, [lease], reason="total: wanted 10.50, Halo holds 9.00", field="total", known=held
        )
    )
    [one] = document(run("parked", "show", "o1", "--json"))
    assert one["delivery"]["wanted"]["total"] == "10.50"
    assert one["delivery"]["target_meta"] == {"change_seq": 4}
    assert one["marked"] == {"highlevel": ["amount"], "halo": ["total"]}
    shown = run("parked", "show", "o1").stdout
    assert "row 77 in Halo" in shown
    assert "change_seq" in shown


def test_the_field_that_a_mapping_row_sets_is_marked_where_it_reads(
    scene: LedgerScene, run: Run
) -> None:
    scene.see("o1")
    scene.park(scene.claim(), "Invalid date", "date")
    [one] = document(run("parked", "show", "o1", "--json"))
    assert one["marked"] == {"highlevel": ["created_at"], "halo": ["date"]}


def test_a_reason_without_a_field_marks_nothing(scene: LedgerScene, run: Run) -> None:
    scene.see("o1")
    scene.park(scene.claim(), "HighLevel no longer has this order")
    [one] = document(run("parked", "show", "o1", "--json"))
    assert one["marked"] == {"highlevel": [], "halo": []}
    assert "►" not in run("parked", "show", "o1").stdout


def test_a_cause_is_shown_by_one_of_its_records(of_two_causes: LedgerScene, run: Run) -> None:
    cause = document(run("parked", "list", "--json"))["causes"][0]["cause"]
    found = document(run("parked", "show", cause["id"], "--json"))
    assert found["cause"]["records"] == 3
    assert found["example"]["delivery"]["id"] == cause["example"]
    shown = run("parked", "show", cause["id"]).stdout
    assert f"Cause {cause['id']}: 3 records of acme" in shown
    assert f"syncline parked retry --cause {cause['id']}" in shown


def test_one_record_is_sent_again_and_the_others_stay(parked: LedgerScene, run: Run) -> None:
    assert run("parked", "retry", "o1").stdout == "1 delivery will be sent again: 1 order.\n"
    [left] = document(run("parked", "list", "--records", "--json"))["deliveries"]
    assert left["source_id"] == "o2"
    assert [lease.source_id for lease in parked.claim()] == ["o1"]


def test_one_number_is_sent_again(parked: LedgerScene, run: Run) -> None:
    first, _ = document(run("parked", "list", "--records", "--json"))["deliveries"]
    assert "1 delivery will be" in run("parked", "retry", str(first["id"])).stdout
    assert [lease.source_id for lease in parked.claim()] == ["o1"]


def test_one_cause_is_sent_again_and_the_others_stay(of_two_causes: LedgerScene, run: Run) -> None:
    many, few = (one["cause"] for one in document(run("parked", "list", "--json"))["causes"])
    dry = run("parked", "retry", "--cause", many["id"], "--dry-run")
    assert dry.stdout == "3 deliveries would be sent again: 3 orders.\n"
    result = run("parked", "retry", "--cause", many["id"])
    assert (result.exit_code, result.stdout) == (
        0,
        "3 deliveries will be sent again: 3 orders.\n",
    )
    [left] = document(run("parked", "list", "--json"))["causes"]
    assert left["cause"]["id"] == few["id"]


def test_a_dry_run_says_how_many_and_changes_nothing(parked: LedgerScene, run: Run) -> None:
    assert "2 deliveries would be sent" in run("parked", "retry", "--all", "--dry-run").stdout
    assert "1 delivery would be sent" in run("parked", "retry", "o1", "--dry-run").stdout
    assert document(run("parked", "list", "--json"))["parked"] == 2


def test_all_of_a_connection_are_sent_again(parked: LedgerScene, run: Run) -> None:
    result = run("parked", "retry", "--all", "--connection", "acme")
    assert result.stdout == "2 deliveries will be sent again: 2 orders.\n"
    assert "Nothing is parked." in run("parked", "list").stdout
    again = run("parked", "retry", "--all")
    assert (again.exit_code, again.stdout) == (0, "Nothing is parked.\n")


def test_what_halo_may_hold_already_is_sent_again_only_where_somebody_says_so(
    scene: LedgerScene, run: Run
) -> None:
    for name, field in (("o1", "adopt"), ("o2", "total")):
        scene.see(name)
        scene.park(scene.claim(), f"why {name}", field)
    left = run("parked", "retry", "o1")
    assert (left.exit_code, "1 delivery left alone" in left.stdout) == (1, True)
    assert "adopt NAME --take" in left.stdout
    assert "1 delivery would be" in run("parked", "retry", "--all", "--dry-run").stdout
    both = run("parked", "retry", "--all").stdout
    assert "1 delivery will be sent again: 1 order." in both
    assert "1 delivery left alone" in both
    assert [lease.source_id for lease in scene.claim()] == ["o2"]
    shown = run("parked", "show", "o1").stdout
    assert "Only if it does not, have it made with: syncline parked retry" in shown
    told = run("parked", "retry", "o1", "--create")
    assert (told.exit_code, "Warning: Halo may hold" in told.stdout) == (0, True)
    assert [lease.source_id for lease in scene.claim()] == ["o1"]


@pytest.mark.parametrize("command", [["o1"], ["--all"], ["--all", "--connection", "acme"]])
def test_who_sent_it_again_is_in_the_log_of_the_record_before_what_came_of_it(
    parked: LedgerScene, run: Run, command: list[str]
) -> None:
    assert run("parked", "retry", *command).exit_code == 0
    [decided] = [
        one
        for one in document(run("show", "order", "o1", "--json"))["history"]["audit"]
        if one["target"] == "parked retry"
    ]
    assert decided["cause"].startswith("parked retry by ")
    [lease] = [one for one in parked.claim() if one.source_id == "o1"]
    assert lease.cause == decided["cause"]


def test_a_cause_is_retried_as_it_is_listed(of_two_causes: LedgerScene, run: Run) -> None:
    many, few = (one["cause"] for one in document(run("parked", "list", "--json"))["causes"])
    dry = run("parked", "retry", many["id"], "--dry-run")
    assert dry.stdout == "3 deliveries would be sent again: 3 orders.\n"
    again = run("parked", "retry", many["id"])
    assert again.stdout == "3 deliveries will be sent again: 3 orders.\n"
    [left] = document(run("parked", "list", "--json"))["causes"]
    assert left["cause"]["id"] == few["id"]


def test_a_cause_is_accepted_with_the_option_too(parked: LedgerScene, run: Run) -> None:
    cause = document(run("parked", "list", "--json"))["causes"][0]["cause"]["id"]
    bare = document(run("parked", "accept", cause, "--dry-run", "--json"))
    option = document(run("parked", "accept", "--cause", cause, "--dry-run", "--json"))
    assert bare == option
    assert len(option["deliveries"]) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["parked", "accept"],
        ["parked", "accept", "o1", "--cause", "c1"],
        ["parked", "retry"],
        ["parked", "retry", "o1", "--all"],
        ["parked", "retry", "o1", "--cause", "c1"],
        ["parked", "retry", "--cause", "c00000000"],
        ["parked", "retry", "x"],
        ["parked", "list", "--cause", "c00000000"],
        ["parked", "show", "x"],
    ],
)
def test_asking_for_nothing_in_particular_ends_with_2(
    parked: LedgerScene, run: Run, arguments: list[str]
) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
