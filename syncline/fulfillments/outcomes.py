"""What becomes of a consignment: held, concluded, parked or posted, and how its call ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection

from syncline.calls.calls import Outcome
from syncline.calls.context import Line
from syncline.deliveries import leased, needs, waits
from syncline.deliveries.causes import HIGHLEVEL_SAYS
from syncline.deliveries.delivery import Confirmation, Lease
from syncline.deliveries.target_rows import accepted_in
from syncline.engine import suspects
from syncline.engine.failures import (
    BACKOFF,
    NOT_SENT_PAUSE,
    PARK_AFTER,
    TROUBLED,
    Move,
    Refusal,
    backoff,
    is_of_the_record,
    still_in_doubt,
)
from syncline.errors import (
    Again,
    Doubtful,
    NotSent,
    Refused,
    Rejected,
    SynclineError,
    Unmappable,
    Unreadable,
)
from syncline.flows import fulfillments, orders, projections
from syncline.flows.flow import refuse_live
from syncline.flows.fulfillment_projections import ITEMS, difference, projection_of
from syncline.flows.fulfillments import Hold, Nothing, Shipment
from syncline.fulfillments import queries
from syncline.fulfillments.queries import Noticed
from syncline.highlevel.fulfillments import Fulfillment, NewFulfillment, NewItem, NewTracking
from syncline.highlevel.pages import PageRecord
from syncline.highlevel.resources import reasons
from syncline.ingest import rereading
from syncline.ledger import records

Shown = Sequence[PageRecord[Fulfillment]]

BUSY = timedelta(seconds=1)
"""Rest of a consignment while another one of its order is on its way."""

WAITS = "waits until what was sent of another shipment of its order is known"


@dataclass(frozen=True, slots=True)
class Case:
    """A claimed consignment with what it is judged by.

    Attributes:
        lease: the delivery.
        consignment: as it is known.
        order: HighLevel's order; empty where it is not known yet.
    """

    lease: Lease
    consignment: Noticed
    order: Mapping[str, Any]

    @property
    def order_id(self) -> str:
        """HighLevel's id of the order."""
        return str(self.consignment.canonical["order_id"])


@dataclass(frozen=True, slots=True)
class Parting:
    """What is to be posted for a case."""

    case: Case
    shipment: Shipment
    body: NewFulfillment


def opened(
    connection: Connection, line: Line, leases: Sequence[Lease]
) -> tuple[list[Case], list[Lease]]:
    """The cases of leases, and the leases whose consignment is not known."""
    known = queries.consignments(
        connection, line.link.tenant_place, [lease.source_id for lease in leases]
    )
    place = line.link.location_place
    wanted = [(place, orders.SOURCE_KIND, str(one.canonical["order_id"])) for one in known.values()]
    found = records.canonical(connection, wanted)
    cases = []
    for lease in leases:
        if lease.source_id in known:
            one = known[lease.source_id]
            key = (place, orders.SOURCE_KIND, str(one.canonical["order_id"]))
            version = max(one.version, lease.wanted_version)
            order = found[key][1] if key in found else {}
            cases.append(Case(replace(lease, wanted_version=version), one, order))
    return cases, [lease for lease in leases if lease.source_id not in known]


def without_call(line: Line, case: Case) -> Move | None:
    """What can be said before HighLevel is asked; None if it must be."""
    if case.lease.target_id is not None:
        posted = case.lease.projection
        return _posted(line, case, case.lease.target_id, posted) if posted else None
    if not case.order.get("items"):
        return None
    try:
        refuse_live(case.order, line.document)
    except Unmappable as error:
        return park(case.lease, error)
    decided = decide(line, case, ())
    return None if isinstance(decided, Parting) else decided


def decide(line: Line, case: Case, shown: Shown) -> Parting | Move:
    """What becomes of a case, by what HighLevel shows of its order."""
    if case.lease.target_id is not None:
        return _shown_as(line, case, case.lease.target_id, shown)
    if not case.order.get("items"):
        return _await_items(line, case)
    try:
        rendered = render(line, case, [row.model for row in shown])
    except Unmappable as error:
        return park(case.lease, error)
    if isinstance(rendered, Parting):
        return rendered
    if isinstance(rendered, Hold):
        return _hold(case.lease, rendered.until, line.worker.now())
    return _conclude(case.lease, why=rendered.why or None)


