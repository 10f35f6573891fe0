"""Accepted: what the other side holds is taken as it is, as a person decided, and remembered.

It is read once more before. While both values stay as they are, neither an event nor a poll nor a
reconciliation brings them up again; a later version in HighLevel is delivered as usual.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from syncline.actor import actor
from syncline.alerts.targets import TARGETS
from syncline.calls import capabilities
from syncline.calls.calls import highlevel_calls, patiently
from syncline.calls.context import Line
from syncline.deliveries import needs, unleased
from syncline.deliveries.target_rows import AS_READ, GONE, Taking, TargetRow, accepted_in
from syncline.errors import Absent, SynclineError
from syncline.flows import fulfillments, orders, projections
from syncline.flows.flow import Difference
from syncline.flows.fulfillment_projections import COMPARED, projection_of
from syncline.fulfillments import queries
from syncline.halo_changes.unit_of_work import FLOW as HALO_READINGS
from syncline.highlevel.fulfillments import Fulfillment, list_fulfillments
from syncline.highlevel.pages import PageRecord
from syncline.ledger import effects, records
from syncline.queues import Lane
from syncline.reconciliation import discrepancies
from syncline.reconciliation.discrepancies import Discrepancy, values
from syncline.reconciliation.rules import Cause
from syncline.repair import rules
from syncline.repair.plan import standings_of
from syncline.repair.reading import Seen, differences, is_gone, look
from syncline.repair.refusing import needed, why_refused
from syncline.transport import Permit

_ON_ITS_WAY = "Our value is on its way to Halo: try again when it has arrived."
_FIRST = (
    "Halo keeps our reference {ours} as {kept} on the first {name}. Left so, no other {name} would "
    "be written, since none could be found again after an unknown outcome. Have Halo keep {field} "
    "as it is sent, then: syncline parked retry {number}"
)
_NOTHING_OF_IT = "Nothing comes of what Halo shows here, until it shows something else."
_BACK = "The row is in Halo: run `syncline reconcile run NAME` again."
_STRANGE = "No delivery of it is known any more: run `syncline reconcile run NAME` again."


@dataclass(frozen=True, slots=True)
class AcceptancePlan:
    """What accepting a delivery, or a difference, comes to.

    Attributes:
        standing: the delivery; None where a difference is only closed.
        discrepancies: the differences that are closed with it.
        taking: what is remembered; None where only differences are closed, or nothing is done.
        takes: in words.
        why: why nothing is done.
    """

    standing: TargetRow | None
    discrepancies: tuple[Discrepancy, ...] = ()
    taking: Taking | None = None
    takes: str = ""
    why: str = ""


def plan_parked(line: Line, standings: Sequence[TargetRow]) -> list[AcceptancePlan]:
    """What `parked accept` would do about parked deliveries of one connection.

    Raises:
        SynclineError: the other side could not be asked.
    """
    seen = look(line, standings)
    different = differences(line, standings, seen)
    return [
        _taken(line, one, seen.get(one.id), different.get(one.id, []), None) for one in standings
    ]


def plan_differences(line: Line, found: Sequence[Discrepancy]) -> list[AcceptancePlan]:
    """What `discrepancies accept` would do about differences of one connection.

    Raises:
        SynclineError: the other side could not be asked.
    """
    known = standings_of(line, found)
    of_rows = [
        one for one in found if one.edge in known and rules.is_remembered(one.cause, one.field)
    ]
    rows = {known[one.edge].id: known[one.edge] for one in of_rows}
    seen = look(line, rows.values())
    different = differences(line, rows.values(), seen)
    plans = [_closed(one, known.get(one.edge)) for one in found if one not in of_rows]
    for number, standing in rows.items():
        group = tuple(one for one in of_rows if known[one.edge].id == number)
        now, row = different.get(number, []), seen.get(number)
        plans.append(_group(line, standing, group, row, now))
    return plans


def accept(line: Line, plans: Sequence[AcceptancePlan], what: str, by: str) -> list[AcceptancePlan]:
    """Do what was planned, but for what has moved on since; returns what was done of it."""
    wanted = [one for one in plans if not one.why]
    if not wanted:
        return []
    return line.worker.ledger.run(lambda connection: _accept(connection, line, wanted, what, by))


def accept_or_plan(
    line: Line, plans: Sequence[AcceptancePlan], what: str, *, moved_on: str, dry_run: bool
) -> list[tuple[AcceptancePlan, str]]:
    """Do what was planned, if this is no dry run; returns each plan with why nothing was done."""
    done = plans if dry_run else accept(line, plans, what, actor(line.worker.settings))
    return [(plan, plan.why or ("" if plan in done else moved_on)) for plan in plans]


def _closed(one: Discrepancy, standing: TargetRow | None) -> AcceptancePlan:
    """A difference of which no delivery needs to know."""
    why = rules.why_not_accepted(one.cause)
    if why is None and rules.is_remembered(one.cause, one.field):
        why = _STRANGE
    return AcceptancePlan(
        standing, (one,), takes="It is closed; Halo stays as it is.", why=why or ""
    )


def _group(
    line: Line,
    standing: TargetRow,
    group: tuple[Discrepancy, ...],
    seen: Seen | None,
    now: Sequence[Difference],
) -> AcceptancePlan:
    """The differences of one delivery, accepted together."""
    why = ""
    for one in group:
        if one.cause == Cause.MISSING:
            why = why or ("" if seen is None or is_gone(seen) else _BACK)
        elif one.cause != Cause.CHANGED_IN_HIGHLEVEL and standing.target in TARGETS:
            wanted = standing.projection or standing.sent_projection or {}
            why = why or rules.moved_on(one.field, one.theirs, wanted, now) or ""
    if standing.state in {"due", "waiting"}:
        why = _ON_ITS_WAY
    if why:
        return AcceptancePlan(standing, group, why=why)
    fields = {one.field for one in group}
    only = None if any(one.cause == Cause.CHANGED_IN_HIGHLEVEL for one in group) else fields
    taken = _taken(line, standing, seen, now, only)
    return AcceptancePlan(standing, group, taken.taking, taken.takes, taken.why)


def _taken(
    line: Line,
    standing: TargetRow,
    seen: Seen | None,
    now: Sequence[Difference],
    fields: Iterable[str] | None,
) -> AcceptancePlan:
    why = _hindered(standing, seen)
    if not why and (seen is None or is_gone(seen)):
        why = needed(standing)
    if why:
        return AcceptancePlan(standing, why=why)
    if standing.target == fulfillments.TARGET:
        return _fulfillment(line, standing)
    if standing.flow == HALO_READINGS:
        told = {AS_READ: [standing.reason or "", ""]}
        return AcceptancePlan(standing, taking=Taking(standing, None, told), takes=_NOTHING_OF_IT)
    if seen is None or is_gone(seen):
        told = {GONE: [standing.target_id or "", ""]}
        takes = (
            "It stays gone from Halo. A later version is looked up, and made if it is not there."
        )
        return AcceptancePlan(standing, taking=Taking(standing, None, told, gone=True), takes=takes)
    accepted = rules.accepting(now, accepted_in(standing.target_meta), fields)
    left = projections.remaining(now, accepted)
    if left and standing.state == "parked":
        why = f"It differs in {left[0].field} too: accept that with it."
    why = why or _blocks_others(line, standing, now, accepted)
    if why:
        return AcceptancePlan(standing, why=why)
    taking = Taking(standing, standing.projection or standing.sent_projection, accepted)
    return AcceptancePlan(
        standing, taking=taking, takes=_told(projections.remaining(now, {}), accepted)
    )


def _blocks_others(
    line: Line,
    standing: TargetRow,
    now: Sequence[Difference],
    accepted: Mapping[str, list[str]],
) -> str:
    """Why our reference on the only row of a kind is not taken as Halo keeps it; "" if it is.

    No way would find that row, so that no other one of its kind would be written.
    """
    target = TARGETS[standing.target]
    fields = {target.resource.reference, target.resource.carries_too}
    taken = [one for one in now if one.field in fields and one.field in accepted]
    if not taken or not target.vital or capabilities.known(line).find_way(target.name) is not None:
        return ""
    tenant, only = line.link.tenant, standing.id
    other = line.worker.ledger.run(
        lambda connection: needs.made_by_us(connection, tenant, target.name, but=only)
    )
    if other is not None:
        return ""
    first = taken[0]
    return _FIRST.format(
        name=target.name,
        field=first.field,
        ours=first.wanted,
        kept=first.got or "nothing",
        number=only,
    )


def _hindered(standing: TargetRow, seen: Seen | None) -> str:
    """Why what the other side holds cannot be taken; "" if it can."""
    why = why_refused(standing)
    if why or standing.target == fulfillments.TARGET or standing.flow == HALO_READINGS:
        return why
    return str(seen) if isinstance(seen, Exception) and not is_gone(seen) else ""


def _fulfillment(line: Line, standing: TargetRow) -> AcceptancePlan:
    """A consignment: what HighLevel shows of it stays, or nothing is posted of it."""
    if standing.target_id is None:
        # One that was sent may be posted already.
        nothing = "Nothing" if standing.sent_projection is None else "Nothing more"
        takes = f"{nothing} is posted of this consignment."
        return AcceptancePlan(standing, taking=Taking(standing, None, {}), takes=takes)
    place = line.link.tenant_place
    known = line.worker.ledger.run(
        lambda connection: queries.consignments(connection, place, [standing.source_id])
    )
    consignment = known[standing.source_id].canonical
    order_id = str(consignment["order_id"])
    shown = _posted(line, order_id)
    if isinstance(shown, SynclineError):
        return AcceptancePlan(standing, why=str(shown))
    row = next((one for one in shown if one.id == standing.target_id), None)
    told = standing.projection or standing.sent_projection or {}
    posted = {key: str(told.get(key) or "") for key in COMPARED}
    if row is not None:
        posted = projection_of(row.model)
    key = (line.link.location_place, orders.SOURCE_KIND, order_id)
    order = line.worker.ledger.run(lambda connection: records.canonical(connection, [key])).get(key)
    now, _ = fulfillments.edits(
        consignment, order[1] if order else {}, line.document, posted, standing.target_id
    )
    accepted = rules.accepting(now, accepted_in(standing.target_meta))
    takes = _told(now, accepted) if row is not None else "It stays gone from HighLevel."
    return AcceptancePlan(standing, taking=Taking(standing, posted, accepted), takes=takes)


def _posted(line: Line, order_id: str) -> Sequence[PageRecord[Fulfillment]] | SynclineError:
    def make(permit: Permit) -> Sequence[PageRecord[Fulfillment]]:
        return list_fulfillments(line.highlevel, permit, order_id)

    def read() -> Sequence[PageRecord[Fulfillment]]:
        return highlevel_calls(line, Lane.UPKEEP).read("list fulfillments", make)

    try:
        return patiently(line.worker, read)
    except Absent as error:
        return error


def _told(now: Iterable[Difference], accepted: Mapping[str, list[str]]) -> str:
    taken = [
        f"{one.field}: {one.got or 'none'} in place of {one.wanted or 'none'}"
        for one in now
        if accepted.get(one.field) == [one.wanted, one.got]
    ]
    return "; ".join(taken) or "It is held as it was wanted."


def _accept(
    connection: Connection, line: Line, plans: Sequence[AcceptancePlan], what: str, by: str
) -> list[AcceptancePlan]:
    found = [one for plan in plans for one in plan.discrepancies]
    held = discrepancies.hold(connection, found)
    mine = [plan for plan in plans if all(one.id in held for one in plan.discrepancies)]
    left = unleased.accept(
        connection,
        [plan.taking for plan in mine if plan.taking is not None],
        cause=f"{what} by {by}",
    )
    done = [plan for plan in mine if plan.taking is None or plan.taking.standing.id in left]
    closed = [one.id for plan in done for one in plan.discrepancies]
    discrepancies.decide(connection, closed, "accepted", by, None)
    for plan in done:
        effects.decided(
            connection,
            line.link.id,
            what=what,
            subject=_subject(plan),
            by=by,
            before=_before(plan),
            after={"takes": plan.takes},
        )
    return done


def _subject(plan: AcceptancePlan) -> str:
    if plan.discrepancies:
        return plan.discrepancies[0].source_id
    return "" if plan.standing is None else plan.standing.source_id


def _before(plan: AcceptancePlan) -> dict[str, object]:
    before: dict[str, object] = {"differences": [values(one) for one in plan.discrepancies]}
    if plan.standing is not None:
        before |= {
            "delivery": plan.standing.id,
            "state": plan.standing.state,
            "reason": plan.standing.reason,
        }
    return before
