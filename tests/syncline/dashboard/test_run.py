"""The dashboard in the emulated Halo: made, kept right, refreshed, looked at, and taken away."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest

from syncline.calls import capabilities
from syncline.dashboard import refresh as dashboard_refresh
from syncline.dashboard.objects import Shelf, StoredDashboard
from syncline.dashboard.refresh import refresh, refresh_due
from syncline.dashboard.run import InstalledDashboard, install, remove
from syncline.dashboard.status import resting
from syncline.errors import Again, MissingScope, Refused
from syncline.halo.entities.resources import CUSTOM_TABLE, DASHBOARD, REPORT, Resource
from syncline.halo.models import NamedRow
from syncline.sandbox.process import SandboxProcess
from tests.spoiling import answered
from tests.world import NAME, PROFILES, World, Worlds, small


def installed(world: World, *, dry_run: bool = False) -> InstalledDashboard:
    return install(world.worker.open_line(NAME), dry_run=dry_run, cause="a test")


def fates(result: InstalledDashboard) -> dict[str, str]:
    return {one.name.removeprefix("syncline acme: ") or one.noun: one.fate for one in result.items}


def writes(sandbox: SandboxProcess, after: int = 0) -> list[str]:
    """The calls that left something in Halo; a report that is only run leaves nothing."""
    kept = ("POST /CustomTable", "POST /DashboardLinks", "DELETE")
    return [
        call["operation"]
        for call in sandbox.calls("halo", after)
        if call["operation"].startswith(kept)
    ]


def last(sandbox: SandboxProcess) -> int:
    return max((call["id"] for call in sandbox.calls("halo")), default=0)


def shelf(world: World) -> Shelf:
    return Shelf(world.worker.open_line(NAME), "by hand", "a person")


def standing(world: World, kind: Resource[NamedRow]) -> list[NamedRow]:
    found = shelf(world)
    return [found.read(kind, row.id) for row in found.everything(kind)]


def by_hand(world: World, kind: Resource[NamedRow], body: dict[str, Any]) -> NamedRow:
    return shelf(world).post(kind, body, None)


def page(sandbox: SandboxProcess, dashboard_id: int) -> dict[str, str]:
    """What each widget of the page shows, without its markup."""
    html = httpx.get(f"{sandbox.halo_url}/dashboards/{dashboard_id}", trust_env=False).text
    sections = re.findall(r'<section id="(\w+)"[^>]*>(.*?)</section>', html, re.DOTALL)
    return {key: " ".join(re.sub(r"<[^>]+>", " ", inside).split()) for key, inside in sections}


@pytest.mark.parametrize("profile", PROFILES)
def test_it_is_made_of_what_the_tenant_offers_and_a_second_run_writes_nothing(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    small(sandbox, orders=6, transactions=0, subscriptions=0, customers=3, profile=profile)
    world = worlds()
    world.pull()
    if profile == "generous":
        world.drive()
    before = last(sandbox)
    planned = installed(world, dry_run=True)
    assert writes(sandbox, before) == []
    assert world.rows("select * from audit_entry where flow = 'dashboard'") == []

    done = installed(world)
    reports, table = {
        "generous": (6, "made"), "plain": (0, None), "awkward": (3, "not offered"),
    }[profile]  # fmt: skip
    made = {name for name, fate in fates(done).items() if fate == "made"}
    assert made <= {name for name, fate in fates(planned).items() if fate == "made"}
    assert sum(one.noun == "report" and one.fate == "made" for one in done.items) == reports
    assert next((i.fate for i in done.items if i.noun == "custom table"), None) == table
    assert done.shows == {"generous": "table", "plain": "html", "awkward": None}[profile]
    lacking = [one for one in done.items if one.fate == "not offered"]
    assert all(one.why and one.remedy for one in lacking)
    known = capabilities.known(world.worker.open_line(NAME))
    assert known.offers("reports") is (profile != "plain")
    assert known.offers("dashboards") is (profile != "awkward")
    audited = world.rows("select effect, cause from audit_entry where flow = 'dashboard'")
    assert {row.cause for row in audited} == {"a test"}

    before, entries = last(sandbox), len(audited)
    again = installed(world)
    assert {one.fate for one in again.items} <= {"unchanged", "not offered"}
    assert writes(sandbox, before) == []
    assert not any(c["operation"] == "POST /Report" for c in sandbox.calls("halo", before))
    assert len(world.rows("select 1 from audit_entry where flow = 'dashboard'")) == entries

    if profile != "awkward":
        [seen] = standing(world, DASHBOARD)
        assert seen.raw["is_published"] is False
        shown = page(sandbox, seen.id)
        assert shown["header"].endswith("Made by syncline for connection acme (dashboard).")
        amounts = world.rows("""
            select canonical ->> 'currency' as code, count(*) as many,
                   sum(cast(canonical ->> 'amount' as numeric)) as total
            from record where kind = 'order' group by 1
        """)
        everything = " ".join(shown.values())
        assert f"{sum(row.many for row in amounts)}" in shown.get("orders", everything)
        for row in amounts:
            digits = ",.0f" if row.total == row.total.to_integral_value() else ",.2f"
            assert f"{row.total:{digits}}" in everything, everything
        assert "Failed deliveries 0" in everything
        assert "Last reconciliation never" in everything
        assert NAME in httpx.get(f"{sandbox.halo_url}/dashboards", trust_env=False).text
    line = world.worker.open_line(NAME)
    gone = remove(line, dry_run=True, cause="a test")
    assert len(gone) == sum(one.fate != "not offered" for one in done.items)
    assert remove(line, dry_run=False, cause="a test") == gone
    assert remove(line, dry_run=False, cause="a test") == []
    assert refresh(line, cause="a test") == "not installed"


def bare(worlds: Worlds, sandbox: SandboxProcess, **config: Any) -> World:
    small(sandbox, orders=1, transactions=0, subscriptions=0, **config)
    return worlds()


def test_what_was_edited_or_deleted_by_hand_is_put_right_and_the_rest_is_left_alone(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = bare(worlds, sandbox)
    done = installed(world)
    ids = {one.name: one.row_id for one in done.items}
    theirs = by_hand(world, REPORT, {"name": "syncline acme: of mine", "sql": "SELECT 1 AS one"})
    by_hand(world, REPORT, {"id": ids["syncline acme: State"], "sql": "SELECT 2 AS two"})
    [board] = standing(world, DASHBOARD)
    widgets = [one for one in board.raw["widgets"] if one["i"] != "alerts"]
    by_hand(world, DASHBOARD, {"id": board.id, "name": "Renamed", "widgets": widgets})
    shelf(world).remove(REPORT, ids["syncline acme: Revenue by currency"] or 0)

    planned = installed(world, dry_run=True)
    changed = {c.field for one in planned.items for c in one.changes}
    assert {"sql", "name", "widget alerts"} <= changed
    before = last(sandbox)
    mended = fates(installed(world))
    assert mended["Revenue by currency"] == "made"
    assert mended["State"] == mended["syncline acme"] == "repaired"
    assert mended["Orders and payments"] == mended["synclineacme"] == "unchanged"
    assert writes(sandbox, before) == ["POST /DashboardLinks"]
    assert {one.fate for one in installed(world).items} == {"unchanged"}
    [board] = standing(world, DASHBOARD)
    assert board.name == "syncline acme"
    remove(world.worker.open_line(NAME), dry_run=False, cause="a test")
    assert [row.id for row in standing(world, REPORT)] == [theirs.id]


def test_what_has_our_name_and_is_not_ours_is_not_touched(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = bare(worlds, sandbox, profile="plain")
    by_hand(world, DASHBOARD, {"name": "syncline acme", "widgets": []})
    with pytest.raises(Refused, match="not ours"):
        installed(world)
    line = world.worker.open_line(NAME)
    assert remove(line, dry_run=False, cause="a test") == []
    assert len(standing(world, DASHBOARD)) == 1


@pytest.mark.parametrize("kind", ["cut_after", "500", "crash"])
def test_a_write_without_an_answer_or_a_keeper_makes_nothing_twice(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    world = bare(worlds, sandbox, profile="plain")
    if kind == "crash":
        with monkeypatch.context() as patched:
            patched.setattr(StoredDashboard, "write", _die)
            with pytest.raises(KeyboardInterrupt):
                installed(world)
    else:
        sandbox.faults(side="halo", operation="POST /DashboardLinks", kind=kind, next=1)
        if kind == "500":
            with pytest.raises(Again):
                installed(world)
    fate = fates(installed(world))["syncline acme"]
    assert fate == {"cut_after": "made", "500": "made", "crash": "unchanged"}[kind]
    assert len(standing(world, DASHBOARD)) == 1
    audited = world.rows("select effect from audit_entry where flow = 'dashboard'")
    assert [row.effect for row in audited] == ["create"]


def _die(*_: Any) -> None:
    raise KeyboardInterrupt


def test_figures_are_written_when_they_are_old_or_one_that_presses_has_changed(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = bare(worlds, sandbox)
    line = world.worker.open_line(NAME)
    assert refresh_due(world.worker) == 0
    installed(world)

    def refreshed() -> tuple[str, list[str]]:
        before = last(sandbox)
        came = refresh(line, cause="schedule")
        return came, [call["operation"] for call in sandbox.calls("halo", before)]

    assert refreshed() == ("unchanged", [])  # they were written with the installation
    world.do("""
        insert into alert (connection_id, kind, cause, severity, title, detail)
        select id, 'failed', 'x', 'warning', 'x', '{}' from connection
    """)
    assert refreshed() == ("written", ["POST /CustomTable"])
    assert refreshed() == ("unchanged", [])
    [board] = standing(world, DASHBOARD)
    assert page(sandbox, board.id)["alerts"] == "Open alerts 1"
    world.do("""
        update ability set value = jsonb_set(value, '{refreshed,at}', '"2026-01-01T00:00:00+00:00"')
        where name = 'dashboard'
    """)
    assert refresh_due(world.worker) == 1
    assert refresh_due(world.worker) == 0  # its turn is over
    entries = world.rows("select cause from audit_entry where cause = 'schedule'")
    assert len(entries) == 2

    monkeypatch.setattr(dashboard_refresh, "MOST_ROWS", 3)
    world.do("delete from alert")
    assert refreshed() == ("begun anew", ["DELETE /CustomTable/{id}"])
    assert refreshed() == ("begun anew", ["GET /CustomTable", "POST /CustomTable"])
    assert refreshed() == ("written", ["POST /CustomTable"])
    assert page(sandbox, board.id)["alerts"] == "Open alerts 0"
    assert {one.fate for one in installed(world).items} == {"unchanged"}
    [table] = standing(world, CUSTOM_TABLE)
    shelf(world).remove(CUSTOM_TABLE, table.id)
    world.do("update ability set value = value - 'refreshed' where name = 'dashboard'")
    assert refreshed()[0] == "begun anew"

    world.do("update ability set value = value - 'refreshed' where name = 'dashboard'")
    world.worker.quota.freeze(line.halo_key, timedelta(minutes=1))
    assert refreshed() == ("no quota", [])


def test_reports_that_may_not_be_run_are_asked_for_once_and_the_dashboard_does_without(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = bare(worlds, sandbox, reports_refused=True)
    before = last(sandbox)
    done = installed(world)
    reports = [one for one in done.items if one.noun == "report"]
    assert {one.fate for one in reports} == {"not offered"}
    assert all("403" in one.why and "permission" in one.remedy for one in reports)
    assert (fates(done)["syncline acme"], done.shows) == ("made", "html")
    asked = [call["operation"] for call in sandbox.calls("halo", before)]
    assert asked.count("POST /Report") == 1
    assert refresh(world.worker.open_line(NAME), cause="schedule") == "unchanged"
    [(state,)] = world.rows("select state from connection")
    assert state == "active"


def test_figures_that_halo_refuses_rest_ever_longer_and_it_is_said_until_it_takes_them(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = bare(worlds, sandbox)
    installed(world)
    line = world.worker.open_line(NAME)
    old = "update ability set value = value - 'refreshed' where name = 'dashboard'"
    rested = """
        update ability set value = jsonb_set(value, '{rest,until}', '"2026-01-01T00:00:00+00:00"')
        where name = 'dashboard'
    """
    refused = answered(monkeypatch, "POST /CustomTable", lambda _: (403, {"Message": "Not so."}))
    world.do(old)
    for pause in (2, 4, 8):
        with pytest.raises(MissingScope):
            refresh(line, cause="schedule")
        assert StoredDashboard.read(line).rest["pause_s"] == pause * 60
        before = last(sandbox)
        assert refresh(line, cause="schedule") == "rests"
        assert last(sandbox) == before
        said = world.worker.ledger.run(lambda connection: resting(connection, line.link))
        assert said is not None
        assert "Not so." in said
        world.do(rested)
    refused.on = False
    assert refresh(line, cause="schedule") == "written"
    assert world.worker.ledger.run(lambda connection: resting(connection, line.link)) is None
    [(state,)] = world.rows("select state from connection")
    assert state == "active"


def test_figures_on_the_dashboard_itself_leave_what_a_person_added(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = bare(worlds, sandbox, profile="plain")
    line = world.worker.open_line(NAME)
    installed(world)
    [board] = standing(world, DASHBOARD)
    clock = {"i": "clock", "title": "Mine", "type": 3, "x": 0, "y": 9, "w": 3, "h": 1}
    by_hand(world, DASHBOARD, {"id": board.id, "widgets": [*board.raw["widgets"], clock]})
    world.do("""
        insert into alert (connection_id, kind, cause, severity, title, detail)
        select id, 'failed', 'x', 'warning', 'x', '{}' from connection
    """)
    before = last(sandbox)
    assert refresh(line, cause="schedule") == "written"
    assert len(sandbox.calls("halo", before)) == 2
    shown = page(sandbox, board.id)
    assert "Open alerts 1" in shown["figures"]
    assert "clock" in shown
    shelf(world).remove(DASHBOARD, board.id)
    world.do("delete from alert")
    assert refresh(line, cause="schedule") == "not installed"