def render(line: Line, case: Case, shown: Sequence[Fulfillment]) -> Parting | Hold | Nothing:
    """What is to be posted for a case, if it is not held.

    Raises:
        Unmappable: a person must look at it.
    """
    rendered = fulfillments.render(
        case.consignment.canonical,
        case.order,
        line.document,
        shown,
        now=line.worker.now(),
        first_seen=case.consignment.noticed_at,
    )
    if isinstance(rendered, Shipment):
        return Parting(case, rendered, _body(rendered))
    return rendered


def confirm(case: Case, row: PageRecord[Fulfillment]) -> Move:
    """HighLevel shows what was sent."""
    projection = projection_of(row.model)
    news = Confirmation(case.lease, row.id, {"order_id": case.order_id}, projection)
    return lambda connection: leased.confirm(connection, [news], wrote=True)


def ended(
    case: Case, sent: Mapping[str, str], outcome: Outcome, settle: timedelta, *, counts: bool
) -> Move:
    """What the end of a call means for what it sent.

    Args:
        case: the delivery that departed.
        sent: the projection of what was sent.
        outcome: how the call ended.
        settle: how long one of unknown outcome waits before it is looked up.
        counts: whether a failure counts against it.
    """
    lease, error = case.lease, outcome.error
    if error is None:
        row: PageRecord[Fulfillment] = outcome.result  # type: ignore[assignment]  # what the call made
        return _as_sent(case, sent, row)
    if isinstance(error, (Again, Refused)):
        after = error.after if isinstance(error, Again) else BACKOFF
        if isinstance(error, NotSent):
            after = max(after, NOT_SENT_PAUSE)
        why = error.what
        return lambda connection: leased.give_back(connection, [lease], after=after, why=why)
    if isinstance(error, (Doubtful, Unreadable)):
        why, rest = error.what, max(settle, suspects.rest([lease], counts=counts))
        limit = suspects.smaller([lease], error)
        return lambda connection: leased.doubt(
            connection, [lease], settle=rest, why=why, failed=counts, array_limit=limit
        )
    said = f"{HIGHLEVEL_SAYS}{error.text}" if isinstance(error, Rejected) else error.what
    field = error.field if isinstance(error, Rejected) else None
    return park(lease, Unmappable(said, field=field or ITEMS))


def _as_sent(case: Case, sent: Mapping[str, str], row: PageRecord[Fulfillment]) -> Move:
    """Done if HighLevel shows what was sent; else a person must look at both."""
    found = projection_of(row.model)
    different = difference(sent, found)
    if different is None:
        return confirm(case, row)
    held = Confirmation(case.lease, row.id, {"order_id": case.order_id}, found)
    reason = (
        f"{different.field}: wanted {different.wanted or 'none'}, "
        f"HighLevel holds {different.got or 'none'}"
    )
    return lambda connection: leased.park(
        connection, [held.lease], reason=reason, field=different.field, known=held
    )


def park(lease: Lease, error: SynclineError) -> Move:
    """A person must look at it."""
    field = error.field if isinstance(error, Unmappable) else None
    return lambda connection: leased.park(connection, [lease], reason=str(error), field=field)


def unread(case: Case, outcome: Outcome, refusal: Refusal | None, *, in_doubt: bool) -> Move:
    """HighLevel does not show what its order holds: it may in a while, else a person must look.

    Only what fails for this order alone counts against its shipments.

    Args:
        case: the delivery.
        outcome: how the reading of the list ended.
        refusal: what is done about it, where it was refused.
        in_doubt: whether the delivery is being looked up.
    """
    lease, error = case.lease, outcome.error
    why = "" if error is None else error.what
    failed = error is not None and is_of_the_record(error) and refusal is not Refusal.LATER
    if failed and lease.failures >= PARK_AFTER:
        return park(lease, _unreadable(case, why))
    after = backoff(lease.failures) if failed else TROUBLED if refusal else BACKOFF
    if isinstance(error, Again):
        after = max(after, error.after)
    if in_doubt:
        return lambda connection: leased.doubt(
            connection, [lease], settle=after, why=why, failed=failed
        )
    return lambda connection: leased.release(
        connection, [lease], after=after, why=why, failed=failed
    )


def _unreadable(case: Case, why: str) -> Unmappable:
    return Unmappable(
        f"HighLevel did not show what is fulfilled of the order {case.order_id}, {PARK_AFTER} "
        f"times in a row: {why}",
        field=ITEMS,
        remedy="Look whether it does now, then retry. What may be posted already is looked up.",
    )


