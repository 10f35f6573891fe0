"""What goes wrong is one ticket in Halo for each cause, up to date, and closed when it heals."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from redis import Redis

from syncline.alerts import queries as ledger
from syncline.alerts.run import evaluate
from syncline.alerts.ticket_settings import watch
from syncline.alerts.trial import trial
from syncline.calls.context import Nudge
from syncline.ledger import connections
from syncline.runtime.pull_schedule import due_pulls
from syncline.sandbox.process import SandboxProcess
from tests.alerting import accept, alerts, pass_time, refuse, tell
from tests.promises.mortal import Killed, Mortal
from tests.spoiling import answered
from tests.variants import mostly
from tests.world import NAME, World, Worlds, small

LONG = timedelta(minutes=11)
RULES = """
[[alerts.new_order]]
at_least = 0
"""
FIRST_ONES = """
[[alerts.new_order]]
first = true
"""
TROUBLES = """
    insert into reconciliation (id, connection_id, first, last, mode, cause) overriding system value
    select 1, id, '2026-01-01', '2026-01-31', 'full', 'test' from connection;
    insert into discrepancy (connection_id, found_by, seen_by, flow, source_kind, source_id, role,
                             target, cause, field)
    select id, 1, 1, 'orders', 'order', 'o1', 'order', 'order', 'missing', 'id' from connection;
    insert into expected (location_id, kind, foreign_id, updated_at, found_at)
    select location_id, 'order', 'o' || n, clock_timestamp(),
           clock_timestamp() - interval '20 minutes'
    from connection, generate_series(1, 5) n;
    insert into pull (connection_id, kind, first, last, state, finished_at)
    select id, 'order', '2026-01-01', '2026-01-31', 'uncertain', clock_timestamp() from connection;
    insert into pull (connection_id, kind, first, last, state, finished_at)
    select id, 'subscription', '2026-01-01', '2026-01-31', 'certified', clock_timestamp()
    from connection;
    insert into pull (connection_id, kind, first, last, state, finished_at)
    select id, 'transaction', '2026-01-01', '2026-01-31', 'certified',
           clock_timestamp() - interval '2 hours' from connection;
    insert into call (id, quota_key, connection_id, session_id, operation, elements,
                      deadline_seconds, sent, answered_at, error)
    select gen_random_uuid(), 'halo:' || tenant_id, id, gen_random_uuid(), 'GET /x', 0, 5, true,
           clock_timestamp(), 'the connection was cut' from connection;
