"""Dry run: the calls that would be made for what is owed now, from the ledger, with no call at all.

Ids that only an answer can bring stand as `<…>`. What Halo would be asked beside, such as whether
it has a customer's address already, is counted and not known: a customer whom it has is not made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import ceil
from typing import Any, Final

from sqlalchemy import Connection

from syncline import jsontext
from syncline.alerts.targets import TARGETS
from syncline.calls import capabilities
from syncline.calls.context import Line
from syncline.deliveries import outstanding
from syncline.deliveries.leases import Lease
from syncline.deliveries.outstanding import Counted
from syncline.dry_run.placeholders import Id, Money, Unknown
from syncline.dry_run.plan import Call, Count, Cutter, Kept, Plan
from syncline.errors import SynclineError, Unmappable
from syncline.flows import customers, fulfillments, orders, payments
from syncline.flows.flow import Desired, Needs, TargetIds, refuse_live
from syncline.flows.fulfillments import Shipment
from syncline.fulfillments import outcomes as ship_cases
from syncline.fulfillments.outcomes import Case
from syncline.halo.abilities import Abilities
from syncline.halo_changes import reading
from syncline.highlevel.fulfillments import Fulfillment, path_of
from syncline.highlevel.models import parse
from syncline.ingest import readings
from syncline.sending import inputs as sources
from syncline.sending import render
from syncline.sending.bodies import Inputs
from syncline.sending.targets import Target

PAGE: Final = 500
"""Deliveries that are rendered together."""

_NOT_SEEN: Final = (None, None, None)

Edge = tuple[str, str, str]
Tell = Callable[[str, int, int], None]


def dry_run(
    line: Line,
    *,
    target: str | None,
    most: int | None,
    tell: Tell,
    call: Callable[[Call], object],
    keep: Callable[[Kept], object],
) -> Plan:
    """What the deliveries that are owed would send; nothing of it is kept here.

    Args:
        parts: the process's parts; neither its clients nor its quota are used.
        line: the connection.
        target: only this one; what it needs of others counts as being on its way.
        most: deliveries of each target that are rendered; None for all.
        tell: is told the target, how many are done, and of how many.
        call: is given each call, in their order.
        keep: is given each delivery that would be parked.
    """
    known = capabilities.known(line)
    owed = line.worker.ledger.run(lambda connection: outstanding.counts(connection, line.link.id))
    run = _Run(line, known, owed, most, tell, call, keep)
    for one in TARGETS.values():
        if target in {None, one.name}:
            run.halo(one)
    if target in {None, fulfillments.TARGET}:
        run.shipments()
    return run.plan()


class _Run:
    """One dry run: what was rendered so far, by which later targets know what would be there."""

    def __init__(
        self,
        line: Line,
        known: Abilities,
        owed: Mapping[str, Counted],
        most: int | None,
        tell: Tell,
        call: Callable[[Call], object],
        keep: Callable[[Kept], object],
    ) -> None:
        self._parts, self._line, self._known = line.worker, line, known
        self._owed, self._most, self._tell = owed, most, tell
        self._call, self._keep = call, keep
        self._counts: dict[str, Count] = {}
        self._stuck: set[Edge] = set()
        self._invoices: dict[str, tuple[Id, Id, Id]] = {}
        self._asked = 0

    def halo(self, target: Target) -> None:
        """What would be written to one kind of Halo's rows."""
        count = self._count(target.name)
        cutter = Cutter(target, self._known)
        for leases in self._pages(target.name, count):
            elements = self._rendered(target, leases, count)
            for call in cutter.cut(elements):
                self._call(call)
        for call in cutter.rest():
            self._call(call)
        self._estimate(count, cutter.calls)
        if target.name in {"client", "user"}:
            self._asked += ceil(count.writes / self._parts.settings.send_batch)

    def shipments(self) -> None:
        """What would be posted to HighLevel."""
        count, calls = self._count(fulfillments.TARGET), 0
        for leases in self._pages(fulfillments.TARGET, count):
            for lease, outcome in self._parts.ledger.run(
                lambda connection: self._shipped(connection, leases)  # noqa: B023 - run at once
            ):
                if isinstance(outcome, Call):
                    count.writes += 1
                    calls += 2  # the order's list is read before
                    self._call(outcome)
                else:
                    self._settled(lease, count, outcome)
        self._estimate(count, calls)

    def plan(self) -> Plan:
        """What all of it comes to."""
        link = self._line.link
        read = {
            name: self._owed[name].open
            for name in (*readings.TARGETS, *reading.TARGETS)
            if name in self._owed and self._owed[name].open
        }
        shipped = self._counts.get(fulfillments.TARGET)
        highlevel = sum(many for name, many in read.items() if name in readings.TARGETS)
        highlevel += shipped.calls if shipped else 0
        halo = sum(many for name, many in read.items() if name not in readings.TARGETS)
        halo += self._asked + sum(
            count.calls for name, count in self._counts.items() if name != fulfillments.TARGET
        )
        seconds = max(
            halo * link.halo_seconds / link.halo_calls,
            highlevel * link.highlevel_seconds / link.highlevel_calls,
        )
        return Plan(
            self._counts,
            read,
            halo,
            highlevel,
            round(seconds / 60, 1),
        )

    def _count(self, name: str) -> Count:
        owed = self._owed.get(name, Counted(0, 0, 0))
        self._counts[name] = Count(owed.open, owed.doubtful)
        return self._counts[name]

    def _pages(self, name: str, count: Count) -> Iterator[list[Lease]]:
        after, left = 0, count.owed if self._most is None else min(self._most, count.owed)
        while left > 0:
            start, many = after, min(PAGE, left)
            leases = self._parts.ledger.run(
                lambda c: outstanding.listed(c, self._line.link.id, name, start, many)  # noqa: B023 - run at once
            )
            if not leases:
                return
            yield leases
            after, left = leases[-1].id, left - len(leases)
            count.looked_at += len(leases)
            self._tell(name, count.looked_at, count.owed)

    @staticmethod
    def _estimate(count: Count, calls: int) -> None:
        share = count.owed / count.looked_at if count.looked_at else 0
        count.calls = ceil(calls * share) if share > 1 else calls

    def _rendered(self, target: Target, leases: list[Lease], count: Count) -> list[tuple[str, Any]]:
        """(reference, element) of those of a page that would be written."""
        unknown = Unknown()
        loaded, ids, waiting = self._parts.ledger.run(
            lambda connection: self._opened(connection, target, leases, unknown)
        )
        going, held = render.without_live(self._line, leases, loaded)
        for lease, error in held:
            self._settled(lease, count, error)
        money = Money(self._known.currencies, unknown)
        inputs = Inputs(self._line.document, ids, money, self._known)
        elements: list[tuple[str, Any]] = []
        for lease in going:
            if lease.id in waiting:
                self._settled(lease, count, None)
                continue
            source = loaded[lease.id]
            try:
                desired = target.renders(lease, source, inputs)
            except Unmappable as error:
                self._settled(lease, count, error)
                continue
            self._note_invoice(lease, desired, unknown)
            if render.is_unchanged(lease, desired):
                count.as_it_is += 1
                continue
            count.writes += 1
            element = render.element(lease, desired, self._known)
            reference = target.reference(lease.source_id, lease.role)
            elements.append((reference, unknown.shown(element)))
        return elements

    def _opened(
        self, connection: Connection, target: Target, leases: Sequence[Lease], unknown: Unknown
    ) -> tuple[dict[int, sources.Source], dict[Needs, TargetIds], set[int]]:
        """What deliveries are rendered from, the ids of what they need, and which of them wait."""
        tenant = self._line.link.tenant
        loaded = sources.load(connection, leases, self._line.document)
        needed = {
            lease.id: target.needed(lease, loaded.get(lease.id), self._line.document)
            for lease in leases
        }
        ids, unmet = sources.resolve(connection, tenant, needed)
        edges = {(n.flow, n.source_id, n.role) for many in unmet.values() for n in many}
        states = outstanding.states(connection, tenant, sorted(edges)) if edges else {}
        waiting = {lease.id for lease in leases if lease.id not in loaded}
        for delivery, many in unmet.items():
            for need in many:
                edge = (need.flow, need.source_id, need.role)
                on_its_way = states.get(edge) in {"due", "waiting", "leased"}
                if need.flow == orders.DETAILS or edge in self._stuck or not on_its_way:
                    waiting.add(delivery)
                else:
                    ids[need] = self._placeholder(need, unknown)
        return loaded, ids, waiting

    def _placeholder(self, need: Needs, unknown: Unknown) -> TargetIds:
        """The ids of a row that would have been made before."""
        key = need.source_id
        if need.flow == customers.FLOW:
            client = unknown.number(f"client of {key}")
            own = unknown.number(f"user of {key}") if need.role == "user" else client
            return TargetIds(own, client_id=client, site_id=unknown.number(f"site of {key}"))
        own = unknown.number(f"{need.role} {payments.reference(key, need.role)}")
        if need.role != "invoice":
            return TargetIds(own)
        # Payments and credits take customer and currency from their invoice.
        client_id, site_id, currency_id = map(unknown.again, self._invoices.get(key, _NOT_SEEN))
        return TargetIds(own, client_id=client_id, site_id=site_id, currency_id=currency_id)

    def _note_invoice(self, lease: Lease, desired: Desired, unknown: Unknown) -> None:
        if lease.target == "invoice":
            ids = (desired.body.get(name) for name in ("client_id", "sitenumber", "currency_code"))
            client_id, site_id, currency_id = map(unknown.kept, ids)
            self._invoices[lease.source_id] = (client_id, site_id, currency_id)

    def _settled(self, lease: Lease, count: Count, why: SynclineError | None) -> None:
        """It would not be written: parked for a reason, or waiting for what is not there."""
        self._stuck.add((lease.flow, lease.source_id, lease.role))
        if why is None:
            count.waits += 1
            return
        count.parks += 1
        named = why.field if isinstance(why, Unmappable) else None
        self._keep(Kept(lease.target, lease.source_id, lease.role, named, str(why)))

    def _shipped(
        self, connection: Connection, leases: Sequence[Lease]
    ) -> list[tuple[Lease, Call | SynclineError | None]]:
        cases, strangers = ship_cases.opened(connection, self._line, leases)
        shown = outstanding.shown(
            connection, self._line.link.location_place, [case.order_id for case in cases]
        )
        outcomes: list[tuple[Lease, Call | SynclineError | None]] = [
            (lease, None) for lease in strangers
        ]
        for case in cases:
            try:
                outcomes.append((case.lease, self._posted(case, shown.get(case.order_id, {}))))
            except Unmappable as error:
                outcomes.append((case.lease, error))
        return outcomes

    def _posted(self, case: Case, shown: Mapping[str, Any]) -> Call | None:
        """The call of a consignment; None where it waits, or nothing is to be posted."""
        if case.lease.target_id is not None or not case.order.get("items"):
            return None
        refuse_live(case.order, self._line.document)
        rendered = fulfillments.render(
            case.consignment.canonical,
            case.order,
            self._line.document,
            [parse(Fulfillment, one, "A fulfillment") for one in shown.get("data") or ()],
            now=self._parts.now(),
            first_seen=case.consignment.noticed_at,
        )
        if not isinstance(rendered, Shipment):
            return None
        body = ship_cases.body_of(rendered).document()
        path = path_of(case.order_id)
        outgoing = self._line.highlevel.outgoing("POST", path, body=body)
        content = jsontext.loads(outgoing.content or b"{}")
        return Call(fulfillments.TARGET, outgoing.method, path, (case.lease.source_id,), content)
