"""The main site of a client: found, made once, or asked about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection

from syncline.calls.calls import halo_calls
from syncline.engine.failures import PARK_AFTER
from syncline.errors import Again, Doubtful, Rejected, Unmappable
from syncline.halo.entities.resources import CLIENT
from syncline.halo.entities.rows import save_rows
from syncline.runtime.registry import look_up, send
from syncline.sandbox.process import SandboxProcess
from syncline.sending.tenant import sites
from tests.from_halo import last_call
from tests.in_between import InBetween, QuotaClock, page, said
from tests.spoiling import answered
from tests.tenants import brought_over, operations, parked
from tests.world import NAME, World, Worlds, small

ONE_CLIENT = {"orders": 1, "customers": 1, "transactions": 0, "subscriptions": 0}


def test_a_client_that_gets_no_site_is_parked_at_once_and_never_written_again(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> int:
        raise Rejected("Halo refused a site.", text="No site for you.")

    monkeypatch.setattr(sites, "_make", refused)
    small(sandbox, clients_without_site=True, **{**ONE_CLIENT, "orders": 3})
    world = worlds()
    world.pull()
    world.hurry()
    while ("customers", "parked") not in world.counts():
        world.follow_all()
    [client] = [one for one in parked(world) if one.target == "client"]
    assert (client.field, "has no site" in client.reason) == ("main_site_id", True)
    assert operations(sandbox)["POST /Client"] == 1


def test_a_site_that_a_client_has_and_does_not_show_is_found_and_no_second_one_is_made(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hidden(client: Any, permit: Any, resource: Any, *given: Any) -> list[Any]:
        rows = save_rows(client, permit, resource, *given)
        if resource is not CLIENT:
            return rows
        return [row.of({**row.raw, "main_site_id": None}) for row in rows]

    monkeypatch.setattr("syncline.sending.targets.save_rows", hidden)
    world = brought_over(worlds, sandbox, customers=3)
    assert parked(world) == []
    assert sandbox.audit()["clean"]
    made = operations(sandbox)
    assert (made["POST /Site"], made["GET /Site"] > 0) == (0, True)


def of_others(page: int) -> list[dict[str, int]]:
    """A page of sites of somebody else, the newest first."""
    return [{"id": 10_000 - 100 * page - at, "client_id": 1} for at in range(100)]


def test_a_site_far_down_the_list_of_everybodys_sites_is_found(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script(params: Mapping[str, str]) -> tuple[int, Any]:
        page = int(params["page_no"])
        return 200, of_others(page) if page < 5 else [{"id": 5, "client_id": 7}]

    small(sandbox, orders=0, transactions=0, subscriptions=0)
    line = worlds().worker.open_line(NAME)
    answered(monkeypatch, "GET /Site", script)
    assert sites.site_of(line, halo_calls(line, line.lane), 7) == 5
    assert operations(sandbox)["POST /Site"] == 0


@pytest.mark.parametrize("commits", [True, False])
def test_a_site_is_audited_once_though_the_ledger_is_away_right_after_the_call(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, *, commits: bool
) -> None:
    small(sandbox, orders=1, transactions=0, subscriptions=0)
    world = worlds()
    line = world.worker.open_line(NAME)
    answered(monkeypatch, "GET /Site", lambda _: (200, []))
    begin, made = world.worker.ledger.begin, last_call(sandbox)
    away = [Again("PostgreSQL is away")] * 2

    @contextmanager
    def broken() -> Iterator[Connection]:
        is_after = away and operations(sandbox, made)["POST /Site"]
        if is_after and not commits:
            raise away.pop()
        with begin() as connection:
            yield connection
        if is_after:
            raise away.pop()  # the commit was made, and its answer is lost

    monkeypatch.setattr(world.worker.ledger, "begin", broken)
    site = sites.site_of(line, halo_calls(line, line.lane), 1)
    monkeypatch.undo()
    entries = world.rows("select target_id, call_id from audit_entry where target = 'site'")
    assert (away, [one.target_id for one in entries]) == ([], [str(site)])


def test_no_site_is_made_where_the_list_does_not_show_that_there_is_none(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(sandbox, orders=0, transactions=0, subscriptions=0)
    line = worlds().worker.open_line(NAME)
    answered(monkeypatch, "GET /Site", lambda _: (200, of_others(1)))
    with pytest.raises(Doubtful, match="does not show whether"):
        sites.site_of(line, halo_calls(line, line.lane), 7)
    assert operations(sandbox)["POST /Site"] == 0


@pytest.mark.parametrize("lasts", [False, True])
def test_an_answer_that_is_no_list_of_sites_asks_nobody_before_it_came_again_and_again(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, *, lasts: bool
) -> None:
    small(sandbox, clients_without_site=True, **ONE_CLIENT)
    world = worlds()
    world.pull()
    odd = answered(monkeypatch, "GET /Site", lambda _: (200, {"ok": True}))
    while not operations(sandbox)["GET /Site"]:
        world.follow_all()
    assert parked(world) == []
    if lasts:
        while not parked(world):
            assert operations(sandbox)["GET /Site"] <= PARK_AFTER + 2
            world.follow_all()
        assert {one.target for one in parked(world)} == {"client"}
    else:
        odd.on = False
        world.drive()
        assert sandbox.audit()["clean"]
    assert operations(sandbox)["POST /Client"] == 1


def test_a_site_that_halo_still_makes_is_waited_for_and_not_made_twice(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, clients_without_site=True, **ONE_CLIENT)
    sandbox.faults(side="halo", operation="POST /Site", kind="late", late_seconds=2.5, next=1)
    world = worlds(settle=4)
    world.pull()
    world.drive()
    assert sandbox.audit()["clean"]
    assert operations(sandbox)["POST /Site"] == 1


def test_a_site_that_a_look_up_may_have_made_is_waited_for_as_long(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, clients_without_site=True, **ONE_CLIENT)
    sandbox.faults(
        {"side": "halo", "operation": "POST /Client", "kind": "cut_after", "next": 1},
        {"side": "halo", "operation": "POST /Site", "kind": "cut_before", "next": 1},
    )
    world = worlds(settle=300)
    world.pull_whole()
    line = world.worker.open_line(NAME)
    send(line, "client")
    world.do("update delivery set due_at = clock_timestamp() where state = 'doubtful'")
    look_up(line, "client")
    [(state, seconds)] = world.rows(
        "select state, extract(epoch from due_at - clock_timestamp()) from delivery"
        " where target = 'client'"
    )
    assert (state, seconds > 250) == ("doubtful", True)
    assert operations(sandbox)["POST /Site"] == 1


def _always(answer: tuple[int, Any], _params: Mapping[str, str]) -> tuple[int, Any]:
    return answer


def _posts_a_site(call: str) -> bool:
    return call.startswith("POST") and call.endswith("/Site")


def looked_up(world: World, target: str, times: int, clock: QuotaClock) -> Any:
    """The one delivery of a target after so many look-ups, a minute apart by the quota's clock."""
    for _ in range(times):
        clock.pass_by(61)
        world.do("update delivery set due_at = clock_timestamp() where state = 'doubtful'")
        look_up(world.reopened(), target)
    [row] = world.rows("select * from delivery where target = :target", target=target)
    return row