"""


@pytest.mark.parametrize("profile", mostly("awkward"))
def test_a_cause_is_one_ticket_that_is_updated_added_to_and_closed_when_it_heals(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    small(sandbox, profile=profile, orders=8, transactions=0, subscriptions=0)
    ids = sandbox.get("/state/orders")["ids"]
    refuse(sandbox, ids[:1])
    world, other = worlds(), worlds(joins=True)
    world.pull()
    world.drive()
    with ThreadPoolExecutor() as side_by_side:
        list(side_by_side.map(evaluate, [world.worker, other.worker] * 3))
    world.drive()
    [alert] = alerts(world)
    assert (alert.kind, alert.state, alert.count, alert.told_state) == ("parked", "open", 1, "open")
    [ticket] = sandbox.tickets()
    assert ticket["supplier_reference"] == ticket["third_party_id_string"] == alert.source_id
    assert "On hold" in ticket["summary"]
    if profile == "generous":  # the others have no links, or show them later
        assert [one["third_party_id"] for one in ticket["external_links"]] == [alert.source_id]
    errors = [one["entity_name"] for one in sandbox.integration_errors()]
    assert errors == ([alert.source_id] if profile == "generous" else [])

    refuse(sandbox, ids[:4])
    sandbox.change_orders(ids=ids[:4], fields="amount")
    world.pull()
    world.drive()
    pass_time(world, LONG)
    tell(world)
    [ticket] = sandbox.tickets()
    assert ticket["summary"].endswith("(4)")
    [action] = sandbox.actions(ticket["id"])
    assert action["hiddenfromuser"] is True
    assert "grew" in action["note"]
    tell(world)
    assert len(sandbox.actions(ticket["id"])) == 1

    accept(world, sandbox)
    tell(world)
    assert alerts(world)[0].state == "open"
    pass_time(world, LONG)
    tell(world)
    [alert], [ticket] = alerts(world), sandbox.tickets()
    assert (alert.state, alert.told_state, ticket["status_name"]) == ("closed", "closed", "Closed")
    assert not [state for _, state in world.counts() if state == "parked"]
    assert sandbox.audit()["mailed"] == []


def test_an_answer_that_is_lost_makes_no_second_ticket_and_one_closed_by_hand_is_left_alone(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=8, transactions=0, subscriptions=0)
    ids = sandbox.get("/state/orders")["ids"]
    refuse(sandbox, ids[:2])
    world = worlds()
    world.pull()
    world.drive()
    sandbox.faults(
        {"side": "halo", "operation": "POST /Tickets", "kind": "cut_after", "next": 2},
        {"side": "halo", "operation": "POST /Actions", "kind": "cut_after", "next": 1},
    )
    tell(world)
    pass_time(world, timedelta(days=1))
    tell(world)
    [ticket] = sandbox.tickets()
    assert ticket["hasbeenclosed"] is False
    [action] = sandbox.actions(ticket["id"])
    assert "still open" in action["note"]

    sandbox.close_ticket(ticket["id"])
    before = sandbox.tickets()
    watch(world.worker.open_line(NAME), every=timedelta(0))
    [alert] = alerts(world)
    assert alert.acknowledged_by == "closed in Halo"
    [(subject,)] = world.rows(
        "select source_id from audit_entry where target = 'alerts acknowledge'"
    )
    assert subject == alert.source_id
    pass_time(world, timedelta(days=2))
    tell(world)
    accept(world, sandbox)
    tell(world)
    pass_time(world, LONG)
    tell(world)
    assert alerts(world)[0].state == "closed"
    assert sandbox.tickets() == before

    refuse(sandbox, ids[:2])
    sandbox.change_orders(ids=ids[:2], fields="amount")
    world.pull()
    world.drive()
    tell(world)
    assert [one.state for one in alerts(world)] == ["closed", "open"]
    world.do("update delivery set state = 'parked', reason = 'no' where target = 'ticket'")
    tell(world)
    assert len(alerts(world)) == 2  # a ticket that is parked raises no alert of its own
    assert len(sandbox.tickets()) == 2
    assert sandbox.audit()["mailed"] == []


def test_a_lost_first_ticket_is_found_though_its_column_in_reports_is_another_one(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(sandbox, orders=8, transactions=0, subscriptions=0)
    refuse(sandbox, sandbox.get("/state/orders")["ids"][:2])
    world = worlds()
    world.pull()
    world.drive()
    empty = [{"report": {"loaded": True, "rows": []}}]
    answered(monkeypatch, "POST /Report", lambda _: (200, empty))
    sandbox.faults(side="halo", operation="POST /Tickets", kind="cut_after", next=1)
    tell(world)
    assert len(sandbox.tickets()) == 1


def test_new_orders_are_told_once_by_rule_and_those_of_a_backfill_never(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=8, transactions=0, subscriptions=0)
    world = worlds()
    with world.worker.ledger.begin() as connection:
        link = connections.by_name(connection, NAME)
        ledger.open_test(connection, link.id, trial(world.worker.open_line(NAME)))
    world.pull()
    world.drive()
    tell(world)
    [ticket] = sandbox.tickets()
    _rule(world, RULES)
    tell(world)
    assert len(alerts(world)) == 1  # what was there before is no news
    new = sandbox.add_orders(3)
    world.pull()
    world.drive()
    for _ in range(2):  # to tell is a change too, which is looked at once
        tell(world)
    before = _versions(world)
    tell(world)
    assert _versions(world) == before
    world.do("delete from cursor where kind = 'alerts'")
    tell(world)
    told = alerts(world)[1:]
    assert sorted(one.cause for one in told) == sorted(f"order {one}" for one in new)
    assert {(one.state, one.told_state) for one in told} == {("notice", "notice")}
    assert len(sandbox.tickets()) == 1 + len(new)

    # More than may be told one by one in an hour are told by one alert, until an hour has passed.
    _rule(world, f"[alerts]\nnew_orders_an_hour = 4\n{RULES}")
    sandbox.add_orders(3)
    world.pull()
    world.drive()
    for _ in range(2):
        tell(world)
    [many] = [one for one in alerts(world) if one.kind == "many_orders"]
    assert (many.state, many.count) == ("open", 2)
    assert len(sandbox.tickets()) == 1 + 4 + 1
    assert alerts(world)[-1].id == many.id == 1 + 6 + 1
    pass_time(world, timedelta(hours=1))
    tell(world)
    pass_time(world, LONG)
    tell(world)
    assert alerts(world)[-1].state == "closed"

    # An order with a ticket of its own in Halo is told there; the first order of a customer once.
    world.do(
        """
        update delivery set target_meta = target_meta || jsonb_build_object('ticket_id',
            cast(:ticket as bigint)) where flow = 'orders'
        """,
        ticket=ticket["id"],
    )
    world.do("update connection set created_at = created_at - interval '1 year'")
    world.do("update record set created_at = clock_timestamp() where kind = 'order'")
    world.do("delete from alert where kind = 'new_order'")
    _rule(world, FIRST_ONES)
    tell(world)
    [customers] = world.rows("select count(*) as many from record where kind = 'customer'")
    told = [one for one in alerts(world) if one.kind == "new_order"]
    assert len(told) == customers.many
    assert len(sandbox.actions(ticket["id"])) == customers.many
    assert sandbox.audit()["mailed"] == []


def test_a_first_order_is_told_also_where_it_is_read_long_after_the_list_showed_it(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=0, transactions=0, subscriptions=0)
    world = worlds()
    _rule(world, FIRST_ONES)
    sandbox.add_orders(1)
    world.pull()
    world.do("update change set at = at - interval '1 minute'")
    world.drive()
    tell(world)
    assert [one.kind for one in alerts(world)] == ["new_order"]


def test_every_other_trouble_is_told_also_while_the_connection_stands_still(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=2, transactions=0, subscriptions=0)
    world = worlds()
    world.do(TROUBLES)
    evaluate(world.worker)
    before = _versions(world)
    evaluate(world.worker)
    assert _versions(world) == before
    assert {one.cause: one.count for one in alerts(world)} == {
        "discrepancy orders missing": 1,
        "missed events": 5,
        "uncertain order": 1,
        "late transaction": 1,
        "silent halo": 1,
    }
    line = world.worker.open_line(NAME)
    world.worker.quota.freeze(line.highlevel_key, timedelta(minutes=9))
    evaluate(world.worker)
    assert "quota highlevel" in {one.cause for one in alerts(world)}
    for on_purpose in connections.BY_A_PERSON:
        with world.worker.ledger.begin() as connection:
            connections.stop(connection, line.link, f"{on_purpose}; to go on: start")
        evaluate(world.worker)
        assert "stopped" not in {one.cause for one in alerts(world)}
    with world.worker.ledger.begin() as connection:
        connections.stop(connection, line.link, "HighLevel does not accept the token.")
    world.reopened()
    evaluate(world.worker)
    mortal = Mortal(worker := worlds(joins=True), partial(_die_when_it_was_made, sandbox))
    with pytest.raises(Killed):
        worker.follow(Nudge(NAME, "send", "ticket"))
    mortal.silence()
    world.drive()
    assert len([one for one in sandbox.tickets() if "is stopped" in one["summary"]]) == 1
    audit = sandbox.audit()
    assert (audit["mailed"], audit["alerts"]["clean"]) == ([], True)


def _die_when_it_was_made(sandbox: SandboxProcess, _: int, name: str) -> None:
    if name == "after POST" and sandbox.tickets():
        raise Killed


def test_a_side_that_nobody_reaches_and_a_day_whose_calls_are_used_up_are_told_until_they_heal(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=2, transactions=0, subscriptions=0, highlevel_daily=1)
    world = worlds(style="summary")
    world.pull()
    world.do("update tenant set base_url = 'http://127.0.0.1:9'")
    world.reopened()
    world.follow_all()
    evaluate(world.worker)
    told = {one.cause: one.detail["text"] for one in alerts(world)}
    assert set(told) == {"silent halo", "quota highlevel"}
    assert "Connection refused" in told["silent halo"]
    assert "calls of today" in told["quota highlevel"]

    world.do("update tenant set base_url = :url", url=sandbox.halo_url)
    world.reopened()
    with Redis.from_url(world.redis_url) as redis:
        redis.delete(*redis.scan_iter("*{highlevel:*"))  # as after midnight
    world.drive()
    evaluate(world.worker)
    pass_time(world, LONG)
    evaluate(world.worker)
    assert {one.state for one in alerts(world)} == {"closed"}


def test_a_comparison_that_fails_or_does_not_come_is_told_until_one_has_come_to_its_end(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=0, transactions=0, subscriptions=0)
    world = worlds()
    sandbox.faults(side="highlevel", kind="500", probability=1)
    world.follow(_due(world))
    assert _of_comparisons(world) == [("reconciliation failed", "open")]
    assert "500" in alerts(world)[0].detail["text"]
    sandbox.faults()
    world.do(
        """
        insert into reconciliation (connection_id, first, last, mode, state, cause, finished_at)
        select id, '2026-01-01', '2026-01-31', 'full', 'done', 'by hand', clock_timestamp()
        from connection
        """
    )
    pass_time(world, LONG)
    assert _of_comparisons(world) == [("reconciliation failed", "open")]
    world.do("update cursor set due_at = clock_timestamp()")
    world.follow(_due(world))
    evaluate(world.worker)
    pass_time(world, LONG)
    assert _of_comparisons(world) == [("reconciliation failed", "closed")]

    earlier = "started_at = started_at - interval '{0}', finished_at = finished_at - interval '{0}'"
    world.do(f"update reconciliation set {earlier.format('47 hours')}")  # noqa: S608
    assert _of_comparisons(world)[1:] == []
    world.do(f"update reconciliation set {earlier.format('1 hour')}")  # noqa: S608
    assert _of_comparisons(world)[1:] == [("reconciliation late", "open")]
    assert "None has begun since" in alerts(world)[-1].detail["text"]
    world.do("update cursor set due_at = clock_timestamp()")
    world.follow(_due(world))
    evaluate(world.worker)
    pass_time(world, LONG)
    assert _of_comparisons(world)[1:] == [("reconciliation late", "closed")]


def _due(world: World) -> Nudge:
    [due] = [nudge for nudge in due_pulls(world.worker) if nudge.task == "reconcile"]
    return due


def _of_comparisons(world: World) -> list[tuple[str, str]]:
    evaluate(world.worker)
    return [(one.cause, one.state) for one in alerts(world) if one.kind == "reconciliation"]


def _rule(world: World, section: str) -> None:
    """Let the mapping say this of alerts, and nothing else."""
    world.do(
        """
        update connection set mapping =
            regexp_replace(mapping, '\n\\[+alerts.*', '') || chr(10) || cast(:section as text)
        """,
        section=section,
    )
    world.reopened()


def _versions(world: World) -> list[Any]:
    """What any write would change: rows with the transactions that made and locked them."""
    return world.rows(
        """
        select 'alert', cast(id as text), cast(xmin as text), cast(xmax as text) from alert
        union all select 'cursor', kind, cast(xmin as text), cast(xmax as text) from cursor
        union all select 'delivery', cast(id as text), cast(xmin as text), '' from delivery
        union all select 'record', foreign_id, cast(xmin as text), '' from record
        union all select 'number', '', cast(last_value as text), '' from alert_id_seq
        order by 1, 2
        """
    )
