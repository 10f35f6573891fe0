"""No call leaves without quota and a committed row; we cause no 429, and heed those that come."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from redis import Redis

from syncline.calls.calls import halo_calls
from syncline.errors import RateLimited
from syncline.queues import Lane
from syncline.runtime.registry import send
from syncline.sandbox.process import SandboxProcess
from syncline.transport import Answer
from tests.in_between import InBetween
from tests.variants import mostly
from tests.world import NAME, Worlds, small


@pytest.mark.parametrize("profile", mostly("awkward"))
def test_every_call_that_arrives_has_a_row_and_every_row_that_left_arrived(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    small(sandbox, profile=profile)
    sandbox.faults(
        {"kind": "cut_after", "probability": 0.1},
        {"kind": "500", "probability": 0.1},
        {"kind": "latency", "probability": 0.3, "min_ms": 1, "max_ms": 20},
    )
    world = worlds()
    world.request_pull()
    world.drive()
    arrived = Counter(call["side"] for call in sandbox.calls())
    rows = world.rows(
        """
        select split_part(quota_key, ':', 1) as side, count(*) as number,
               count(*) filter (where answered_at is null) as unended
        from call where sent group by 1
        """
    )
    assert {row.side: row.number for row in rows} == arrived
    assert all(row.unended == 0 for row in rows)


@pytest.mark.parametrize("window", ["sliding", "fixed"])
def test_tight_limits_are_never_overrun_even_where_redis_is_emptied(
    worlds: Worlds, sandbox: SandboxProcess, redis_url: str, window: str
) -> None:
    tight = {"calls": 12, "seconds": 1, "window": window}
    small(sandbox, profile="plain", highlevel_limit=tight, halo_limit=tight)
    world = worlds(halo=(12, 1), highlevel=(12, 1))
    world.request_pull()
    with Redis.from_url(redis_url) as redis:
        while world.open_deliveries() or world.open_pulls():
            world.follow_all()
            redis.flushall()
    verdict = sandbox.audit()
    assert verdict["clean"]
    assert sum(verdict["rejected_429"].values()) == 0


@pytest.mark.parametrize("profile", mostly("plain"))
def test_a_429_freezes_the_key_for_all_workers(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    slow = {"calls": 1000, "seconds": 30}
    small(sandbox, profile=profile, halo_limit=slow)
    world = worlds(halo=(1000, 30))
    world.pull()
    send(world.worker.open_line(NAME), "highlevel.order")
    sandbox.faults(side="halo", operation="*", kind="429", next=1)
    world.follow_all()
    seen = len(sandbox.calls("halo"))
    other = worlds(joins=True)
    other.follow_all()
    world.follow_all()
    assert len(sandbox.calls("halo")) == seen
    line = world.worker.open_line(NAME)
    frozen = world.worker.quota.left(line.halo_key)["frozen_until"]
    assert frozen is not None
    assert frozen > datetime.now(UTC)
    assert not {state for _, state in world.counts()} & {"sending", "doubtful", "parked"}


@pytest.mark.parametrize(
    ("kind", "body", "calls"),
    [
        ("application/json", b'{"Message": "10 requests per 10 seconds"}', 10),
        ("text/plain", b"Too Many Requests", 1000),
        ("text/html", b"<html><title>10 requests per 10 seconds</title></html>", 1000),
    ],
)
def test_a_429_that_asks_for_a_day_rests_the_key_a_minute_and_only_halo_names_a_limit(
    worlds: Worlds,
    sandbox: SandboxProcess,
    in_between: InBetween,
    kind: str,
    body: bytes,
    calls: int,
) -> None:
    small(sandbox, orders=2, transactions=0, subscriptions=0, details=False)
    world = worlds(style="summary", halo=(1000, 10))
    headers = {"content-type": kind, "retry-after": "86400"}
    in_between.wanted = lambda call, _body: call.startswith("GET ") and "/Client" in call
    in_between.answers = Answer(429, headers, body, timedelta(0))
    line = world.worker.open_line(NAME)
    api = halo_calls(line, Lane.PULLS)
    with pytest.raises(RateLimited) as caught:
        api.read("GET /Client", partial(line.halo.get, "/Client", {}))
    assert caught.value.after == timedelta(seconds=60)
    left = world.worker.quota.left(line.halo_key)
    assert left["frozen_until"] is not None
    assert left["frozen_until"] <= datetime.now(UTC) + timedelta(seconds=60)
    assert left["windows"][0]["calls"] == calls


def test_a_token_that_is_refused_in_the_middle_is_renewed_with_rows_of_its_own(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=6, profile="plain")
    world = worlds()
    world.pull()
    while not world.counts().get(("orders", "delivered")):
        world.follow_all()
    sandbox.post("/halo/expire_tokens", {})
    sandbox.add_orders(4)
    world.pull()
    world.drive()
    assert sandbox.audit()["clean"]
    assert [call["status"] for call in sandbox.calls("halo")].count(401) > 0
    rows = world.rows("select count(*) from call where sent and quota_key like 'halo:%'")[0][0]
    assert len(sandbox.calls("halo")) == rows