def test_a_site_that_always_fails_asks_a_person_in_the_end(
    worlds: Worlds,
    sandbox: SandboxProcess,
    monkeypatch: pytest.MonkeyPatch,
    quota_clock: QuotaClock,
) -> None:
    small(sandbox, clients_without_site=True, **ONE_CLIENT)
    world = worlds()
    world.pull()
    broken = InBetween(said(500, {"Message": "No."}), lambda call, _: _posts_a_site(call))
    broken.stand(monkeypatch)
    send(world.reopened(), "highlevel.order")
    send(world.reopened(), "client")
    world.do("update delivery set failures = :many where target = 'client'", many=PARK_AFTER - 1)
    client = looked_up(world, "client", 2, quota_clock)
    assert client.state == "parked"
    assert client.reason.startswith(f"client {client.target_id} is there, and not whole: Halo")
    assert len(broken.calls) == 3


def test_while_sites_cannot_be_asked_for_at_all_a_client_stays_in_doubt(
    worlds: Worlds,
    sandbox: SandboxProcess,
    monkeypatch: pytest.MonkeyPatch,
    quota_clock: QuotaClock,
) -> None:
    small(sandbox, clients_without_site=True, **ONE_CLIENT)
    world = worlds()
    world.pull()
    out = InBetween(page(503), lambda call, _: call.startswith("GET") and "/Site" in call)
    out.stand(monkeypatch)
    send(world.reopened(), "highlevel.order")
    send(world.reopened(), "client")
    client = looked_up(world, "client", PARK_AFTER + 2, quota_clock)
    assert client.state == "doubtful"
    assert client.failures < PARK_AFTER / 2
    out.answers = None
    quota_clock.pass_by(61)
    world.drive()
    assert sandbox.audit()["clean"]


