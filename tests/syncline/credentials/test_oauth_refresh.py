"""Tokens of an installed app: one refresh for all, none lost to a crash, ahead of their end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import Connection

from syncline.calls.calls import ApiCalls, highlevel_calls
from syncline.credentials import queries
from syncline.credentials.oauth_grants import ends_soon, keep_grant, read_grant, usable_until
from syncline.credentials.oauth_refresh import refresh_due
from syncline.credentials.stored import keep
from syncline.errors import Again, BadCredentials, Refused, WrongPlace
from syncline.highlevel.oauth import OAuthGrant
from syncline.ledger import connections
from syncline.queues import Lane
from syncline.sandbox.config import COMPANY, LOCATION
from syncline.sandbox.process import SandboxProcess
from syncline.transport import Answer, Permit
from tests.in_between import InBetween, QuotaClock, page, said
from tests.oauth_app import APP, install, link_of
from tests.promises.mortal import Killed, Mortal
from tests.spoiling import spoil
from tests.world import NAME, World, Worlds, small

COMPANY_PLACE = f"company:{COMPANY}"


def stored(world: World, place: str | None = None) -> OAuthGrant:
    where = place or link_of(world).location_place
    found = world.worker.ledger.run(lambda c: read_grant(c, world.worker.sealer, where))
    assert found is not None
    return found


def nearly_over(world: World, place: str | None = None) -> None:
    """The token was got a day ago and ends in ten minutes."""
    where = place or link_of(world).location_place
    now = datetime.now(UTC)
    old = replace(
        stored(world, where), got_at=now - timedelta(days=1), expires_at=now + timedelta(minutes=10)
    )
    world.worker.ledger.run(lambda c: keep_grant(c, world.worker.sealer, where, old))


def uses(sandbox: SandboxProcess) -> list[int]:
    """How often each refresh token was used."""
    return sorted(sandbox.counters()["refreshes"].values())


def reads(world: World) -> bool:
    """Whether the location lets the worker read, at the second try at the latest."""
    line = world.worker.open_line(NAME)

    def one(permit: Permit) -> Any:
        return line.highlevel.call("GET", "/payments/orders", permit=permit, params={"limit": "1"})

    for _ in range(3):
        try:
            api = highlevel_calls(line, Lane.PULLS)
            api.read("a read", one)
        except Again:
            continue
        return True
    return False


def has_intent(world: World) -> bool:
    return bool(world.rows("select 1 from credential where purpose = 'refresh_intent'"))


@pytest.fixture
def app(worlds: Worlds, sandbox: SandboxProcess) -> World:
    """A worker whose location is reached through an installed app."""
    small(sandbox, transactions=0, subscriptions=0)
    world = worlds(**APP)
    install(world)
    return world


def test_a_location_is_read_through_an_installed_app(app: World) -> None:
    assert reads(app)
    purposes = {row[0] for row in app.rows("select purpose from credential where owner like 'l%'")}
    assert purposes == {"oauth"}
    operations = app.rows("select operation, quota_key from call where operation like '%oauth%'")
    assert [tuple(row) for row in operations] == [("POST /oauth/token", f"highlevel:{LOCATION}")]


def test_a_token_that_is_refused_is_renewed_once_and_the_call_made_again(
    app: World, sandbox: SandboxProcess
) -> None:
    sandbox.expire_highlevel_tokens()
    app.request_pull()
    app.drive()
    assert uses(sandbox) == [1]
    assert link_of(app).state == "active"


def test_all_processes_share_one_refresh(
    app: World, worlds: Worlds, sandbox: SandboxProcess
) -> None:
    sandbox.expire_highlevel_tokens()
    workers = [app, worlds(joins=True, **APP), worlds(joins=True, **APP)]

    with ThreadPoolExecutor(12) as pool:
        assert all(pool.map(reads, workers * 4))
    assert uses(sandbox) == [1]


def test_upkeep_renews_what_would_end_soon_and_nothing_else(
    app: World, sandbox: SandboxProcess
) -> None:
    refresh_due(app.worker)
    assert uses(sandbox) == []
    nearly_over(app)
    before = stored(app)
    refresh_due(app.worker)
    refresh_due(app.worker)
    assert uses(sandbox) == [1]
    assert stored(app).refresh != before.refresh
    assert not has_intent(app)


def test_a_crash_anywhere_in_a_refresh_locks_no_location_out(
    app: World, worlds: Worlds, sandbox: SandboxProcess
) -> None:
    struck: list[str] = []
    for number in range(1, 30):
        nearly_over(app)
        victim = worlds(joins=True, **APP)

        def strike(at: int, name: str, number: int = number) -> None:
            if at == number:
                struck.append(name)
                raise Killed

        victim.reopened()
        mortal = Mortal(victim, strike)
        try:
            refresh_due(victim.worker)
        except Killed:
            mortal.silence()
        victim.close()
        refresh_due(app.worker)
        assert not ends_soon(stored(app), datetime.now(UTC))
        assert not has_intent(app)
        if not mortal.dead:
            break
    assert {"before POST", "after POST", "before commit", "after commit"} <= set(struck)
    assert 2 in uses(sandbox)
    assert max(uses(sandbox)) == 2
    assert link_of(app).state == "active"
    assert reads(app)


def test_a_refresh_that_was_cut_is_repeated_though_the_old_token_would_live_on(
    app: World, worlds: Worlds, sandbox: SandboxProcess
) -> None:
    sandbox.expire_highlevel_tokens()
    victim = worlds(joins=True, **APP)

    def strike(_: int, name: str) -> None:
        if name == "after POST":
            raise Killed

    mortal = Mortal(victim, strike)
    with pytest.raises(Again):
        victim.pull()
    with pytest.raises(Killed):
        victim.pull()
    mortal.silence()
    assert has_intent(app)
    assert not ends_soon(stored(app), datetime.now(UTC))
    refresh_due(app.worker)
    assert uses(sandbox) == [2]
    assert reads(app)


def test_a_refused_refresh_stops_the_connection_and_installing_anew_heals_it(
    app: World, sandbox: SandboxProcess
) -> None:
    nearly_over(app)
    sandbox.revoke_highlevel_tokens()
    refresh_due(app.worker)
    note = link_of(app).note or ""
    assert "Invalid refresh token" in note
    assert note.endswith(f"syncline connect highlevel {NAME}")
    token = stored(app).refresh
    assert token is not None
    assert token.get_secret_value() not in note
    calls = len(sandbox.calls("highlevel"))
    refresh_due(app.worker)
    assert len(sandbox.calls("highlevel")) == calls
    install(app)
    assert link_of(app).state == "active"
    assert reads(app)


@pytest.mark.parametrize(
    "answer",
    [
        said(400, {"message": "Location is not active", "statusCode": 400}),
        page(401),
        said(500, {"message": "oops", "statusCode": 500}),
        said(200, {"odd": 1}),
        said(401, {"message": "Unauthorized"}),
        said(403, {"error": "access_denied"}),
        said(400, {"error": "temporarily_unavailable"}),
    ],
    ids=[
        *("suspended", "somebody else", "its own server", "no token"),
        *("a gateway", "no word of OAuth's", "passing trouble"),
    ],
)
def test_a_refresh_that_was_no_verdict_stops_nothing_and_is_asked_again(
    quota_clock: QuotaClock,
    app: World,
    sandbox: SandboxProcess,
    in_between: InBetween,
    answer: Answer,
) -> None:
    nearly_over(app)
    in_between.answers = answer
    for _ in range(30):
        refresh_due(app.worker)
        quota_clock.pass_by(1)
    assert 1 <= len(in_between.calls) <= 6
    assert (link_of(app).state, link_of(app).note) == ("active", None)
    in_between.answers = None
    quota_clock.pass_by(60)
    refresh_due(app.worker)
    assert uses(sandbox) == [1]
    assert not has_intent(app)


def test_a_refresh_that_says_nothing_else_that_can_be_read_leaves_the_rest_as_it_was(
    app: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    nearly_over(app)
    before = stored(app)
    nonsense = {"expires_in": None, "scope": ["all"], "locationId": 7, "companyId": 7}
    spoil(monkeypatch, "/oauth/token", lambda told: {**told, **nonsense})
    refresh_due(app.worker)
    after = stored(app)
    assert after.refresh != before.refresh
    assert (after.scopes, after.location_id, after.company_id) == (
        before.scopes,
        before.location_id,
        before.company_id,
    )
    assert (link_of(app).state, has_intent(app)) == ("active", False)


def test_a_connection_that_was_stopped_while_the_account_was_chosen_goes_on(
    app: World, sandbox: SandboxProcess
) -> None:
    chosen = link_of(app)
    nearly_over(app)
    sandbox.revoke_highlevel_tokens()
    refresh_due(app.worker)
    assert (chosen.state, link_of(app).state) == ("active", "stopped")
    install(app, link=chosen)
    assert link_of(app).state == "active"


def test_a_renewal_that_a_private_token_overtook_stops_nothing(app: World) -> None:
    line = app.worker.open_line(NAME)
    nearly_over(app)
    place = line.link.location_place

    def replaced(connection: Connection) -> None:
        keep(connection, app.worker.sealer, place, "private_token", SecretStr("pit"))
        connections.let_in(connection, line.link, auth="private")
        queries.remove(connection, place, queries.OAUTH)

    app.worker.ledger.run(replaced)
    api = ApiCalls(app.worker, (line.link.id, NAME), line.highlevel_key, Lane.UPKEEP)
    with pytest.raises(Refused):
        line.highlevel.sign_in(api.read, ahead=True)
    assert link_of(app).state == "active"


def test_a_token_that_cannot_be_opened_keeps_no_other_from_being_renewed(
    app: World, sandbox: SandboxProcess
) -> None:
    nearly_over(app)
    app.do(
        """
        insert into credential (owner, purpose, sealed, expires_at)
        values ('company:x', 'oauth', 'damaged', clock_timestamp())
        """
    )
    refresh_due(app.worker)
    assert uses(sandbox) == [1]


def test_what_is_not_let_in_yet_says_how_to_let_it_in(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox)
    world = worlds(**APP)
    link = link_of(world)
    world.worker.ledger.run(lambda c: connections.let_in(c, link, auth="oauth"))
    world.reopened()
    with pytest.raises(Refused, match=f"syncline connect highlevel {NAME}"):
        world.pull()
    assert link_of(world).state == "stopped"


def test_a_company_opens_its_location_and_both_tokens_are_renewed(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, transactions=0, subscriptions=0)
    world = worlds(**APP)
    install(world, company=True)
    assert link_of(world).company_id == COMPANY
    assert stored(world).refresh is None
    assert reads(world)
    sandbox.expire_highlevel_tokens()
    world.request_pull()
    world.drive()
    assert uses(sandbox) == [1]
    nearly_over(world)
    nearly_over(world, COMPANY_PLACE)
    refresh_due(world.worker)
    assert uses(sandbox) == [1, 1]
    assert not ends_soon(stored(world), datetime.now(UTC))
    nearly_over(world, COMPANY_PLACE)
    sandbox.revoke_highlevel_tokens()
    refresh_due(world.worker)
    assert (link_of(world).note or "").endswith(f"syncline connect highlevel {NAME} --company")


@pytest.mark.parametrize("company", [False, True])
def test_an_app_in_the_wrong_place_is_refused_and_nothing_is_changed(
    worlds: Worlds, sandbox: SandboxProcess, company: bool
) -> None:
    small(sandbox)
    world = worlds(**APP)
    elsewhere = replace(link_of(world), location_id="Zx0cV9bNmA8sDfG7hJk6")
    with pytest.raises(BadCredentials if company else WrongPlace) as refused:
        install(world, company=company, link=elsewhere)
    assert refused.value.remedy
    assert link_of(world).auth == "private"
    assert world.worker.ledger.run(
        lambda c: queries.find(c, link_of(world).location_place, "private_token")
    )


@given(st.floats(min_value=2, max_value=4e8), st.floats(min_value=0, max_value=1))
def test_a_token_is_renewed_while_it_can_still_be_used_and_not_from_its_start(
    life_s: float, share: float
) -> None:
    got = datetime(2026, 3, 1, tzinfo=UTC)
    ends = got + timedelta(seconds=life_s)
    grant = OAuthGrant(SecretStr("a"), None, got, ends, frozenset(), None, None)
    assert got < usable_until(grant) < ends
    assert not ends_soon(grant, got)
    assert ends_soon(grant, usable_until(grant))
    if ends_soon(grant, got + (ends - got) * share):
        left = (ends - got) * (1 - share)
        assert left <= max(timedelta(seconds=life_s) / 10, timedelta(hours=1)) + timedelta(
            milliseconds=1
        )