def gone(case: Case) -> Move:
    """The order is not there any more."""
    if case.lease.sent_projection is not None and case.lease.target_id is None:
        return park(case.lease, _perhaps_posted(case))
    return park(
        case.lease,
        Unmappable(
            f"HighLevel no longer has the order {case.order_id}; nothing is posted.",
            field="order_id",
            remedy="Take the consignment back in Halo, or leave it as it is.",
        ),
    )


def gone_in_doubt(case: Case) -> Move:
    """A list that is not there proves nothing of a call that may have made something there."""
    lease, why = case.lease, _perhaps_posted(case)
    if lease.failures >= PARK_AFTER:
        return park(lease, why)
    return still_in_doubt(lease, why.what)


def _perhaps_posted(case: Case) -> Unmappable:
    return Unmappable(
        f"HighLevel does not show the order {case.order_id}; this shipment may have been posted "
        "there.",
        field="order_id",
        remedy="Compare the order in HighLevel. If it is there, retry: what was posted is looked "
        "up first. Else leave it as it is: syncline parked accept ID.",
    )


def unknown(lease: Lease) -> Move:
    """A delivery without its consignment, such as one that was enqueued by hand."""
    return park(
        lease,
        Unmappable(
            f"The consignment {lease.source_id} was never read from Halo.",
            field="id",
            remedy="Change it in Halo, by a space in its note: then it is read.",
        ),
    )


def release(leases: Sequence[Lease], after: timedelta, why: str | None = None) -> Move:
    """To be looked at again later."""
    return lambda connection: leased.release(connection, leases, after=after, why=why)


def _shown_as(line: Line, case: Case, target_id: str, shown: Shown) -> Move:
    """One that was parked since it is not as it was sent: compared with what is there now."""
    row = next((row for row in shown if row.id == target_id), None)
    if row is None:
        what = f"Fulfillment {target_id} was there and is gone from HighLevel."
        return park(case.lease, Unmappable(what, field="id"))
    return _posted(line, case, target_id, projection_of(row.model))


def _posted(line: Line, case: Case, target_id: str, posted: Mapping[str, str]) -> Move:
    """A fulfillment cannot be changed, so a change that would show in it asks a person."""
    lease = case.lease
    if line.document.fulfillments.into == "none":
        return _conclude(lease)
    different, why = fulfillments.edits(
        case.consignment.canonical, case.order, line.document, posted, target_id
    )
    if why is None or not projections.remaining(different, accepted_in(lease.target_meta)):
        return _conclude(lease, posted)
    return park(lease, why)


def _await_items(line: Line, case: Case) -> Move:
    """The order's detail is read first; where it was read and has no items, a person must look."""
    edge = (orders.DETAILS, case.order_id, "detail")
    lease, tenant = case.lease, line.link.tenant

    def move(connection: Connection) -> None:
        need = needs.find(connection, tenant, [edge]).get(edge)
        if case.order and need is not None and need.ready:
            what = f"The order {case.order_id} has no items in HighLevel; nothing is posted."
            park(lease, Unmappable(what, field=ITEMS))(connection)
            return
        if need is None or need.ready:
            rereading.reread(connection, line.link, [case.order_id], ["detail"], lease.cause)
        waits.wait(connection, tenant, lease.owner, {lease.id: [edge]}, [lease])

    return move


def _hold(lease: Lease, until: datetime, now: datetime) -> Move:
    return release([lease], max(until - now, timedelta(seconds=1)), "waits for its tracking")


def _conclude(
    lease: Lease, posted: Mapping[str, str] | None = None, why: str | None = None
) -> Move:
    news = Confirmation(lease, lease.target_id, None, posted, why)
    return lambda connection: leased.confirm(connection, [news], wrote=False)


def _body(shipment: Shipment) -> NewFulfillment:
    """The fulfillment as HighLevel takes it.

    Raises:
        Unmappable: it forbids something of it.
    """
    try:
        return NewFulfillment(
            trackings=tuple(
                NewTracking(
                    tracking_number=parcel.number or None,
                    shipping_carrier=parcel.carrier or None,
                    tracking_url=parcel.url or None,
                )
                for parcel in shipment.parcels
            ),
            items=tuple(
                NewItem(price_id=price, qty=quantity) for price, quantity in shipment.items.items()
            ),
            notify_customer=shipment.notify_customer,
        )
    except ValidationError as error:
        raise Unmappable(
            f"HighLevel takes no such fulfillment: {reasons(error)}.", field=ITEMS
        ) from None
