"""One failure policy a kind of work: what becomes of what was claimed, and when to go on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from syncline.calls.calls import NoQuota
from syncline.deliveries import leased
from syncline.deliveries.delivery import Lease
from syncline.deliveries.states import State
from syncline.engine.failures import (
    ADOPTING,
    BACKOFF,
    LONGEST_BACKOFF,
    LOOKING_UP,
    PARK_AFTER,
    READING,
    SENDING,
    Batch,
    Policy,
    Refusal,
    backoff,
    is_of_the_record,
    put_back,
)
from syncline.engine.rounds import ROUNDS, NextRun, in_rounds
from syncline.errors import (
    Again,
    BadCredentials,
    MissingScope,
    NotSent,
    Refused,
    SynclineError,
    Unreadable,
)
from syncline.ledger.connections import Link
from syncline.ledger.database import LedgerAway
from syncline.sandbox.process import SandboxProcess
from tests.world import NAME, World, Worlds, small

LATER = timedelta(seconds=40)


@pytest.fixture
def world(worlds: Worlds, sandbox: SandboxProcess) -> World:
    small(sandbox, orders=2, customers=1)
    world = worlds(style="summary")  # no detail is read, so the client is due at once
    world.pull()
    return world


def failed(
    world: World, policy: Policy, error: SynclineError, refusal: Refusal = Refusal.STOP
) -> NextRun | None:
    """Claim a customer, fail with it, and say when to go on."""
    line = world.worker.open_line(NAME)
    [lease, *_] = world.worker.ledger.run(
        lambda c: leased.claim(c, line.link.id, "client", world.worker.session(), 1)
    )
    batch = Batch([lease])

    def on_refused(_link: Link, _error: Refused) -> Refusal:
        return refusal

    with put_back(line, policy, batch, on_refused):
        raise error
    return batch.next_run


def rest(world: World) -> tuple[str, str | None, float]:
    row = world.rows(
        """
        select state, reason, extract(epoch from due_at - clock_timestamp()) as rest
        from delivery where target = 'client' and attempt > 0
        """
    )[0]
    return row.state, row.reason, float(row.rest)


@pytest.mark.parametrize("policy", [SENDING, READING, ADOPTING], ids=["send", "read", "adopt"])
def test_without_quota_work_is_due_again_when_there_is_some_and_nothing_is_said_of_it(
    world: World, policy: Policy
) -> None:
    assert failed(world, policy, NoQuota("used up", after=LATER)) == NextRun.later(LATER)
    state, reason, seconds = rest(world)
    assert (state, reason) == ("due", None)
    assert 30 < seconds <= 40


def test_a_failure_that_may_heal_rests_at_least_for_the_first_pause(world: World) -> None:
    assert failed(world, SENDING, Again("busy")) == NextRun.later(BACKOFF)
    assert rest(world)[:2] == ("due", "busy")


@pytest.mark.parametrize(
    ("error", "refusal"),
    [(Unreadable("odd"), Refusal.STOP), (MissingScope("odd"), Refusal.ALONE)],
    ids=["failed", "refused"],
)
def test_a_write_that_cannot_be_begun_rests_ever_longer_and_asks_a_person_at_last(
    world: World, error: SynclineError, refusal: Refusal
) -> None:
    for failures, seconds in enumerate((2, 4, 8)):
        assert failed(world, replace(SENDING, parks=False), error, refusal) == NextRun.when_due()
        state, reason, left = rest(world)
        assert (state, reason) == ("due", "odd")
        assert seconds - 2 < left <= seconds
        [row] = world.rows("select failures from delivery where target = 'client' and attempt > 0")
        assert row.failures == failures + 1
        world.do("update delivery set due_at = clock_timestamp() where attempt > 0")
    world.do("update delivery set failures = :many where attempt > 0", many=PARK_AFTER)
    failed(world, replace(SENDING, parks=False), error, refusal)
    state, reason, _ = rest(world)
    assert state == "parked"
    assert reason is not None
    assert "12 times in a row: odd" in reason


def test_a_look_up_that_stops_the_connection_says_nothing_of_the_row(world: World) -> None:
    line = world.worker.open_line(NAME)
    with put_back(line, LOOKING_UP, Batch([_doubtful(world, PARK_AFTER)])):
        raise BadCredentials("no")
    [row] = world.rows("select * from delivery where target = 'client' and attempt > 0")
    assert (row.state, row.failures) == ("doubtful", PARK_AFTER)


def test_a_reading_of_which_one_is_refused_counts_that(world: World) -> None:
    assert failed(world, READING, MissingScope("no"), Refusal.ALONE) == NextRun.when_due()
    [row] = world.rows("select * from delivery where target = 'client' and attempt > 0")
    assert (row.state, row.failures) == ("due", 1)


@pytest.mark.parametrize("policy", [SENDING, READING], ids=["send", "read"])
def test_a_token_that_is_refused_to_one_and_taken_from_others_parks_no_row(
    world: World, policy: Policy
) -> None:
    assert failed(world, policy, BadCredentials("no"), Refusal.ALONE) == NextRun.when_due()
    [row] = world.rows("select * from delivery where target = 'client' and attempt > 0")
    assert (row.state, row.failures) == ("due", 1)


@pytest.mark.parametrize("policy", [READING, ADOPTING], ids=["read", "adopt"])
def test_a_failure_that_nobody_foresaw_ends_a_reading_task(world: World, policy: Policy) -> None:
    with pytest.raises(Unreadable):
        failed(world, policy, Unreadable("odd"))


@pytest.mark.parametrize("policy", [SENDING, READING], ids=["send", "read"])
def test_wrong_credentials_stop_the_connection_and_leave_nothing_in_hand(
    world: World, policy: Policy
) -> None:
    assert failed(world, policy, BadCredentials("no")) == NextRun.when_due()
    assert rest(world)[0] == "due"
    assert world.rows("select state from connection")[0].state == "stopped"


def test_what_a_connection_can_do_without_is_parked_where_it_is_refused(world: World) -> None:
    assert failed(world, SENDING, MissingScope("not allowed"), Refusal.PARK) == NextRun.when_due()
    assert rest(world)[0] == "parked"
    assert world.rows("select state from connection")[0].state == "active"


def test_what_tells_of_a_stopped_connection_rests_where_it_is_refused(world: World) -> None:
    assert failed(world, SENDING, BadCredentials("no"), Refusal.REST) == NextRun.when_due()
    state, _, seconds = rest(world)
    assert state == "due"
    assert seconds > 200
    assert world.rows("select state from connection")[0].state == "active"


def test_an_adoption_raises_what_is_refused(world: World) -> None:
    with pytest.raises(BadCredentials):
        failed(world, ADOPTING, BadCredentials("no"))


@pytest.mark.parametrize(
    ("error", "seconds"),
    [(NoQuota("used up", after=LATER), 40), (Again("busy"), 2), (Unreadable("odd"), 8)],
    ids=["quota", "again", "other"],
)
def test_what_could_not_be_looked_up_stays_in_doubt(
    world: World, error: SynclineError, seconds: int
) -> None:
    line = world.worker.open_line(NAME)
    lease = _doubtful(world)
    batch = Batch([lease])
    with put_back(line, LOOKING_UP, batch):
        raise error
    state, reason, left = rest(world)
    assert (state, reason) == ("doubtful", error.what)
    assert seconds - 2 < left <= seconds


@pytest.mark.parametrize(
    ("error", "state", "failures"),
    [
        (Again("No whole answer came."), "doubtful", PARK_AFTER),
        (Unreadable("The answer is not a list."), "parked", PARK_AFTER),
    ],
    ids=["passing", "lasting"],
)
def test_what_cannot_be_looked_up_for_a_reason_that_lasts_asks_a_person_at_last(
    world: World, error: SynclineError, state: str, failures: int
) -> None:
    line = world.worker.open_line(NAME)
    with put_back(line, LOOKING_UP, Batch([_doubtful(world, PARK_AFTER)])):
        raise error
    [row] = world.rows("select * from delivery where target = 'client' and attempt > 0")
    assert (row.state, row.failures) == (state, failures)
    assert error.what in row.reason


@pytest.mark.parametrize(
    ("error", "says"), [(Again("504"), True), (LedgerAway("away"), False), (NotSent("cut"), False)]
)
def test_only_what_the_other_side_may_mean_counts_against_a_record(
    error: SynclineError, says: bool
) -> None:
    assert is_of_the_record(error) is says


def _doubtful(world: World, failures: int = 2) -> Lease:
    """A customer whose write failed so often with no answer, claimed to be looked up."""
    line = world.worker.open_line(NAME)
    world.do(
        """
        update delivery set state = 'doubtful', failures = :failures, attempt = 1
        where id = (select min(id) from delivery where target = 'client')
        """,
        failures=failures,
    )
    [lease] = world.worker.ledger.run(
        lambda c: leased.claim(c, line.link.id, "client", world.worker.session(), 1, State.DOUBTFUL)
    )
    return lease


def test_pauses_double_up_to_the_longest() -> None:
    assert [backoff(many).total_seconds() for many in range(3)] == [2, 4, 8]
    assert backoff(40) == LONGEST_BACKOFF


def test_a_task_claims_until_it_is_told_when_to_go_on() -> None:
    said = [None, None, NextRun.later(LATER)]
    assert in_rounds(lambda: said.pop(0)) == NextRun.later(LATER)


def test_a_task_lets_others_go_on_after_its_rounds() -> None:
    rounds: list[int] = []
    assert in_rounds(lambda: rounds.append(1)) == NextRun.at_once()
    assert len(rounds) == ROUNDS
