"""Sandbox mode lets no live row out; a rehearsal writes nothing; a dry run tells what is sent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from syncline import jsontext
from syncline.adopt.run import apply_survey as apply_adoption
from syncline.adopt.run import begin, survey
from syncline.alerts import facts
from syncline.calls.calls import halo_calls, highlevel_calls
from syncline.calls.context import WorkerContext
from syncline.dashboard.queries import urgent_figures
from syncline.deliveries import parked, status_counts, unleased
from syncline.dry_run.plan import Call, ParkedInPlan
from syncline.dry_run.run import dry_run
from syncline.engine.connection_rules import as_live
from syncline.errors import Refused, Rehearsing
from syncline.golive import queries
from syncline.golive import run as steps
from syncline.golive.rules import CheckLine
from syncline.halo.client import HaloClient
from syncline.highlevel.client import HighLevelClient
from syncline.ingest.pull import pull
from syncline.ledger import connections
from syncline.ledger.connections import Link
from syncline.ledger.modes import HELD
from syncline.queues import Lane
from syncline.reconciliation import run as reconcile
from syncline.reconciliation.due import period_of
from syncline.runtime.pull_schedule import due_pulls
from syncline.runtime.registry import send
from syncline.sandbox.process import SandboxProcess
from tests.events import arrive, order_event
from tests.from_halo import last_call, writes
from tests.shipping import TRACKED, an_order, fulfillments, halo_orders, hint
from tests.world import NAME, World, Worlds, small

GREEN = (CheckLine("state", "green", "at work"),)


def link_of(world: World) -> Link:
    return world.worker.ledger.run(lambda connection: connections.by_name(connection, NAME))


def as_if_it_were_highlevel(world: World) -> None:
    """The same emulation under a name that is not known to be one."""
    world.do("update location set base_url = replace(base_url, '127.0.0.1', '127.1')")
    assert not link_of(world).is_emulated
    world.reopened()


def hasty(world: World) -> WorkerContext:
    """Workers of these tests look at their connection anew each time, so nobody waits for them."""
    return replace(world.worker, sleep=lambda _: None)


def go_live(world: World) -> None:
    steps.switch(world.reopened(), GREEN, "ada")
    world.reopened()
    world.follow_all()


def settle(world: World) -> None:
    """Follow the sweep until nothing is unread any more; what is due may stay."""
    for _ in range(200):
        world.follow_all()
        waiting = world.rows(
            """
            select 1 from delivery where state not in ('delivered', 'parked')
              and (target like 'highlevel.%' or target like 'halo.%')
            """
        )
        if not (world.open_pulls() or world.open_events() or waiting):
            return
    raise AssertionError(f"still unread: {world.counts()}")


def test_sandbox_mode_lets_no_live_row_out_until_the_switch_nor_after_the_way_back(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=14, transactions=8, subscriptions=2, money=True, seed=5)
    world = worlds()
    as_if_it_were_highlevel(world)
    orders = [sandbox.get(f"/state/orders/{one}") for one in sandbox.get("/state/orders")["ids"]]
    tests = {order["_id"] for order in orders if not order["liveMode"]}
    live = {order["_id"] for order in orders if order["liveMode"]}
    assert tests
    assert live
    for kind in ("order", "transaction", "subscription"):
        world.pull(kind)
    world.drive()
    assert set(halo_orders(sandbox)) == tests
    assert not world.rows("select 1 from delivery where state = 'parked'")

    go_live(world)
    world.drive()
    assert set(halo_orders(sandbox)) == tests | live
    with pytest.raises(Refused, match="live already"):
        steps.switch(world.reopened(), (CheckLine("dump", "red", "none"),), "ada")

    sandbox.change_orders(ids=sorted(live), fields="amount")
    in_hand = live_customers(world, live)
    shipped, row, line = next(
        (one, row, row["lines"][0]) for one, row in halo_orders(sandbox).items() if one in live
    )
    world.pull()
    in_doubt_and_in_hand(world, in_hand)
    assert steps.back(hasty(world), link_of(world), "ada", "wrong tax")
    world.reopened()
    before = last_call(sandbox)
    hint(world, "consignment", sandbox.consign(row["id"], [(line["id"], 1)], TRACKED))
    world.pull()
    world.drive()
    assert writes(sandbox, before) == []
    assert fulfillments(sandbox, shipped) == []
    held = world.rows("select distinct target, field from delivery where state = 'parked'")
    assert {("order", HELD), ("fulfillment", HELD)} <= {tuple(one) for one in held}
    needs_nobody(world)
    customers = "select state, field from delivery where source_id = any(:ids)"
    found = {tuple(one) for one in world.rows(customers, ids=in_hand)}
    assert found == {("parked", HELD)}
    [back] = world.worker.ledger.run(lambda c: queries.steps(c, link_of(world), ["back"]))
    assert (back.by, back.certificate["because"]) == ("ada", "wrong tax")

    old = world.reopened()
    steps.switch(old, GREEN, "ada")
    send(old, "order")
    world.reopened()
    world.drive()
    assert writes(sandbox, before)
    assert len(fulfillments(sandbox, shipped)) == 1
    assert not world.rows("select 1 from delivery where state = 'parked'")
    decided = world.rows("select target, cause from audit_entry where effect = 'command'")
    assert [one.target for one in decided].count("golive switch") == 2
    assert all(one.cause.endswith("by ada") for one in decided)


def live_customers(world: World, live: set[str]) -> list[str]:
    """Two customers of live orders, whom no test order has."""
    found = world.rows(
        """
        select distinct d.source_id, r.foreign_id = any(:live) as live from delivery d
        join record r on r.kind = 'order'
                     and 'email:' || lower(r.canonical -> 'contact' ->> 'email') = d.source_id
        where d.target = 'client' and d.state = 'delivered' order by d.source_id
        """,
        live=sorted(live),
    )
    tests = {one.source_id for one in found if not one.live}
    return [one.source_id for one in found if one.source_id not in tests][:2]


def in_doubt_and_in_hand(world: World, ids: list[str]) -> None:
    """One whose outcome is unknown and is not as it was sent; one whose worker has died."""
    doubtful, leased = ids
    world.do(
        """
        update delivery set state = 'doubtful', sent_version = wanted_version,
            sent_projection = projection || '{"name": "another name"}'
        where source_id = :id
        """,
        id=doubtful,
    )
    world.do("insert into session (id, name, ended_at) values (gen_random_uuid(), 'dead', now())")
    world.do(
        """
        update delivery set state = 'leased', projection = null,
                            owner = (select id from session where name = 'dead')
        where source_id = :id
        """,
        id=leased,
    )


def needs_nobody(world: World) -> None:
    """What is held back until live is shown as that, and no person is asked about it."""
    link = link_of(world)

    def work(connection: Connection) -> None:
        assert parked.counts(connection) == {}
        assert parked.by_cause(connection) == []
        assert parked.held(connection) == {
            NAME: len(
                world.rows(
                    "select 1 from delivery where state = 'parked' and field = :held", held=HELD
                )
            )
        }
        assert unleased.retry(connection, None) == {}
        assert facts.parked_anew(connection, [link.id]) == set()
        kinds = status_counts.kinds(connection, link)
        assert sum(kind.held for kind in kinds) > 0
        assert sum(kind.parked + kind.held_up for kind in kinds) == 0
        assert urgent_figures(connection, link.id).failed == 0

    world.worker.ledger.run(work)
    period = period_of(world.worker, link, date(2026, 1, 1), None)
    reconcile.begin(world.worker, link, period, "test", sample=None)
    line = world.reopened()
    while (came := reconcile.advance(line, lambda *_: None)) and came.again_after:
        pass
    assert (
        world.rows("select cause, field, ours, theirs from discrepancy where state = 'open'") == []
    )


class Sent:
    """What really left, by the reference that each element carries."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.elements: dict[str, Any] = {}
        post, call = HaloClient.post, HighLevelClient.call

        def posting(
            self_: HaloClient, path: str, elements: Sequence[Any], *a: Any, **k: Any
        ) -> Any:
            if path != "/Report":
                self.elements |= {f"{path} {_reference(one)}": one for one in elements}
            return post(self_, path, elements, *a, **k)

        def calling(self_: HighLevelClient, method: str, path: str, **k: Any) -> Any:
            if method == "POST":
                body = jsontext.loads(jsontext.dumps(k["body"]))
                self.elements[f"{path} {body['trackings']}"] = body
            return call(self_, method, path, **k)

        monkeypatch.setattr(HaloClient, "post", posting)
        monkeypatch.setattr(HighLevelClient, "call", calling)


