"""What becomes of deliveries: written, left as it is, kept waiting or parked. Writes nothing.

The decision is made from what is read before, so that whoever only wants to know what would be
written decides in the same way as whoever writes it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from syncline.calls.context import Line
from syncline.deliveries.delivery import Lease
from syncline.deliveries.target_rows import KEPT
from syncline.errors import Absent, SynclineError, Unmappable, Unreadable
from syncline.flows import orders, payments, subscriptions
from syncline.flows.flow import Desired, Needs, TargetIds, refuse_contested, refuse_live
from syncline.flows.lines import onto
from syncline.flows.texts.in_full import KEY as IN_FULL
from syncline.flows.texts.in_full import put_into
from syncline.halo.capabilities import Capabilities
from syncline.halo.models import HaloRow
from syncline.highlevel.merging import CONTESTED
from syncline.mapping.document import Document
from syncline.mapping.shapes import CUSTOM
from syncline.sending.bodies import Inputs
from syncline.sending.inputs import RenderInput, currency_of, load, resolve
from syncline.sending.targets import Target
from syncline.sending.tenant.by_id import Row

_OF_HIGHLEVEL = frozenset({orders.FLOW, payments.FLOW, subscriptions.FLOW})
"""Flows whose records are in live or in test mode; customers follow them."""

Parked = tuple[Lease, SynclineError]
"""A delivery that needs a person, and why."""


@dataclass(frozen=True, slots=True)
class Write:
    """One element to post.

    Attributes:
        lease: the delivery it is for.
        reference: ours, by which its answer is recognised.
        body: the element.
        projection: the compared fields as they are wanted.
        currency: ISO 4217 of its amounts; "" where it has none.
        note: the field of the row's note, of which a part is to be changed and no more; "" where
            the element says all of the note, or nothing.
        in_full: that part; "" where it is to be taken out.
    """

    lease: Lease
    reference: str
    body: dict[str, Any]
    projection: dict[str, str]
    currency: str
    note: str = ""
    in_full: str = ""

    def departed(self, call_id: UUID) -> Write:
        """The same, with what its departure wrote into the ledger."""
        lease = replace(self.lease, sent_version=self.lease.wanted_version, call_id=call_id)
        return replace(self, lease=lease)


@dataclass(frozen=True, slots=True)
class Given:
    """What the ledger has for the deliveries of one target.

    Attributes:
        leases: the deliveries that may go in the connection's mode, each with the version that it
            is rendered from.
        loaded: what each is rendered from, by delivery id; not there for one that is not read yet.
        ids: Halo's ids of the rows that are needed.
        unmet: for each delivery that has to wait, what is not there.
        parked: those that may not go.
    """

    leases: list[Lease]
    loaded: Mapping[int, RenderInput]
    ids: dict[Needs, TargetIds]
    unmet: dict[int, list[Needs]]
    parked: list[Parked]

    def and_more(self, more: Given) -> Given:
        """The same with what the ledger has for further deliveries."""
        return Given(
            [*self.leases, *more.leases],
            {**self.loaded, **more.loaded},
            {**self.ids, **more.ids},
            {**self.unmet, **more.unmet},
            [*self.parked, *more.parked],
        )

    @property
    def ready(self) -> list[Lease]:
        """Those that need not wait."""
        return [lease for lease in self.leases if lease.id not in self.unmet]

    @property
    def currencies(self) -> set[str]:
        """The currencies of those that need not wait."""
        return {currency_of(self.loaded[lease.id].canonical) for lease in self.ready}


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of each delivery.

    Attributes:
        writes: what is to be posted.
        unchanged: deliveries that need no call, with what Halo holds or shall not hold.
        waiting: deliveries that need what is not there yet.
        parked: deliveries that need a person.
    """

    writes: list[Write]
    unchanged: list[tuple[Lease, Desired]]
    waiting: list[Lease]
    parked: list[Parked]


