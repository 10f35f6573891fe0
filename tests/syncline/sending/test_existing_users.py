"""Halo is asked once whether it has a customer already, and once more where that is long ago.

It is asked by a report where one can be had; where none can, no customer waits for that.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from syncline.calls import capabilities
from syncline.calls.calls import halo_calls
from syncline.cli.parked_remedies import in_two
from syncline.errors import Again
from syncline.halo.capabilities import Capabilities, FindProof, FindWay
from syncline.ledger import connections
from syncline.sandbox.process import SandboxProcess
from syncline.sending import existing_users, prove, render
from syncline.sending.targets import TARGETS
from tests.spoiling import answered
from tests.tenants import operations, parked
from tests.world import NAME, World, Worlds, small

REFUSED = (403, {"Message": "You do not have permission to run reports."})
BY_A_STRANGER = (403, b"")
NOT_RUN = (200, [{"report": {"loaded": False, "load_error": "Invalid object name", "rows": []}}])
NONE = (200, [{"id": 0, "name": ""}])
SHOWS_NO_ROW = (200, [{"report": {"loaded": True, "rows": []}}])
PAGE = [{"id": number, "emailaddress": f"{number}@example.com"} for number in range(1, 101)]


def known(world: World) -> Capabilities:
    return capabilities.known(world.worker.open_line(NAME))


def that_ran_reports(worlds: Worlds, sandbox: SandboxProcess) -> World:
    """At a tenant whose reports have found users before."""
    small(sandbox, orders=3, customers=2, transactions=0, subscriptions=0)
    world = worlds()
    proof = FindProof(proved=True, lag=timedelta(0))
    capabilities.teach(
        world.worker.open_line(NAME),
        lambda before: before.with_find_proof(
            "user", FindWay.SQL, proof, found_at=world.worker.now(), how="a test"
        ),
    )
    return world


def ask(world: World) -> None:
    users, unsure = existing_users.users(world.worker.open_line(NAME), ["a@example.com"])
    assert (users, unsure) == ({}, frozenset())


def let_rest_pass(world: World) -> None:
    world.do(
        "update ability set value = jsonb_build_object('rests_until', '2020-01-01T00:00:00Z')"
        " where name = 'reports_refused'"
    )


@pytest.mark.parametrize("lately", [timedelta(minutes=1), timedelta(0)])
def test_a_user_is_asked_for_again_only_if_its_client_was_not_made_just_now(
    worlds: Worlds,
    sandbox: SandboxProcess,
    monkeypatch: pytest.MonkeyPatch,
    lately: timedelta,
) -> None:
    asked: list[str] = []

    def counted(line: Any, emails: Sequence[str]) -> Any:
        asked.extend(emails)
        return users(line, emails)

    users = existing_users.users
    monkeypatch.setattr(existing_users, "users", counted)
    monkeypatch.setattr(render, "STILL_KNOWN", lately)
    small(sandbox, orders=3, customers=1, transactions=0, subscriptions=0)
    world = worlds()
    world.pull()
    world.drive()
    assert len(asked) == (1 if lately else 2) * len(set(asked))
    assert sandbox.audit()["clean"]


@pytest.mark.parametrize(
    ("answer", "most"),
    [(REFUSED, 1), (BY_A_STRANGER, 6), (NOT_RUN, 100), (NONE, 100)],
    ids=["refused", "stranger", "not run", "none"],
)
def test_customers_are_written_though_reports_can_be_had_no_more(
    worlds: Worlds,
    sandbox: SandboxProcess,
    monkeypatch: pytest.MonkeyPatch,
    answer: tuple[int, Any],
    most: int,
) -> None:
    world = that_ran_reports(worlds, sandbox)
    answered(monkeypatch, "POST /Report", lambda _: answer)
    world.pull()
    world.drive(30)
    with world.worker.ledger.begin() as connection:
        assert connections.by_name(connection, NAME).state == "active"
    assert parked(world) == []
    assert sandbox.audit()["clean"]
    assert 1 <= operations(sandbox)["POST /Report"] <= most
    assert known(world).refuses_reports is (answer in (REFUSED, BY_A_STRANGER))


def test_reports_that_alone_fail_rest_ever_longer_until_one_runs(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = that_ran_reports(worlds, sandbox)
    stranger = answered(monkeypatch, "POST /Report", lambda _: BY_A_STRANGER)
    for _ in range(2):
        with pytest.raises(Again):  # it may be chance
            ask(world)
    ask(world)
    assert not known(world).refuses_reports  # what else is answered is not known yet
    ask(world)
    assert known(world).reports_fail_for == timedelta(minutes=1)
    let_rest_pass(world)
    ask(world)
    assert known(world).reports_fail_for == timedelta(minutes=2)
    calls = operations(sandbox)["POST /Report"]
    ask(world)
    assert operations(sandbox)["POST /Report"] == calls
    stranger.on = False
    give_up = time.monotonic() + 20
    while known(world).reports_fail_for and time.monotonic() < give_up:
        time.sleep(0.1)  # one caller at a time tries, after a while
        let_rest_pass(world)
        ask(world)
    assert not known(world).reports_fail_for
    assert not known(world).refuses_reports
    assert operations(sandbox)["POST /Report"] == calls + 1


def test_a_stranger_who_answers_everything_says_nothing_of_reports(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = that_ran_reports(worlds, sandbox)
    ask(world)
    for call in ("POST /Report", "GET /Users"):
        answered(monkeypatch, call, lambda _: BY_A_STRANGER)
    for _ in range(4):
        with pytest.raises(Again):
            ask(world)
    assert not known(world).refuses_reports


def test_an_address_that_halo_refuses_to_look_for_leaves_the_others_alone(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(sandbox, orders=3, customers=2, transactions=0, subscriptions=0)
    world = worlds()
    rows = [{"id": number, "emailaddress": f"{number}@example.com"} for number in range(1, 51)]

    def script(params: Mapping[str, str]) -> tuple[int, Any]:
        if params.get("search") == "odd@example.com":
            return 400, {"Message": "The search is not valid."}
        return 200, [] if "search" in params else rows  # a list that ignores page numbers

    answered(monkeypatch, "POST /Report", lambda _: REFUSED)
    answered(monkeypatch, "GET /Users", script)
    wanted = ["odd@example.com", "new@example.com", "7@example.com"]
    users, unsure = existing_users.users(world.worker.open_line(NAME), wanted)
    assert users.keys() == {"7@example.com"}
    assert unsure == {"odd@example.com"}


@pytest.mark.parametrize("shown", [PAGE[:1], []])
def test_a_report_is_relied_on_only_after_it_found_a_user_that_a_list_shows(
    worlds: Worlds,
    sandbox: SandboxProcess,
    monkeypatch: pytest.MonkeyPatch,
    shown: list[dict[str, Any]],
) -> None:
    small(sandbox, orders=3, customers=2, transactions=0, subscriptions=0)
    world = worlds()
    pages = {"1": PAGE, "2": [{"id": 101, "emailaddress": "101@example.com"}]}
    answered(monkeypatch, "GET /Users", lambda params: (200, pages[params["page_no"]]))
    report = {"loaded": True, "rows": shown}
    answered(monkeypatch, "POST /Report", lambda _: (200, [{"report": report}]))
    line = world.worker.open_line(NAME)
    for _ in range(2):
        found, unsure = existing_users.users(line, ["1@example.com"])
        assert [row["id"] for row in found.values()] == ["1" if shown else 1]
        assert not unsure
    calls = operations(sandbox)
    assert known(world).ran_reports is bool(shown)
    # One that shows none is not asked again before a day has passed.
    assert (calls["POST /Report"], calls["GET /Users"]) == ((3, 1) if shown else (1, 4))


def test_where_reports_run_and_show_no_row_nothing_is_doubled(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(sandbox, orders=3, customers=2, transactions=0, subscriptions=0)
    world = worlds()
    answered(monkeypatch, "POST /Report", lambda _: SHOWS_NO_ROW)
    for operation in ("POST /Client", "POST /Users", "POST /SalesOrder"):
        sandbox.faults(side="halo", operation=operation, kind="cut_after", next=1)
    world.pull()
    world.drive(30)
    assert sandbox.audit()["clean"]
    assert FindWay.SQL not in {known(world).find_way(target) for target in TARGETS}
    # A kind is looked for by a report once more, and not again before a day has passed.
    line, order = world.worker.open_line(NAME), TARGETS["order"]
    assert not prove.by_report(line, order, halo_calls(line, line.lane), "HL-1", "1")
    reports = operations(sandbox)["POST /Report"]
    assert prove.row_for_a_report(line, order, known(world)) is None
    assert not prove.by_report(line, order, halo_calls(line, line.lane), "HL-1", "1")
    assert operations(sandbox)["POST /Report"] == reports


def test_a_way_that_was_proved_while_reports_rested_gives_place_to_them(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=2, customers=1, transactions=0, subscriptions=0)
    world = worlds()
    capabilities.teach(
        world.worker.open_line(NAME),
        lambda before: before.with_reports_failing(
            timedelta(minutes=1), found_at=world.worker.now(), how="a test"
        ),
    )
    world.pull()
    world.drive(30)
    assert known(world).find_way("order") is FindWay.LINK
    let_rest_pass(world)
    sandbox.add_orders(1)
    world.pull()
    world.drive(30)
    assert known(world).find_way("order") is FindWay.SQL
    assert sandbox.audit()["clean"]


def test_where_users_cannot_be_seen_a_person_is_told_what_to_allow_and_a_retry_doubles_nothing(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(sandbox, orders=1, customers=1, transactions=0, subscriptions=0)
    world = worlds()
    page = PAGE[:50]  # a list that ignores pages and what is searched for
    answered(monkeypatch, "POST /Report", lambda _: REFUSED)
    listed = answered(monkeypatch, "GET /Users", lambda _: (200, page))
    world.pull()
    world.drive(30, at_rest=("parked", "waiting", "delivered"))
    [client] = parked(world)
    said, remedy = in_two(client.reason)
    assert "list of users cannot be seen whole" in said
    assert "or to search users by address" in str(remedy)
    assert operations(sandbox)["POST /Client"] == 0
    listed.on = False
    world.do("update delivery set state = 'due' where state = 'parked'")
    world.drive(30)
    assert sandbox.audit()["clean"]


@pytest.mark.parametrize(
    ("clients", "taken"),
    [((None, 77), 2), ((0, "78.0"), 2), ((76, 77), 1), ((None, 77, 78), 2), ((None, None), 1)],
)
def test_of_several_users_with_an_address_the_oldest_that_names_a_client_is_taken(
    worlds: Worlds,
    sandbox: SandboxProcess,
    monkeypatch: pytest.MonkeyPatch,
    clients: tuple[Any, ...],
    taken: int,
) -> None:
    small(sandbox, orders=1, customers=1, transactions=0, subscriptions=0)
    rows = [
        {"id": number, "emailaddress": "a@example.com", "client_id": client, "inactive": not client}
        for number, client in enumerate(clients, 1)
    ]
    answered(monkeypatch, "POST /Report", lambda _: REFUSED)
    answered(monkeypatch, "GET /Users", lambda _: (200, rows))
    users, _ = existing_users.users(worlds().worker.open_line(NAME), ["a@example.com"])
    assert users["a@example.com"]["id"] == taken