def _reference(element: Any) -> str:
    names = ("po_number", "thirdpartyinvoicenumber", "intent_id", "emailaddress", "ref")
    return next(str(element[name]) for name in names if element.get(name))


def planned(calls: Sequence[Call]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for call in calls:
        if call.target == "fulfillment":
            body = {k: v for k, v in call.body.items() if k not in {"altId", "altType"}}
            found[f"{call.path} {body['trackings']}"] = body
        else:
            path = call.path.removeprefix("/api")
            found |= {f"{path} {_reference(one)}": one for one in call.body}
    return found


def same(told: Any, sent: Any, ids: dict[str, Any]) -> bool:
    """Whether they are equal, each placeholder standing for one id throughout."""
    if isinstance(told, str) and re.fullmatch("<.*>", told):
        return bool(ids.setdefault(told, sent) == sent)
    if isinstance(told, dict):
        return told.keys() == sent.keys() and all(same(told[k], sent[k], ids) for k in told)
    if isinstance(told, list):
        return len(told) == len(sent) and all(map(lambda a, b: same(a, b, ids), told, sent))
    return bool(told == sent)


def test_a_rehearsal_writes_nothing_and_its_dry_run_is_what_leaves_afterwards(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(sandbox, orders=3, transactions=3, subscriptions=1, money=True)
    world = worlds()
    world.pull()
    world.drive()
    before = last_call(sandbox)
    old = world.reopened()
    world.worker.ledger.run(lambda connection: connections.rehearse(connection, link_of(world)))
    world.reopened()
    [new] = sandbox.add_orders(1)
    sandbox.add_transactions(1, orders=[new])
    arrive(world, order_event(sandbox, new, "OrderCreate"))
    shipped, order, line = an_order(sandbox, 1)
    hint(world, "consignment", sandbox.consign(order["id"], [(line["id"], 1)], TRACKED))
    assert any(nudge.task.startswith("pull:") for nudge in due_pulls(world.worker))
    for kind in ("order", "transaction", "subscription"):
        world.pull(kind)
    settle(world)
    for target in ("order", "invoice", "fulfillment"):
        assert world.rows("select 1 from delivery where target = :t and state = 'due'", t=target)
        send(old, target)  # by a worker that has not noticed yet
    assert writes(sandbox, before) == []
    assert fulfillments(sandbox, shipped) == []
    assert sandbox.calls("highlevel", before)
    refused_by_the_clients(world)
    assert world.rows("select state from connection")[0].state == "rehearsing"

    quiet = last_call(sandbox)
    calls, kept = list[Call](), list[ParkedInPlan]()
    plan = dry_run(
        world.reopened(),
        target=None,
        tell=lambda *_: None,
        call=calls.append,
        keep=kept.append,
    )
    assert last_call(sandbox) == quiet
    assert kept == []
    assert sum(count.waits for count in plan.counts.values()) == 0
    assert plan.counts["fulfillment"].writes == 1
    assert plan.halo_calls >= len([call for call in calls if call.target != "fulfillment"])

    sent = Sent(monkeypatch)
    world.worker.ledger.run(lambda connection: connections.start(connection, link_of(world).id))
    world.reopened()
    world.drive()
    told, ids = planned(calls), dict[str, Any]()
    assert told.keys() == sent.elements.keys()
    for key, element in told.items():
        assert same(element, sent.elements[key], ids), [
            (key, name, element.get(name), left)
            for name, left in sent.elements[key].items()
            if not same(element.get(name), left, ids)
        ]
    assert sandbox.audit()["clean"]


def refused_by_the_clients(world: World) -> None:
    """Whatever forgets to ask for the state is kept back by the clients themselves."""
    line = world.reopened()
    halo = halo_calls(line, Lane.UPKEEP)
    highlevel = highlevel_calls(line, Lane.UPKEEP)
    with pytest.raises(Rehearsing, match="POST /Client was not sent"):
        halo.read("POST /Client", lambda permit: line.halo.post("/Client", [{}], permit))
    with pytest.raises(Rehearsing):
        halo.read("DELETE", lambda permit: line.halo.delete("/SalesOrder/1", permit))
    with pytest.raises(Rehearsing):
        highlevel.read("x", lambda p: line.highlevel.call("POST", "/x", permit=p, body={}))


def test_what_was_adopted_in_sandbox_mode_is_neither_doubled_nor_rewritten_by_going_live(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=8, transactions=0, subscriptions=0)
    truth = sandbox.post("/plant", {"share": 0.6, "near_misses": 0})
    world = worlds()
    as_if_it_were_highlevel(world)
    world.do("update connection set state = 'stopped', note = 'adopt first'")
    line = as_live(world.reopened())
    since = world.worker.now().date() - timedelta(days=31)
    seen = survey(line, since, lambda *_: None)
    assert len(seen.found.matched) == len(truth["matches"])
    apply_adoption(line, seen, lambda *_: None)
    begin(line)
    world.reopened()
    world.request_pull()
    world.drive()
    rows = [row["id"] for row in sandbox.halo_orders()]
    live = {one for one in truth["absent"] if sandbox.get(f"/state/orders/{one}")["liveMode"]}
    assert live
    assert not live & set(halo_orders(sandbox))
    assert len(rows) == len(truth["matches"]) + len(truth["absent"]) - len(live)

    before = last_call(sandbox)
    go_live(world)
    world.drive()
    assert set(halo_orders(sandbox)) == {*truth["matches"], *truth["absent"]}
    sent = [call for call in sandbox.calls("halo", before) if call["path"].endswith("/SalesOrder")]
    assert sum(call["elements"] for call in sent if call["method"] == "POST") == len(live)
    assert not world.rows("select 1 from delivery where state = 'parked'")


def test_what_a_worker_that_has_not_noticed_the_way_back_reads_makes_no_customer_of_live_orders(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=4, customers=60, transactions=0, subscriptions=0, seed=5)
    world = worlds(style="summary")
    as_if_it_were_highlevel(world)
    go_live(world)
    world.pull()
    world.drive()
    made = "select source_id from delivery where target = 'client' and target_id is not null"
    before = {row.source_id for row in world.rows(made)}
    old = world.reopened()
    steps.back(hasty(world), link_of(world), "ada", "wrong tax")
    sandbox.add_orders(8)
    today = world.worker.now().date()
    assert pull(old, "order", today, today, Lane.PULLS).new >= 8
    for target in ("client", "user", "order"):
        send(world.reopened(), target)
    orders = [sandbox.get(f"/state/orders/{one}") for one in sandbox.get("/state/orders")["ids"]]
    tests = {
        f"email:{(one['contactSnapshot'].get('email') or '').lower()}"
        for one in orders
        if not one["liveMode"]
    }
    assert {row.source_id for row in world.rows(made)} - before <= tests