def gather(connection: Connection, line: Line, target: Target, leases: Sequence[Lease]) -> Given:
    """Read what deliveries are rendered from, and what they need of others."""
    loaded = load(connection, leases, line.document)
    going, parked = _without_live(leases, loaded, line.document)
    needed = {
        lease.id: target.needed(lease, loaded.get(lease.id), line.document)
        + _until_settled(loaded.get(lease.id))
        for lease in going
    }
    ids, unmet = resolve(connection, line.link.tenant, needed)
    waiting = {delivery: needs for delivery, needs in unmet.items() if needs}
    lost = [lease for lease in going if lease.id not in loaded and lease.id not in waiting]
    parked += [(lease, _unknown(lease)) for lease in lost]
    leases = [_latest(lease, loaded) for lease in going if lease not in lost]
    return Given(leases, loaded, ids, waiting, parked)


def _until_settled(source: RenderInput | None) -> list[Needs]:
    """The readings that a delivery waits for while HighLevel says two things of what it is of."""
    of = [] if source is None else [source.canonical, source.order or {}]
    return [Needs(orders.DETAILS, one["id"], "detail") for one in of if CONTESTED in one]


def decide(
    target: Target, given: Given, inputs: Inputs, settled: Collection[int] = frozenset()
) -> Decision:
    """Decide about each delivery.

    Args:
        target: what they make.
        given: what the ledger has for them.
        inputs: what they are rendered with.
        settled: ids of deliveries that are decided about already.
    """
    waiting = [lease for lease in given.leases if lease.id in given.unmet]
    decision = Decision([], [], waiting, [*given.parked])
    for lease in given.ready:
        if lease.id in settled:
            continue
        source = given.loaded[lease.id]
        try:
            refuse_contested(source.canonical)
            desired = _keeping(target, lease, target.renders(lease, source, inputs))
        except Unmappable as error:
            decision.parked.append((lease, error))
            continue
        if _is_unchanged(lease, desired):
            decision.unchanged.append((lease, desired))
        else:
            decision.writes.append(_write(target, lease, source, desired, inputs.known))
    return decision


def _latest(lease: Lease, loaded: Mapping[int, RenderInput]) -> Lease:
    if lease.id not in loaded or loaded[lease.id].version <= lease.wanted_version:
        return lease
    return replace(lease, wanted_version=loaded[lease.id].version)


def _without_live(
    leases: Sequence[Lease], loaded: Mapping[int, RenderInput], document: Document
) -> tuple[list[Lease], list[Parked]]:
    """What may be delivered in the connection's mode, and what is kept back."""
    going: list[Lease] = []
    kept: list[Parked] = []
    for lease in leases:
        try:
            if lease.id in loaded:
                _refuse_erased(loaded[lease.id].canonical)
            if lease.id in loaded and lease.flow in _OF_HIGHLEVEL:
                refuse_live(loaded[lease.id].canonical, document)
        except Unmappable as error:
            kept.append((lease, error))
        else:
            going.append(lease)
    return going, kept


def _unknown(lease: Lease) -> Unmappable:
    """It was read, and what came holds no record: nothing can be made of it, and nothing comes."""
    return Unmappable(
        f"The {lease.source_kind} {lease.source_id} is not known: HighLevel was asked for it, and "
        "nothing came that could be recorded.",
        field="entity_id",
        remedy="Compare it with HighLevel. If it is there, have it read with `syncline enqueue "
        f"pull-{lease.source_kind}s`, then retry.",
    )


def _refuse_erased(canonical: Mapping[str, Any]) -> None:
    """What was erased here is not overwritten with blanks there."""
    if "erased" in canonical:
        raise Unmappable(
            "The personal data of this record was erased.",
            field="contact",
            remedy="Erase or correct the row in Halo by hand. If the contact is to come back, read "
            "the record again.",
        )


def _is_unchanged(lease: Lease, desired: Desired) -> bool:
    """Whether there is nothing to write: it was delivered so, or nothing is wanted at all.

    Of a row that we never wrote, what it held when it was pinned says nothing.
    """
    if lease.target_id is None:
        return not desired.body
    was_delivered_so = lease.projection == desired.projection and not lease.is_pinned
    return not desired.body or was_delivered_so


