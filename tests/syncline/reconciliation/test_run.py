"""Both sides are compared with what Halo really holds, and only what is real is a difference."""

from __future__ import annotations

from datetime import date

import pytest

from syncline.errors import SynclineError
from syncline.halo import paging
from syncline.ledger.modes import HELD
from syncline.reconciliation import certificate_text, compare_rows
from syncline.reconciliation.due import period_of
from syncline.reconciliation.reading import observed_rows
from syncline.reconciliation.run import advance, begin, plan
from syncline.runtime.pull_schedule import due_pulls
from syncline.runtime.sweep import sweep
from syncline.sandbox.process import SandboxProcess
from tests.from_halo import delete, got_by_others, last_call, readings, writes
from tests.promises.mortal import Killed, Mortal
from tests.reconciling import (
    FEW,
    TAMPERED,
    certified,
    finished,
    in_line,
    pairs,
    reconciled,
    tampered,
)
from tests.shipping import TRACKED, an_order, hint
from tests.unheard import unheard
from tests.variants import mostly
from tests.world import NAME, World, Worlds

_COUNTS = 3
"""Calls to HighLevel, of which a run asks the number of each kind first."""
_AT_THE_END = 2
"""The call to Halo with which orders are read once more, after the report of them."""


@pytest.mark.parametrize("profile", mostly("plain"))
def test_what_people_did_is_found_and_nothing_is_invented(
    worlds: Worlds, sandbox: SandboxProcess, profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = in_line(worlds, sandbox, profile=profile)
    clean = certified(reconciled(world))
    assert (clean["clean"], pairs(world)) == (True, set())
    assert all(one["highlevel"] == one["halo"] for one in clean["kinds"])
    if profile == "plain":
        a_sample(world, sandbox)
    before = last_call(sandbox)
    done = tampered(sandbox, *TAMPERED)
    assert len(done) >= 13
    wanted = {(one["source"], TAMPERED[kind]) for kind, one in done.items()}
    run = reconciled(world)
    assert pairs(world) == wanted
    assert (run.found > 0, certified(run)["clean"]) == (True, False)
    assert not writes(sandbox, before)
    [price] = world.rows(
        "select * from discrepancy where source_id = :s and field = 'total'",
        s=done["order_price"]["source"],
    )
    assert (price.theirs, price.ours) == (
        f"{float(done['order_price']['after']):.2f}",
        f"{float(done['order_price']['before']):.2f}",
    )
    assert price.ours == price.delivered
    monkeypatch.setattr(compare_rows, "MOST", 2)
    cut = certified(reconciled(world))
    assert (cut["unconfirmed"] >= 3, cut["clean"], pairs(world)) == (True, False, wanted)
    monkeypatch.undo()
    again = reconciled(world)
    assert again.found == run.found
    assert {row.found_by for row in world.rows("select found_by from discrepancy")} == {run.id}


@pytest.mark.parametrize("profile", mostly("plain"))
def test_a_row_of_ours_whose_id_somebody_else_has_got_is_missing(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    world = in_line(worlds, sandbox, profile=profile)
    rows = got_by_others(world, sandbox)
    before = last_call(sandbox)
    run = reconciled(world)
    assert pairs(world) == {(row.source_id, "missing") for row in rows}
    assert (run.found, certified(run)["clean"]) == (len(rows), False)
    assert not writes(sandbox, before)


def test_what_people_decided_stands_and_what_was_put_right_heals(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = in_line(worlds, sandbox, **FEW)
    done = tampered(sandbox, "order_currency", "order_deleted", "order_doubled")
    reconciled(world)
    closing = "closed_at = clock_timestamp()"
    for kind, change in {
        "order_deleted": f"state = 'accepted', {closing}",
        "order_doubled": "state = 'marked'",
    }.items():
        world.do(
            f"update discrepancy set {change} where source_id = :s",  # noqa: S608
            s=done[kind]["source"],
        )
    currency = done["order_currency"]
    sandbox.edit_halo_order(currency["halo_id"], currency_code=currency["before"])
    certificate = certified(reconciled(world))
    told = [certificate[name] for name in ("differences", "marked", "accepted", "clean")]
    assert told == [0, 1, 1, True]
    assert pairs(world) == set()
    assert pairs(world, "healed") == {(currency["source"], "changed_in_halo")}
    assert pairs(world, "accepted") == {(done["order_deleted"]["source"], "missing")}
    a_side_fails(world, sandbox)


def a_side_fails(world: World, sandbox: SandboxProcess) -> None:
    """The run ends with a note, and the next one is well."""
    sandbox.faults(side="highlevel", kind="500", probability=1)
    with pytest.raises(SynclineError):
        reconciled(world)
    [failed] = world.rows("select state, note from reconciliation order by id desc limit 1")
    assert (failed.state, bool(failed.note)) == ("failed", True)
    sandbox.faults()
    assert certified(reconciled(world))["clean"]
    world.do("delete from cursor where kind <> 'reconciliation'")
    world.do("update cursor set due_at = clock_timestamp()")
    [due] = [nudge for nudge in due_pulls(world.worker) if nudge.task == "reconcile"]
    world.follow(due)
    [last] = world.rows("select cause, state from reconciliation order by id desc limit 1")
    assert (last.cause, last.state) == ("schedule weekly", "done")
    assert "reconcile" not in [nudge.task for nudge in due_pulls(world.worker)]


_POSTED = "select source_id from delivery where flow = 'fulfillments'"


def a_shipment(world: World, sandbox: SandboxProcess) -> None:
    """Goods leave, and HighLevel is told; then Halo's consignment is deleted by hand."""
    _, order, line = an_order(sandbox, 1)
    hint(world, "consignment", sandbox.consign(order["id"], [(line["id"], 1)], TRACKED))
    world.drive()
    shipped = [
        one for one in certified(reconciled(world))["kinds"] if one["kind"] == "fulfillments"
    ]
    assert [(one["highlevel"], one["halo"], one["differences"]) for one in shipped] == [
        ({"count": 1, "total": None}, {"count": 1, "total": None}, 0)
    ]
    assert len(sandbox.tamper("consignment_deleted", 1)) == 1


def test_what_is_on_its_way_is_none_and_what_is_owed_for_long_is_one(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = in_line(worlds, sandbox, **FEW)
    a_shipment(world, sandbox)
    sandbox.add_orders(1)
    certificate = certified(reconciled(world))
    gone = {(row.source_id, "missing") for row in world.rows(_POSTED)}
    assert pairs(world) == gone | {("order", "not_in_ledger")}
    assert [one["equal"] for one in certificate["complete"]] == [False, True, True]
    assert "orders of HighLevel: it has 7, 6 were read" in certificate_text.lines(certificate)
    world.drive()  # the window is requested again
    moved, late, lost = sandbox.change_orders(3)
    world.pull()
    older = "noticed_at = noticed_at - interval '2 h', changed_at = changed_at - interval '2 h'"
    world.do(f"update record set {older} where foreign_id = any(:i)", i=[late, lost])  # noqa: S608
    world.do("delete from delivery where source_id = :i and flow = 'orders'", i=lost)
    certificate = certified(reconciled(world))
    assert pairs(world, "healed") == {("order", "not_in_ledger")}
    assert certificate["on_the_way"] >= 1
    assert pairs(world) == gone | {
        (late, "not_delivered"),
        (lost, "not_delivered"),
        (lost, "unknown_in_halo"),
    }
    assert moved not in {source for source, _ in pairs(world)}
    rest = "select foreign_id from record where kind = 'order' and foreign_id <> all(:i) limit 2"
    [(held,), (erased,)] = world.rows(rest, i=[moved, late, lost])
    parked = "update delivery set state = 'parked', field = :f where source_id = :i and {}"
    world.do(parked.format("target = 'order'"), f="golive", i=held)
    world.do(parked.format("target = 'order'"), f="contact", i=erased)
    world.do("update record set erased_at = clock_timestamp() where foreign_id = :i", i=erased)
    certificate = certified(reconciled(world))
    assert not {held, erased} & {source for source, _ in pairs(world)}
    assert {"what": "live orders held back until the connection is live", "count": 1} in (
        certificate["left_out"]
    )


def of_other_days(world: World) -> None:
    """A run over days in which nothing was made."""
    days = date(2030, 1, 1), date(2030, 1, 31)
    finished(world, begin(world.worker, world.reopened().link, days, "test"))


def test_a_copy_stays_a_difference_until_a_run_looks_for_it_again(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = in_line(worlds, sandbox, profile="plain", **FEW)
    wanted = {(tampered(sandbox, "order_doubled")["order_doubled"]["source"], "doubled")}
    reconciled(world)
    assert pairs(world) == wanted
    reconciled(world, sample=200)
    of_other_days(world)
    assert pairs(world) == wanted
    [both] = world.rows("select theirs from discrepancy")
    delete(world, f"/SalesOrder/{both.theirs.split(', ')[1]}")
    reconciled(world)
    assert (pairs(world), pairs(world, "healed")) == (set(), wanted)


def test_what_is_held_back_until_its_connection_is_live_heals_nothing(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = in_line(worlds, sandbox, **FEW)
    dearer = tampered(sandbox, "order_price")["order_price"]["source"]
    reconciled(world)
    held = "update delivery set state = 'parked', field = :held where source_id = :i and {}"
    world.do(held.format("target = 'order'"), held=HELD, i=dearer)
    reconciled(world)
    assert (dearer, "changed_in_halo") in pairs(world)


def test_what_nobody_knows_and_what_was_not_read_heal_only_where_they_were_looked_for(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = in_line(worlds, sandbox, **FEW)
    sandbox.add_orders(1)
    [lost] = world.rows("select source_id, target_id from delivery where target = 'order' limit 1")
    world.do("delete from delivery where source_id = :i and flow = 'orders'", i=lost.source_id)
    wanted = {(lost.source_id, "unknown_in_halo"), ("order", "not_in_ledger")}
    reconciled(world)
    assert wanted <= pairs(world)
    of_other_days(world)
    assert wanted <= pairs(world)
    world.drive()  # the window is requested again
    delete(world, f"/SalesOrder/{lost.target_id}")
    reconciled(world)
    assert wanted <= pairs(world, "healed")


def test_a_run_whose_worker_was_killed_goes_on_with_another_one(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = in_line(worlds, sandbox, profile="plain", transactions=0, subscriptions=0)
    monkeypatch.setattr(paging, "PAGE_SIZE", 5)
    line = world.worker.open_line(NAME)
    period = period_of(world.worker, line.link, date(2026, 1, 1), None)
    run_id = begin(world.worker, line.link, period, "test")
    assert begin(world.worker, line.link, period, "another") is None
    pages = []

    def die(_: int, name: str) -> None:
        pages.append(name)
        if pages.count("after GET") == _COUNTS + 2:
            raise Killed

    before, mortal = last_call(sandbox), Mortal(world, die)
    with pytest.raises(Killed):
        advance(line, lambda *_: None)
    other = worlds(joins=True)
    assert advance(other.worker.open_line(NAME), lambda *_: None) is None
    [running] = other.rows("select state, owner is null as free from reconciliation")
    assert (running.state, running.free) == ("running", False)
    mortal.silence()
    assert "reconcile" not in [nudge.task for nudge in due_pulls(other.worker)]
    sweep(other.worker)
    assert "reconcile" in [nudge.task for nudge in due_pulls(other.worker)]
    assert certified(finished(other, run_id))["clean"]
    assert readings(sandbox, "halo", before).count("GET /SalesOrder") == 4
    assert other.rows("select count(*) from reconciliation_row") == [(0,)]


def test_a_run_goes_on_where_it_was_when_the_ledger_was_away(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = in_line(worlds, sandbox, profile="plain", **FEW)
    lost = unheard(world, monkeypatch, observed_rows, "keep")
    assert certified(reconciled(world))["clean"]
    assert lost


def test_a_worker_that_was_thought_dead_writes_nothing_any_more(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = in_line(worlds, sandbox, orders=3, transactions=0, subscriptions=0)
    sandbox.tamper("order_deleted", 1)
    line = world.worker.open_line(NAME)
    run_id = begin(world.worker, line.link, period_of(world.worker, line.link, None, None), "test")
    other = worlds(joins=True)

    def taken(_what: str, calls: int, _of: int) -> None:
        if calls == _AT_THE_END:  # what seems to differ is read once more
            world.do("update reconciliation set owner = null")
            assert finished(other, run_id).found == 1
            world.do("delete from discrepancy")

    came = advance(line, taken)
    assert came is not None
    assert came.again_after is not None
    assert pairs(world) == set()
    assert world.rows("select count(*) from reconciliation_row") == [(0,)]


def test_what_nobody_told_of_in_highlevel_shows_in_a_sample_and_heals(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = in_line(worlds, sandbox, **FEW)
    kinds = ("transaction_refunded", "fulfillment_added")
    refunded, shipped = (sandbox.tamper(kind, 1)[0] for kind in kinds)
    wanted = {(one["source"], "not_in_ledger") for one in (refunded, shipped)}
    certificate = certified(reconciled(world, sample=200))
    assert (pairs(world), certificate["clean"]) == (wanted, False)
    [money] = world.rows("select * from discrepancy where field = 'amount_refunded'")
    assert [float(one) for one in (money.ours, money.theirs)] == [
        float(refunded["after"]),
        float(refunded["before"] or 0),
    ]
    world.drive()  # they are requested to be read again
    assert certified(reconciled(world, sample=200))["clean"]
    assert pairs(world, "healed") == wanted
    a_refund_without_an_event(world, sandbox)
    sandbox.remove_orders([shipped["source"]])
    reconciled(world, sample=200)
    [row] = world.rows("select * from discrepancy where state = 'open' and field = 'row'")
    assert (row.source_id, row.cause, row.ours) == (shipped["source"], "not_in_ledger", None)


def a_refund_without_an_event(world: World, sandbox: SandboxProcess) -> None:
    """A full run rests on what was read; the pulls find it, and then both sides have it."""
    made = "select count(*) from delivery where target = 'credit' and source_id = :s"
    [refunded] = sandbox.tamper("transaction_refunded", 1)
    [(before,)] = world.rows(made, s=refunded["source"])
    assert certified(reconciled(world))["clean"]
    world.schedule()
    world.drive()
    assert world.rows(made, s=refunded["source"]) == [(before + 1,)]
    assert certified(reconciled(world))["clean"]


def a_sample(world: World, sandbox: SandboxProcess) -> None:
    """It says how much may differ; and a plan makes no call."""
    sample = certified(reconciled(world, sample=20))
    assert sample["statement"] == (
        "0 of 20 sampled differ: with 95 % confidence under 13.91 % of all do"
    )
    line, before = world.worker.open_line(NAME), last_call(sandbox)
    planned = plan(line, (date(2026, 1, 1), date(2026, 12, 31)), None)
    assert [one.what for one in planned][:2] == ["HighLevel's own counts", "list of orders"]
    assert last_call(sandbox) == before


def test_orders_of_which_not_all_is_told_are_listed_and_the_certificate_is_clean(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = in_line(worlds, sandbox, highlevel_shape="printed")
    found = certified(reconciled(world))
    assert found["clean"]
    lines = world.rows(
        "select d.source_id, r.canonical ->> 'currency' as currency, key from delivery d"
        " join record r on r.foreign_id = d.source_id and r.kind = 'order',"
        " jsonb_object_keys(d.projection) as key"
        " where d.target = 'order' and key like 'line Untold difference%'"
    )
    assert lines
    assert sum(one["count"] for one in found["untold"]) == len(lines)
    assert {one["currency"] for one in found["untold"]} == {one.currency for one in lines}
    for one in found["untold"]:
        assert set(one["examples"]) <= {line.source_id for line in lines}
    told = "\n".join(certificate_text.lines(found))
    assert "with a line for what HighLevel does not tell" in told
