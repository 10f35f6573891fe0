"""Dry run: the calls that outstanding deliveries would make, from the ledger, with no call at all.

Ids that only an answer can bring stand as `<…>`. What Halo would be asked beside, such as whether
it has a customer's address already, is counted and not known: a customer whom it has is not made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import ceil
from typing import Any, Final

from sqlalchemy import Connection

from syncline import jsontext
from syncline.alerts.targets import TARGETS
from syncline.calls import capabilities
from syncline.calls.context import Line
from syncline.deliveries import outstanding
from syncline.deliveries.delivery import Lease
from syncline.deliveries.outstanding import Counted
from syncline.dry_run.placeholders import (
    NOT_SEEN,
    Id,
    PlaceholderCurrencies,
    Unknown,
    placeholder,
)
from syncline.dry_run.plan import Call, Count, DryRunPlan, ParkedInPlan, calls
from syncline.errors import SynclineError, Unmappable
from syncline.flows import fulfillments, orders
from syncline.flows.flow import Needs, refuse_live
from syncline.fulfillments import outcomes as ship_cases
from syncline.fulfillments.outcomes import Case, Parting
from syncline.halo.capabilities import Capabilities, FindWay
from syncline.halo_changes import reading
from syncline.highlevel.fulfillments import Fulfillment, path_of
from syncline.highlevel.models import parse
from syncline.ingest.by_id import readings
from syncline.sending.bodies import Inputs
from syncline.sending.decide import Given, Write, decide, gather
from syncline.sending.targets import Target

PAGE: Final = 500
"""Deliveries that are rendered together."""

Edge = tuple[str, str, str]
Tell = Callable[[str, int, int], None]


def dry_run(
    line: Line,
    *,
    target: str | None,
    tell: Tell,
    call: Callable[[Call], object],
    keep: Callable[[ParkedInPlan], object],
) -> DryRunPlan:
    """What the outstanding deliveries would send; nothing of it is kept here.

    Args:
        line: the connection.
        target: only this one; what it needs of others counts as being on its way.
        tell: is told the target, how many are done, and of how many.
        call: is given each call, in their order.
        keep: is given each delivery that would be parked.
    """
    known = capabilities.known(line)
    counted = line.worker.ledger.run(
        lambda connection: outstanding.counts(connection, line.link.id)
    )
    run = _Run(line, known, counted, tell, call, keep)
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
        known: Capabilities,
        counted: Mapping[str, Counted],
        tell: Tell,
        call: Callable[[Call], object],
        keep: Callable[[ParkedInPlan], object],
    ) -> None:
        self._worker, self._line, self._known = line.worker, line, known
        self._by_target, self._tell = counted, tell
        self._call, self._keep = call, keep
        self._counts: dict[str, Count] = {}
        self._stuck: set[Edge] = set()
        self._invoices: dict[str, tuple[Id, Id, Id]] = {}
        self._asked = 0
        self._asks_for_currencies = self._asks_for_customers = False

    def halo(self, target: Target) -> None:
        """What would be written to one kind of Halo's rows."""
        count = self._count(target.name)
        for call in calls(
            target,
            self._known,
            self._writes(target, count),
            self._worker.now(),
            self._worker.settings.send_batch,
        ):
            count.calls += 1 + call.reads
            self._call(call)
        if target.name in {"client", "user"} and count.writes:
            self._asks_for_customers = True
            self._asked += ceil(count.writes / self._worker.settings.send_batch)

    def shipments(self) -> None:
        """What would be posted to HighLevel."""
        count = self._count(fulfillments.TARGET)
        for leases in self._pages(fulfillments.TARGET, count):
            for lease, outcome in self._worker.ledger.run(
                lambda connection: self._shipped(connection, leases)  # noqa: B023 - run at once
            ):
                if isinstance(outcome, Call):
                    count.writes += 1
                    count.calls += 2  # the order's list is read before
                    self._call(outcome)
                else:
                    self._counted(lease, count, outcome)

    def plan(self) -> DryRunPlan:
        """What all of it comes to."""
        link = self._line.link
        read = {
            name: self._by_target[name].open
            for name in (*readings.TARGETS, *reading.TARGETS)
            if name in self._by_target and self._by_target[name].open
        }
        shipped = self._counts.get(fulfillments.TARGET)
        highlevel = sum(many for name, many in read.items() if name in readings.TARGETS)
        highlevel += shipped.calls if shipped else 0
        halo = sum(many for name, many in read.items() if name not in readings.TARGETS)
        halo += (
            self._asked
            + self._once()
            + sum(
                count.calls for name, count in self._counts.items() if name != fulfillments.TARGET
            )
        )
        seconds = max(
            halo * link.halo_seconds / link.halo_calls,
            highlevel * link.highlevel_seconds / link.highlevel_calls,
        )
        return DryRunPlan(
            self._counts,
            read,
            halo,
            highlevel,
            round(seconds / 60, 1),
        )

    def _once(self) -> int:
        """What a tenant is asked once: its currencies, and whether it runs a report on users."""
        known = self._known
        is_tried = known.refuses_reports or known.find_proof("user", FindWay.SQL) is not None
        return self._asks_for_currencies + (self._asks_for_customers and not is_tried)

    def _count(self, name: str) -> Count:
        counted = self._by_target.get(name, Counted(0, 0, 0))
        self._counts[name] = Count(counted.open, counted.doubtful, counted.parked)
        return self._counts[name]

    def _pages(self, name: str, count: Count) -> Iterator[list[Lease]]:
        after = 0
        while count.looked_at < count.owed:
            start = after
            leases = self._worker.ledger.run(
                lambda c: outstanding.listed(c, self._line.link.id, name, start, PAGE)  # noqa: B023 - run at once
            )
            if not leases:
                return
            yield leases
            after = leases[-1].id
            count.looked_at += len(leases)
            self._tell(name, count.looked_at, count.owed)

    def _writes(self, target: Target, count: Count) -> Iterator[Write]:
        """What would be written, with names in place of the ids that are not known yet."""
        for leases in self._pages(target.name, count):
            unknown = Unknown()
            given = self._worker.ledger.run(
                lambda connection: self._given(connection, target, leases, unknown)  # noqa: B023 - run at once
            )
            money = PlaceholderCurrencies(self._known.currencies, unknown)
            inputs = Inputs(self._line.document, given.ids, money, self._known)
            decision = decide(target, given, inputs)
            self._asks_for_currencies |= money.asks
            for lease in decision.waiting:
                self._counted(lease, count, None)
            for lease, error in decision.parked:
                self._counted(lease, count, error)
            for lease, desired in decision.unchanged:
                self._note_invoice(lease, desired.body, unknown)
            for write in decision.writes:
                self._note_invoice(write.lease, write.body, unknown)
            count.as_it_is += len(decision.unchanged)
            count.writes += len(decision.writes)
            for write in decision.writes:
                yield replace(write, body=unknown.shown(write.body))

    def _given(
        self, connection: Connection, target: Target, leases: Sequence[Lease], unknown: Unknown
    ) -> Given:
        """What the ledger has for deliveries, as if what is on its way before them were there."""
        given = gather(connection, self._line, target, leases)
        edges = {(n.flow, n.source_id, n.role) for many in given.unmet.values() for n in many}
        tenant = self._line.link.tenant
        states = outstanding.states(connection, tenant, sorted(edges)) if edges else {}
        ids = dict(given.ids)
        unmet: dict[int, list[Needs]] = {
            lease.id: [] for lease in given.leases if lease.id not in given.loaded
        }
        for delivery, many in given.unmet.items():
            for need in many:
                edge = (need.flow, need.source_id, need.role)
                on_its_way = states.get(edge) in {"due", "waiting", "leased"}
                if need.flow == orders.DETAILS or edge in self._stuck or not on_its_way:
                    unmet.setdefault(delivery, []).append(need)
                else:
                    invoice = self._invoices.get(need.source_id, NOT_SEEN)
                    ids[need] = placeholder(need, unknown, invoice)
        return replace(given, ids=ids, unmet=unmet)

    def _note_invoice(self, lease: Lease, body: Mapping[str, Any], unknown: Unknown) -> None:
        if lease.target == "invoice":
            ids = (body.get(name) for name in ("client_id", "sitenumber", "currency_code"))
            client_id, site_id, currency_id = map(unknown.kept, ids)
            self._invoices[lease.source_id] = (client_id, site_id, currency_id)

    def _counted(self, lease: Lease, count: Count, why: SynclineError | None) -> None:
        """It would not be written: parked for a reason, or waiting for what is not there."""
        self._stuck.add((lease.flow, lease.source_id, lease.role))
        if why is None:
            count.waits += 1
            return
        count.parks += 1
        named = why.field if isinstance(why, Unmappable) else None
        self._keep(ParkedInPlan(lease.target, lease.source_id, lease.role, named, str(why)))

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
        rows = [parse(Fulfillment, one, "A fulfillment") for one in shown.get("data") or ()]
        rendered = ship_cases.render(self._line, case, rows)
        if not isinstance(rendered, Parting):
            return None
        body = rendered.body.document()
        path = path_of(case.order_id)
        outgoing = self._line.highlevel.outgoing("POST", path, body=body)
        content = jsontext.loads(outgoing.content or b"{}")
        return Call(fulfillments.TARGET, outgoing.method, path, (case.lease.source_id,), content)