@pytest.mark.parametrize("rows", [10, 3])
def test_no_site_is_made_where_others_may_stand_behind_those_that_are_shown(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    small(sandbox, orders=0, transactions=0, subscriptions=0)
    line = worlds().worker.open_line(NAME)
    shown: list[Any] = [{"id": number} for number in range(1, rows + 1)]
    counted = shown if rows == 10 else {"record_count": 200, "sites": shown}
    answered(monkeypatch, "GET /Site", lambda _: (200, counted))
    for number in range(1, rows + 1):
        of_another = (200, {"id": number, "client_id": 1})
        answered(monkeypatch, f"GET /Site/{number}", partial(_always, of_another))
    with pytest.raises(Doubtful, match="does not show whether"):
        sites.site_of(line, halo_calls(line, line.lane), 7)
    assert operations(sandbox)["POST /Site"] == 0


def test_a_site_of_which_the_list_does_not_say_whose_it_is_is_read_by_its_id(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(sandbox, orders=0, transactions=0, subscriptions=0)
    line = worlds().worker.open_line(NAME)
    answered(monkeypatch, "GET /Site", lambda _: (200, [{"id": 5}, {"id": 4, "client_id": 1}]))
    whose = {"client_id": 7}
    answered(monkeypatch, "GET /Site/5", lambda _: (200, {"id": 5, **whose}))
    assert sites.site_of(line, halo_calls(line, line.lane), 7) == 5
    whose.clear()
    with pytest.raises(Unmappable, match="does not say whose"):
        sites.site_of(line, halo_calls(line, line.lane), 7)
    assert operations(sandbox)["POST /Site"] == 0


def test_a_site_without_an_id_hinders_only_the_client_that_it_may_be_of(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(sandbox, orders=1, transactions=0, subscriptions=0)
    world = worlds()
    line = world.worker.open_line(NAME)
    shown: list[Any] = [{"id": 4, "client_id": 2}, {"id": None, "client_id": 7}]
    answered(monkeypatch, "GET /Site", lambda _: (200, {"record_count": 2, "sites": shown}))
    with pytest.raises(Doubtful, match="client 7 has a site: it shows sites without an id"):
        sites.site_of(line, halo_calls(line, line.lane), 7)
    assert operations(sandbox)["POST /Site"] == 0
    assert sites.site_of(line, halo_calls(line, line.lane), 2) == 4
    assert sites.site_of(line, halo_calls(line, line.lane), 1) > 0
    assert operations(sandbox)["POST /Site"] == 1
    [counted] = world.rows("select side, kind, path, count from left_out")
    assert tuple(counted) == ("halo", "site", "id", 3)
