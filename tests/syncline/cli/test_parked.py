"""Looking at parked deliveries, and sending them again."""

from __future__ import annotations

import pytest

from tests.syncline.cli.conftest import Books, Run, document


@pytest.fixture
def parked(books: Books) -> Books:
    for order_id in ("o1", "o2"):
        books.see(order_id)
    books.park(books.claim(), "Halo has no currency XTS.", "currency_code")
    return books


def test_what_is_parked_is_listed_with_reason_and_field(parked: Books, run: Run) -> None:
    found = document(run("parked", "list", "--json"))
    assert found["parked"] == 2
    assert {one["source_id"] for one in found["deliveries"]} == {"o1", "o2"}
    assert {(one["reason"], one["field"]) for one in found["deliveries"]} == {
        ("Halo has no currency XTS.", "currency_code")
    }


def test_one_is_shown_with_the_command_that_sends_it_again(parked: Books, run: Run) -> None:
    [one] = document(run("parked", "show", "o1", "--json"))
    shown = run("parked", "show", str(one["id"])).stdout
    assert f"syncline parked retry {one['id']}" in shown
    assert "Halo has no currency XTS." in shown


def test_one_record_is_sent_again_and_the_others_stay(parked: Books, run: Run) -> None:
    assert run("parked", "retry", "o1").stdout == "1 delivery will be sent again.\n"
    [left] = document(run("parked", "list", "--json"))["deliveries"]
    assert left["source_id"] == "o2"
    assert [lease.source_id for lease in parked.claim()] == ["o1"]


def test_a_dry_run_says_how_many_and_changes_nothing(parked: Books, run: Run) -> None:
    assert "2 deliveries would be sent" in run("parked", "retry", "--all", "--dry-run").stdout
    assert "1 delivery would be sent" in run("parked", "retry", "o1", "--dry-run").stdout
    assert document(run("parked", "list", "--json"))["parked"] == 2


def test_all_of_a_connection_are_sent_again(parked: Books, run: Run) -> None:
    result = run("parked", "retry", "--all", "--connection", "acme")
    assert result.stdout == "2 deliveries will be sent again.\n"
    assert "Nothing is parked." in run("parked", "list").stdout


@pytest.mark.parametrize(
    "arguments", [["parked", "retry"], ["parked", "retry", "o1", "--all"], ["parked", "show", "x"]]
)
def test_asking_for_nothing_in_particular_ends_with_2(
    parked: Books, run: Run, arguments: list[str]
) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