def _keeping(target: Target, lease: Lease, desired: Desired) -> Desired:
    """With what is left of a row that was there before us, as it stands there.

    Of these only the field goes out by which the answer is recognised, with the value it has.
    """
    kept = (lease.target_meta or {}).get(KEPT) or {}
    if not kept or not desired.body:
        return desired
    body = {key: value for key, value in desired.body.items() if key not in kept}
    if "customfields" in body:
        body["customfields"] = [
            one for one in body["customfields"] if f"{CUSTOM}{one.get('name')}" not in kept
        ]
    if target.key in kept:
        body[target.key] = kept[target.key]
    held = {key: kept[key] for key in desired.projection if key in kept}
    if desired.note in held:
        held[desired.note] = " ".join(put_into(held[desired.note], desired.in_full).split())
    return replace(desired, body=body, projection={**desired.projection, **held})


def _write(
    target: Target, lease: Lease, source: RenderInput, desired: Desired, known: Capabilities
) -> Write:
    return Write(
        lease,
        target.reference(lease.source_id, lease.role),
        _element(lease, desired, known),
        desired.projection,
        currency_of(source.canonical),
        desired.note if _changes_note(lease, desired) else "",
        desired.in_full,
    )


def _changes_note(lease: Lease, desired: Desired) -> bool:
    """Whether a part of a note is to be changed that is otherwise for others to write."""
    if lease.target_id is None or not desired.note or desired.note in desired.body:
        return False
    return bool(desired.in_full) or IN_FULL in (lease.projection or {})


def is_read_first(write: Write) -> bool:
    """Whether an update is of a row of which something must be known that is not."""
    return bool(write.note) or _is_blind(write)


def _is_blind(write: Write) -> bool:
    """Whether a row is to be updated of whose lines nothing is known."""
    lease = write.lease
    return (
        lease.target_id is not None
        and "lines" in write.body
        and "lines" not in (lease.target_meta or {})
    )


def onto_rows(
    target: Target, writes: Sequence[Write], rows: Mapping[int, Row], known: Capabilities
) -> tuple[list[Write], list[Parked]]:
    """Updates onto what was read of their rows, by delivery; the others as they are.

    A row that does not show its lines is not updated: it might keep the old ones beside the new.
    Nor is one that does not show its note: that is somebody's, or what was cut would be lost.
    """
    merges = known.lines_on_update == "merge"
    told: list[Write] = []
    parked: list[Parked] = []
    for write in writes:
        row, body = rows.get(write.lease.id), dict(write.body)
        if not isinstance(row, HaloRow):
            if write.note and row is not None and not isinstance(row, Absent):
                parked.append((write.lease, row))
            else:
                told.append(write)  # it is not to be looked at, or gone, as the update will show
            continue
        lacking = target.lacks(row.raw) if _is_blind(write) else []
        if write.note and write.note not in row.raw:
            lacking.append(write.note)
        if lacking:
            parked.append((write.lease, illegible(target, row.id, lacking)))
            continue
        if _is_blind(write):
            body["lines"] = onto(body["lines"], row.raw["lines"], merges=merges)
        if write.note:
            stands = str(row.raw[write.note] or "")
            if (changed := put_into(stands, write.in_full)) != stands:
                body[write.note] = changed
        told.append(replace(write, body=body))
    return told, parked


def illegible(target: Target, row_id: int | str, lacking: Sequence[str]) -> Unreadable:
    """Why a row cannot be compared or changed, though it is there."""
    return Unreadable(
        f"Halo does not show {' and '.join(lacking)} of {target.name} {row_id}, read by its id.",
        remedy="Give our application leave to see all of such rows in Halo, then retry.",
    )


def _element(lease: Lease, desired: Desired, known: Capabilities) -> dict[str, Any]:
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
