"""Rendered: what is to be written for each claimed delivery, decided after the claim.

What equals the delivered state is done without a call; what needs something that is not there yet
waits for it; what cannot be rendered is parked with the field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from syncline.calls.context import Line
from syncline.deliveries import leased, waits
from syncline.deliveries.leases import Confirmation, Lease
from syncline.errors import SynclineError, Unmappable, Unreadable
from syncline.flows import customers, orders, payments, subscriptions
from syncline.flows.flow import Desired, Needs, refuse_live
from syncline.flows.lines import onto
from syncline.halo.abilities import Abilities
from syncline.sending import existing_users
from syncline.sending.bodies import Inputs
from syncline.sending.inputs import Source, currency_of, load, resolve
from syncline.sending.targets import Target

_OF_HIGHLEVEL = frozenset({orders.FLOW, payments.FLOW, subscriptions.FLOW})
"""Flows whose records are in live or in test mode; customers follow them."""


@dataclass(frozen=True, slots=True)
class Write:
    """One element to post.

    Attributes:
        lease: the delivery it is for.
        reference: ours, by which its answer is recognised.
        body: the element.
        projection: the compared fields as they are wanted.
        currency: ISO 4217 of its amounts; "" where it has none.
    """

    lease: Lease
    reference: str
    body: dict[str, Any]
    projection: dict[str, str]
    currency: str

    def departed(self, call_id: UUID) -> Write:
        """The same, with what its departure wrote into the ledger."""
        lease = replace(self.lease, sent_version=self.lease.wanted_version, call_id=call_id)
        return replace(self, lease=lease)


def render(line: Line, target: Target, known: Abilities, leases: list[Lease]) -> list[Write]:
    """Settle what needs no call, and return what is to be written.

    Raises:
        SynclineError: what had to be asked first could not be.
    """
    loaded = line.worker.ledger.run(lambda connection: load(connection, leases, line.document))
    owner = leases[0].owner
    leases, bad = without_live(line, leases, loaded)
    needed = {
        lease.id: target.needed(lease, loaded.get(lease.id), line.document) for lease in leases
    }
    ids, unmet = line.worker.ledger.run(
        lambda connection: resolve(connection, line.link.tenant, needed)
    )
    waiting = {lease.id: unmet[lease.id] for lease in leases if unmet[lease.id]}
    ready = [
        replace(lease, wanted_version=max(loaded[lease.id].version, lease.wanted_version))
        for lease in leases
        if lease.id not in waiting
    ]
    adopted, unsure = _adopt(line, target, ready)
    bad += unsure
    wanted = {currency_of(loaded[lease.id].canonical) for lease in ready}
    known = target.asks(line, known, wanted)
    inputs = Inputs(line.document, ids, known.currencies, known)
    writes: list[Write] = []
    as_is: list[Confirmation] = list(adopted.values())
    settled = {*adopted, *(lease.id for lease, _ in bad)}
    for lease in ready:
        if lease.id in settled:
            continue
        source = loaded[lease.id]
        try:
            desired = target.renders(lease, source, inputs)
        except Unmappable as error:
            bad.append((lease, error))
            continue
        if is_unchanged(lease, desired):
            as_is.append(Confirmation(lease, lease.target_id, None, None))
        else:
            writes.append(_write(target, lease, source, desired, known))
    _settle(line, waiting, as_is, bad, owner)
    return writes


def without_live(
    line: Line, leases: Sequence[Lease], loaded: Mapping[int, Source]
) -> tuple[list[Lease], list[tuple[Lease, SynclineError]]]:
    """What may be delivered in the connection's mode, and what is kept back."""
    going: list[Lease] = []
    kept: list[tuple[Lease, SynclineError]] = []
    for lease in leases:
        try:
            if lease.id in loaded:
                _refuse_erased(loaded[lease.id].canonical)
            if lease.id in loaded and lease.flow in _OF_HIGHLEVEL:
                refuse_live(loaded[lease.id].canonical, line.document)
        except Unmappable as error:
            kept.append((lease, error))
        else:
            going.append(lease)
    return going, kept


def _refuse_erased(canonical: Mapping[str, Any]) -> None:
    """What was erased here is not overwritten with blanks there."""
    if "erased" in canonical:
        raise Unmappable(
            "The personal data of this record was erased.",
            field="contact",
            remedy="Erase or correct the row in Halo by hand. If the contact is to come back, read "
            "the record again.",
        )


def _settle(
    line: Line,
    waiting: Mapping[int, Sequence[Needs]],
    as_is: list[Confirmation],
    bad: list[tuple[Lease, SynclineError]],
    owner: UUID,
) -> None:
    if not (waiting or as_is or bad):
        return
    edges = {
        delivery: [(need.flow, need.source_id, need.role) for need in unmet]
        for delivery, unmet in waiting.items()
    }

    def work(connection: Connection) -> None:
        waits.wait(connection, line.link.tenant, owner, edges)
        leased.confirm(connection, as_is, wrote=False)
        for lease, error in bad:
            field = error.field if isinstance(error, Unmappable) else None
            leased.park(connection, [lease], reason=str(error), field=field)

    line.worker.ledger.run_patiently(work, sleep=line.worker.sleep)


def _adopt(
    line: Line, target: Target, leases: Sequence[Lease]
) -> tuple[dict[int, Confirmation], list[tuple[Lease, SynclineError]]]:
    """Customers that Halo has already are used as they are, and never written."""
    bad: list[tuple[Lease, SynclineError]] = []
    if target.name not in {"client", "user"}:
        return {}, bad
    unknown = [
        lease
        for lease in leases
        if lease.target_id is None and lease.source_id.startswith("email:")
    ]
    emails = {lease.id: lease.source_id.removeprefix("email:") for lease in unknown}
    users, unsure = existing_users.users(line, list(emails.values()))
    adopted: dict[int, Confirmation] = {}
    for lease in unknown:
        user = users.get(emails[lease.id])
        if user is None:
            if emails[lease.id] in unsure:
                bad.append((lease, Unreadable("Halo's lists do not show whether it is there.")))
            continue
        try:
            found = customers.adopt_from_user(user)
        except Unreadable as error:
            bad.append((lease, error))
            continue
        ids = found.client if target.name == "client" else found.user
        adopted[lease.id] = Confirmation(lease, str(ids.id), ids.meta(), None)
    return adopted, bad


def _write(
    target: Target, lease: Lease, source: Source, desired: Desired, known: Abilities
) -> Write:
    return Write(
        lease,
        target.reference(lease.source_id, lease.role),
        element(lease, desired, known),
        desired.projection,
        currency_of(source.canonical),
    )


def is_unchanged(lease: Lease, desired: Desired) -> bool:
    """Whether there is nothing to write: it was delivered so, or nothing is wanted at all."""
    if lease.target_id is None:
        return not desired.body
    return not desired.body or lease.projection == desired.projection


def element(lease: Lease, desired: Desired, known: Abilities) -> dict[str, Any]:
    """What is posted for a delivery: a new row, or a change of the one that is known."""
    if lease.target_id is None:
        return desired.for_create()
    body = desired.for_update(int(lease.target_id))
    meta = lease.target_meta or {}
    if "lines" in body:
        merges = known.lines_on_update == "merge"
        body["lines"] = onto(body["lines"], meta.get("lines") or [], merges=merges)
    if meta.get("change_seq") is not None and known.change_seq_enforced:
        body["change_seq"] = meta["change_seq"]
    return body
