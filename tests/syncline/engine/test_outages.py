"""What fails for everybody is asked by one caller at a time; what is owed waits and is not lost."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from syncline.alerts.run import evaluate
from syncline.alerts.signals import MANY_STRANGERS
from syncline.cli.answering import answering, in_words
from syncline.ledger.calls import last_answer
from syncline.sandbox.process import SandboxProcess
from syncline.sandbox.wire.faults import FOREIGN
from tests.alerting import alerts, pass_time
from tests.in_between import InBetween, QuotaClock, page, said
from tests.variants import in_turn
from tests.world import NAME, World, Worlds, small

TOKEN = {"side": "halo", "operation": "POST /auth/token"}
MOMENTS = ("before", "after")
_MOST_SEEN = ("html", "gateway", "truncated")
FOREIGN_KINDS = [*_MOST_SEEN, *sorted(FOREIGN - {"drip", *_MOST_SEEN})]
"""When somebody else answers a write: before the API has seen it, or after it was done."""

STEP = 0.5
"""Seconds between two looks of all workers at what is due."""


def tokens_asked(sandbox: SandboxProcess) -> int:
    return [call["operation"] for call in sandbox.calls("halo")].count("POST /auth/token")


def untouched(world: World) -> bool:
    """Whether nothing is parked, in doubt or counted as a failure, and the connection works."""
    [row] = world.rows(
        """
        select count(*) filter (where state in ('parked', 'doubtful', 'sending')) as moved,
               coalesce(max(failures), 0) as failures,
               (select state from connection) as state
        from delivery
        """
    )
    return (row.moved, row.failures, row.state) == (0, 0, "active")


def done(world: World, clock: QuotaClock | None = None) -> None:
    """Go on until nothing is left but what is parked, and what waits for that."""
    give_up = time.monotonic() + 60
    while {state for _, state in world.counts()} - {"delivered", "parked", "waiting"}:
        assert time.monotonic() < give_up, world.counts()
        world.follow_all()
        if clock is not None:
            clock.pass_by(STEP)


@pytest.fixture
def owing(worlds: Worlds, sandbox: SandboxProcess, quota_clock: QuotaClock) -> World:
    """A worker with orders that are owed, and no token of Halo yet."""
    small(sandbox, orders=8, transactions=0, subscriptions=0, details=False)
    world = worlds(style="summary")
    world.pull()
    return world


def test_a_token_endpoint_that_fails_is_asked_by_one_caller_at_a_time_and_heals_within_a_wait(
    owing: World, worlds: Worlds, sandbox: SandboxProcess, quota_clock: QuotaClock
) -> None:
    workers = [owing, worlds(joins=True)]
    sandbox.faults({**TOKEN, "kind": "500", "probability": 1})
    for at in range(120):
        if at == 50:  # what Redis forgot, the ledger knows
            with Redis.from_url(owing.redis_url) as redis:
                redis.flushall()
        for world in workers:
            world.follow_all()
        quota_clock.pass_by(1)
    # Waits of 1, 2, 4, 8, 16, 32 and 60 s, of which chance takes up to half: 120 s hold 6 to 11.
    assert 5 <= tokens_asked(sandbox) <= 14
    assert untouched(owing)
    sandbox.faults()
    waited, before = 0.0, tokens_asked(sandbox)
    while not tokens_asked(sandbox) - before:
        for world in workers:
            world.follow_all()
        quota_clock.pass_by(STEP)
        waited += STEP
    assert waited <= 60 + STEP
    owing.drive()
    assert sandbox.audit()["clean"]


def test_a_token_endpoint_that_fails_is_told_by_status_and_by_an_alert(
    owing: World, sandbox: SandboxProcess, quota_clock: QuotaClock
) -> None:
    sandbox.faults({**TOKEN, "kind": "500", "probability": 1})
    for _ in range(12):
        quota_clock.pass_by(1)
        owing.follow_all()
    evaluate(owing.worker)
    [told] = alerts(owing)
    assert (told.kind, told.severity) == ("failing", "critical")
    assert "500" in told.detail["text"]
    key = owing.worker.open_line(NAME).halo_key
    answer = owing.worker.ledger.run(lambda c: last_answer(c, key.name))
    said = in_words(answering(answer, 7.0))
    assert "POST /token fails since" in said
    assert "500" in said
    assert "asked again in 7 s, by one caller at a time" in said


@pytest.mark.parametrize(
    ("how", "side"),
    in_turn(["nobody", "somebody else", "its own server"], ("highlevel", "halo")),
)
def test_a_side_that_answers_nothing_is_asked_seldom_and_nothing_is_lost_by_it(
    *,
    worlds: Worlds,
    sandbox: SandboxProcess,
    quota_clock: QuotaClock,
    in_between: InBetween,
    side: str,
    how: str,
) -> None:
    detailed = side == "highlevel"
    small(sandbox, orders=8, transactions=0, subscriptions=0, details=detailed)
    world = worlds(style="detail" if detailed else "summary")
    world.pull()
    address = {"highlevel": sandbox.highlevel_url, "halo": sandbox.halo_url}[side]
    in_between.wanted = lambda call, _: address in call
    broken = said(503, {"statusCode": 503, "message": "down", "Message": "down"})
    in_between.answers = {"somebody else": page(), "its own server": broken}.get(how)
    if how == "nobody":
        sandbox.faults(side=side, operation="*", kind="cut_before", probability=1)
    for _ in range(120):
        world.follow_all()
        quota_clock.pass_by(STEP)
    asked = len(in_between.calls) or len(sandbox.calls(side)) - 2
    assert asked <= 4 + 12
    [counted] = world.rows(
        "select max(failures) as most, count(*) filter (where state = 'parked') as parked "
        "from delivery"
    )
    assert (counted.most <= 1, counted.parked) == (True, 0)
    assert world.rows("select state from connection")[0].state == "active"
    in_between.answers = None
    sandbox.faults()
    quota_clock.pass_by(60)
    world.drive()
    assert sandbox.audit()["clean"]


@pytest.mark.parametrize("side", ["highlevel", "halo"])
@pytest.mark.parametrize("says", ["message", "key"])
@pytest.mark.parametrize("status", [401, 403])
def test_a_gateway_that_lets_nobody_in_stops_nothing_and_is_told(
    *,
    worlds: Worlds,
    sandbox: SandboxProcess,
    quota_clock: QuotaClock,
    side: str,
    says: str,
    status: int,
) -> None:
    detailed = side == "highlevel"
    small(sandbox, orders=3, transactions=0, subscriptions=0, details=detailed)
    world = worlds(style="detail" if detailed else "summary", settle=0.1)
    world.pull()
    sandbox.faults(side=side, kind="gateway", says=says, status=status, probability=1)
    for _ in range(40):
        world.follow_all()
        quota_clock.pass_by(5)
    evaluate(world.worker)
    assert world.rows("select state from connection")[0].state == "active"
    assert ("foreign", "critical") in {(told.kind, told.severity) for told in alerts(world)}
    sandbox.faults()
    quota_clock.pass_by(60)
    world.drive()
    assert sandbox.audit()["clean"]


@pytest.mark.parametrize("status", [400, 401, 503])
def test_a_token_that_is_not_given_for_a_passing_reason_stops_nothing_and_is_told(
    owing: World, sandbox: SandboxProcess, quota_clock: QuotaClock, status: int
) -> None:
    sandbox.faults(
        {**TOKEN, "kind": "gateway", "says": "oauth", "status": status, "probability": 1}
    )
    for _ in range(12):
        quota_clock.pass_by(1)
        owing.follow_all()
    evaluate(owing.worker)
    assert untouched(owing)
    [told] = alerts(owing)
    assert (told.kind, told.severity) == ("failing", "critical")
    assert "temporarily_unavailable" in told.detail["text"]
    sandbox.faults()
    quota_clock.pass_by(60)
    owing.drive()
    assert sandbox.audit()["clean"]


@pytest.mark.parametrize(("kind", "moment"), in_turn(FOREIGN_KINDS, MOMENTS, most=3))
def test_one_answer_in_eight_that_is_foreign_stops_and_parks_nothing(
    worlds: Worlds, sandbox: SandboxProcess, quota_clock: QuotaClock, kind: str, moment: str
) -> None:
    small(sandbox, orders=8, transactions=3, subscriptions=1)
    world = worlds(settle=0.1)
    effect = moment == "after"
    sandbox.faults({"kind": kind, "probability": 0.125, "effect": effect, "status": 404})
    world.request_pull()
    while world.open_pulls():
        world.follow_all()
        quota_clock.pass_by(STEP)
    done(world, quota_clock)
    sandbox.faults()
    assert world.rows("select state from connection")[0].state == "active"
    assert not [state for _, state in world.counts() if state == "parked"]
    assert sandbox.audit()["clean"]


def test_a_record_that_somebody_else_always_answers_is_set_apart_and_its_neighbours_go_on(
    worlds: Worlds, sandbox: SandboxProcess, quota_clock: QuotaClock, in_between: InBetween
) -> None:
    small(sandbox, orders=6, transactions=0, subscriptions=0)
    [bad, *_] = sandbox.get("/state/orders")["ids"]
    world = worlds(settle=0.1)
    in_between.answers = page()
    in_between.wanted = lambda call, _: f"/orders/{bad}" in call
    parked: list[Any] = []
    while not parked:
        assert len(in_between.calls) < 60
        sandbox.add_orders(1)
        world.pull()
        for _ in range(8):
            world.follow_all()
            quota_clock.pass_by(30)
        states = world.counts()
        assert states.get(("details", "due"), 0) <= 1  # no neighbour waits behind it
        parked = world.rows("select source_id, reason from delivery where state = 'parked'")
    assert {row.source_id for row in parked} == {bad}
    assert "Just a moment" in parked[0].reason


def test_a_suspended_location_is_said_to_be_so_asked_again_by_itself_and_heals(
    worlds: Worlds, sandbox: SandboxProcess, quota_clock: QuotaClock, in_between: InBetween
) -> None:
    small(sandbox, orders=4, transactions=0, subscriptions=0)
    world = worlds()
    in_between.wanted = lambda call, _: sandbox.highlevel_url in call
    in_between.answers = said(400, {"message": "Location is not active", "statusCode": 400})
    world.request_pull()
    for _ in range(60):
        world.follow_all()
        quota_clock.pass_by(60)
    assert 4 <= len(in_between.calls) <= 8
    [row] = world.rows("select state, note from connection")
    assert (row.state, row.note) == ("active", None)
    told = world.rows("select fault, error from call where sent order by at desc limit 1")
    assert [one.fault for one in told] == ["suspended"]
    assert "Location is not active" in told[0].error
    in_between.answers = None
    quota_clock.pass_by(3600)
    world.drive()
    assert sandbox.audit()["clean"]


def refused_alone(world: World, in_between: InBetween) -> list[Any]:
    """What is parked once all is done; the connection has not stopped."""
    done(world)
    assert in_between.calls
    assert world.rows("select state from connection")[0].state == "active"
    return world.rows(
        "select source_id, target, reason from delivery where state = 'parked' order by id"
    )


@pytest.mark.parametrize(
    "answer",
    [
        said(401, {"statusCode": 401, "message": "Invalid JWT"}),
        said(401, {"statusCode": 401, "message": "The token is not authorized for this scope."}),
        said(403, {"statusCode": 403, "message": "The token does not have access to this."}),
        said(404, {"statusCode": 404, "message": "Cannot GET /payments/orders/1"}),
    ],
    ids=["token", "scope", "location", "path"],
)
def test_a_refusal_of_one_order_parks_it_and_the_others_go_on(
    worlds: Worlds, sandbox: SandboxProcess, in_between: InBetween, answer: Any
) -> None:
    small(sandbox, orders=5, transactions=0, subscriptions=0)
    [bad, *_] = sandbox.get("/state/orders")["ids"]
    in_between.answers = answer
    in_between.wanted = lambda call, _: f"/orders/{bad}" in call
    world = worlds()
    world.pull()
    parked = refused_alone(world, in_between)
    assert {row.source_id for row in parked if row.target == "highlevel.order"} == {bad}


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_of_one_element_of_an_array_parks_it_and_the_others_go_on(
    worlds: Worlds, sandbox: SandboxProcess, in_between: InBetween, status: int
) -> None:
    small(sandbox, orders=6, transactions=0, subscriptions=0)
    [bad, *_] = sandbox.get("/state/orders")["ids"]
    in_between.answers = said(status, {"Message": "Not this client."})
    in_between.wanted = lambda call, body: (
        call.startswith("POST") and f'"HL-{bad}"'.encode() in body and b"po_number" in body
    )
    world = worlds(style="summary", settle=0.1)
    world.pull()
    parked = refused_alone(world, in_between)
    assert [row.source_id for row in parked] == [bad]
    assert "Not this client" in parked[0].reason


def test_a_write_that_is_not_allowed_at_all_stops_the_connection(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    scopes = "edit:customers read:sales read:invoices edit:reporting read:kb"
    small(sandbox, orders=4, transactions=0, subscriptions=0, halo_scopes=scopes)
    world = worlds(style="summary")
    world.pull()
    for _ in range(6):
        world.follow_all()
    [row] = world.rows("select state, note from connection")
    assert row.state == "stopped"
    assert "permission" in row.note
    assert not [state for _, state in world.counts() if state == "parked"]


def test_somebody_else_who_answers_is_told_from_the_first_minute_until_the_api_does(
    worlds: Worlds, sandbox: SandboxProcess, quota_clock: QuotaClock, in_between: InBetween
) -> None:
    small(sandbox, orders=4, transactions=0, subscriptions=0)
    world = worlds()
    in_between.wanted = lambda call, _: sandbox.highlevel_url in call
    in_between.answers = page()
    world.request_pull()
    while len(in_between.calls) < MANY_STRANGERS:
        world.follow_all()
        quota_clock.pass_by(1)
    evaluate(world.worker)
    [told] = alerts(world)
    assert (told.kind, told.severity, told.cause) == ("foreign", "critical", "foreign highlevel")
    assert (told.count, told.told_state) == (MANY_STRANGERS, "open")
    assert "'Just a moment...' (403, text/html, server cloudflare)" in told.detail["text"]
    in_between.answers = None
    quota_clock.pass_by(60)
    world.drive()
    # What came of somebody else lately is told for some minutes more.
    world.do("update call set answered_at = answered_at - interval '6 minutes' where fault <> ''")
    evaluate(world.worker)
    pass_time(world, timedelta(minutes=11))
    evaluate(world.worker)
    assert [one.state for one in alerts(world)] == ["closed"]
