"""What differs is read once more and judged; then the run is certified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from syncline.adopt.pins import SHAPES
from syncline.deliveries import target_rows
from syncline.flows import fulfillments, orders, payments, projections, subscriptions
from syncline.flows.flow import Difference
from syncline.halo.entities.resources import AnyResource
from syncline.halo.models import number
from syncline.halo.sql.readback import KINDS, OURS, VOIDED
from syncline.mapping.document import Document
from syncline.money import quantize
from syncline.reconciliation import compare_records, compare_rows, rules
from syncline.reconciliation.certify import KIND_NAMES, Judged, certify, flow_of
from syncline.reconciliation.compare_rows import KIND_OF, Scope, Stranger, Sum, SuspectDelivery
from syncline.reconciliation.found_differences import FoundDifference
from syncline.reconciliation.reading import voiding
from syncline.reconciliation.reading.paced_calls import Reader
from syncline.reconciliation.reading.read_halo import SQL, RowsReadAgain, compared, reread
from syncline.reconciliation.rules import Cause, FieldDifference
from syncline.sending.restored.ownership import NOT_OURS, stray_reference
from syncline.sending.targets import TARGETS

_FLOW_OF = {
    "order": ("orders", "order"),
    "transaction": ("payments", "payment"),
    "subscription": ("subscriptions", "recurring"),
}


_HELD = "live {} held back until the connection is live"


def read_again_and_judge(
    reader: Reader, scope: Scope, targets: Sequence[str], progress: dict[str, Any]
) -> None:
    """Judge what was read, write the differences down, and close the run with its certificate.

    Raises:
        SynclineError: a row that seems to differ could not be read once more.
    """
    reader.patient = True
    judged = Judged()
    for kind in dict.fromkeys(KIND_OF[target] for target in targets):
        of_kind = [target for target in targets if KIND_OF[target] == kind]
        _judge(reader, scope, KINDS[kind], of_kind, progress, judged)
    if scope.sample is None:
        is_to_come = any(one["being_read"] for one in progress["complete"])
        _strangers(reader, scope, targets, judged, is_to_come=is_to_come)
        _never_requested(reader, scope, judged)
        _parcels(reader, scope, progress, judged)
    judged.found += [
        _uncounted(one)
        for one in progress["complete"]
        if not one["equal"] and not one["being_read"] and one["highlevel"] is not None
    ]
    judged.untold = reader.worker.ledger.run(partial(compare_records.untold, scope=scope))
    judged.contested = reader.worker.ledger.run(partial(compare_records.contested, scope=scope))
    again = progress.get("records", {"differing": [], "young": 0, "untold": []})
    judged.found += [_not_as_read(one) for one in again["differing"]]
    judged.on_the_way += again["young"]
    judged.untold_again = again["untold"]
    certify(reader, scope, targets, progress, judged)


@dataclass(frozen=True, slots=True)
class _Suspects:
    """Deliveries of a target that seem to differ, and further rows with their references."""

    target: str
    ids: list[int]
    own: set[int]
    copies: Mapping[int, list[int]]
    accepted: Mapping[int, Mapping[str, list[str]]]

    @property
    def wanted(self) -> set[int]:
        """Rows of Halo to look at once more."""
        return {*self.own, *(row for rows in self.copies.values() for row in rows)}


def _judge(
    reader: Reader,
    scope: Scope,
    kind: AnyResource,
    targets: Sequence[str],
    progress: dict[str, Any],
    judged: Judged,
) -> None:
    """Read the rows of a kind that seem to differ once more, judge them, and say what is unshown.

    A report shows all that is compared, so after one nothing can be.
    """
    run = reader.worker.ledger.run
    suspects = []
    for target in targets:
        differing, every = run(partial(compare_rows.differing, scope=scope, target=target))
        judged.cut_off(flow_of(target), len(differing), every)
        copies, every = run(partial(compare_rows.copies, scope=scope, target=target))
        judged.cut_off(flow_of(target), len(copies), every)
        own = {int(one.target_id) for one in differing if one.stable and one.target_id}
        ids = sorted({*(o.id for o in differing), *copies})
        accepted = run(partial(target_rows.accepted_of, ids=ids))
        suspects.append(_Suspects(target, ids, own, copies, accepted))
    wanted = {row for one in suspects for row in one.wanted}
    found = reread(reader, scope.run, kind, progress, wanted, judged)
    mine = progress["kinds"][kind.name]
    _illegible(kind, mine, targets, judged)
    is_shown = {mine.get("way"), found.way} == {SQL}
    hidden = voiding.are_hidden(reader, kind)
    for one in suspects:
        now = run(partial(compare_rows.again, scope=scope, target=one.target, ids=one.ids))
        for each in now.values():
            _judge_one(reader, kind, one, each, found, judged)
        if not is_shown:
            look = partial(compare_records.unshown, scope=scope, target=one.target)
            fields = compare_records.fields_of(one.target, hidden=hidden)
            judged.not_shown(one.target, run(partial(look, fields=fields)))
            if hidden:
                judged.take(one.target, run(partial(look, fields=(VOIDED,))))
        judged.sums += run(partial(compare_rows.sums, scope=scope, target=one.target))
        moving, held = run(partial(compare_rows.on_the_way, scope=scope, target=one.target))
        judged.on_the_way += moving
        judged.left_out[_HELD.format(KIND_NAMES[one.target])] += held


def _illegible(
    kind: AnyResource, mine: Mapping[str, Any], targets: Sequence[str], judged: Judged
) -> None:
    """Rows of a list of which nobody can tell whether they are ours: these may be copies."""
    without_id = mine.get("list", {}).get("without_id", 0)
    many = without_id + mine.get("nameless", 0)
    if many:
        judged.illegible[KIND_NAMES.get(kind.name, f"{kind.name}s")] += many
        judged.cut |= {flow_of(target) for target in targets}


def _judge_one(
    reader: Reader,
    kind: AnyResource,
    suspects: _Suspects,
    one: SuspectDelivery,
    found: RowsReadAgain,
    judged: Judged,
) -> None:
    row_id = int(one.target_id or 0)
    others = [row for row in suspects.copies.get(one.id, ()) if row in found.rows]
    if not one.stable:
        judged.add(one, [rules.undelivered(_row(one))] if one.late else [])
    elif row_id not in suspects.own:  # it agrees, and there are copies of it
        judged.add(one, rules.judge(_row(one), {}, [], others) if others else [])
    elif row_id not in found.read:
        judged.unconfirmed += 1
        judged.unread.append(one.id)
    else:
        document, row = reader.line.document, found.rows.get(row_id)
        held = None if row is None else compared(document, kind, row, one.currency, found.way)
        every = _different(one, held, row, document)
        different = projections.remaining(every, suspects.accepted.get(one.id, {}))
        if row is not None and _is_others(one, row, different):
            # Ours is not there any more, and what is said of that row is no business of ours.
            judged.add(one, rules.judge(_row(one), None, [], others))
            judged.strays.append(f"{one.target} {row_id} {NOT_OURS}.")
            return
        judged.accepted += len(rules.by_line(every)) - len(rules.by_line(different))
        told = rules.judge(_row(one), held, different, others)
        late = [rules.undelivered(_row(one))] if one.late else []
        judged.add(one, told or late)


def _is_others(
    one: SuspectDelivery, row: Mapping[str, Any], different: Sequence[Difference]
) -> bool:
    """Whether the row under the delivery's id is somebody else's by now."""
    wanted = one.projection or {}
    return stray_reference(TARGETS[one.target], wanted, row, different) is not None


def _different(
    one: SuspectDelivery,
    held: Mapping[str, str] | None,
    row: Mapping[str, Any] | None,
    document: Document,
) -> list[Difference]:
    """Where a row is not as it was delivered; its lines too, where it was read whole.

    What it does not show is no difference either: that is told apart.
    """
    if held is None or row is None or not one.projection:
        return []
    got = {**projections.projection(row, one.currency, document, SHAPES[one.target]), **held}
    return projections.differences(one.projection, got, ())


def _row(one: SuspectDelivery) -> rules.ComparedDelivery:
    return rules.ComparedDelivery(
        state=one.state,
        reason=one.reason,
        target_id=one.target_id,
        delivered=one.projection,
        amount=None if one.amount is None else _exact(one.amount, one.currency),
    )


def _exact(amount: Decimal, currency: str) -> Decimal:
    """With the currency's digits; an amount that has more is left for people to see."""
    shown = quantize(amount, currency) + 0
    return shown if shown == amount else amount


def _strangers(
    reader: Reader, scope: Scope, targets: Sequence[str], judged: Judged, *, is_to_come: bool
) -> None:
    """Rows with our reference that nobody knows, told by the first connection of the tenant.

    While records of HighLevel are still to come they may be theirs, so they are only counted.
    """
    run = reader.worker.ledger.run
    if not run(lambda c: compare_records.answers_for_strangers(c, scope.link)):
        return
    for kind in dict.fromkeys(KIND_OF[target] for target in targets):
        strangers, every = run(partial(compare_rows.unknown, scope=scope, kind=kind))
        strangers = [] if is_to_come else strangers
        judged.cut_off(flow_of(kind), len(strangers), every)
        for one in strangers:
            target = _target_of(kind, one)
            amount = one.projection.get("total", one.projection.get("amount"))
            judged.found.append(
                FoundDifference(
                    flow=flow_of(target),
                    source_kind="",
                    source_id=one.reference.removeprefix(OURS),
                    role=str(one.id),
                    target=target,
                    target_id=str(one.id),
                    cause=Cause.UNKNOWN_IN_HALO,
                    field=rules.ROW,
                    ours=None,
                    theirs=amount,
                    delivered=None,
                    currency=one.currency or None,
                )
            )
            total = number(amount) or Decimal(0)
            judged.sums.append(Sum(target, "halo", one.currency, 1, total))


def _target_of(kind: str, one: Stranger) -> str:
    is_credit = kind == "invoice" and "-R" in one.reference
    return "credit" if is_credit else kind


def _never_requested(reader: Reader, scope: Scope, judged: Judged) -> None:
    """Records that the mapping leaves out are named; those that it includes should be requested."""
    document = reader.line.document
    kinds = [one["kind"] for one in _kept_kinds(document)]
    for kind in kinds:
        found = reader.worker.ledger.run(
            partial(compare_records.unrequested, scope=scope, kind=kind)
        )
        for group in found:
            if not _wanted(kind, group.live, document):
                name = "test " if group.live is False else "live "
                judged.left_out[f"{name}{kind}s"] += group.count
                continue
            flow, target = _FLOW_OF[kind]
            judged.cut_off(flow, len(group.ids), group.count)
            judged.found += [
                FoundDifference(
                    flow, kind, source_id, target, target, None, Cause.NOT_DELIVERED,
                    rules.ROW, None, "not owed", None, None,
                )
                for source_id in group.ids
            ]  # fmt: skip


def _kept_kinds(document: Document) -> list[dict[str, str]]:
    kept = [{"kind": "order"}]
    if document.payments.into != "none":
        kept.append({"kind": "transaction"})
    if document.subscriptions.into != "none":
        kept.append({"kind": "subscription"})
    return kept


def _wanted(kind: str, live: bool | None, document: Document) -> bool:  # noqa: FBT001 - as HighLevel says it
    record = {"id": "", "live_mode": live, "status": "paid", "amount": "1"}
    if kind == "order":
        return orders.wanted(record, document)
    if kind == "transaction":
        return payments.wanted(record, document)
    return bool(subscriptions.delivery_requests(record, document))


def _parcels(reader: Reader, scope: Scope, progress: dict[str, Any], judged: Judged) -> None:
    """Fulfillments: the consignment is still in Halo, and HighLevel still shows what was posted."""
    if reader.line.document.fulfillments.into == "none":
        return
    run = reader.worker.ledger.run
    kind = KINDS["consignment"]
    astray, every = run(lambda c: compare_records.astray(c, scope))
    judged.cut_off(fulfillments.FLOW, len(astray), every)
    gone = {int(one.source_id) for one in astray if one.stable and not one.consigned}
    found = reread(reader, scope.run, kind, progress, gone, judged)
    _illegible(kind, progress["kinds"][kind.name], (), judged)
    for one in astray:
        row_id = int(one.source_id)
        told = _astray(one, row_id in found.read and row_id not in found.rows)
        if told is not None:
            judged.found.append(
                FoundDifference(
                    fulfillments.FLOW, fulfillments.SOURCE_KIND, one.source_id, one.role,
                    fulfillments.TARGET, one.target_id, told.cause, told.field, told.ours,
                    told.theirs, told.delivered, None,
                )
            )  # fmt: skip
    unread = [one.id for one in astray if int(one.source_id) in gone.difference(found.read)]
    judged.unconfirmed += len(unread)
    judged.unread += unread
    seen = run(lambda c: compare_records.parcels(c, scope))
    judged.on_the_way += seen.on_the_way
    if seen.posted:
        nothing = Decimal(0)
        judged.sums += [
            Sum(fulfillments.TARGET, "highlevel", "", seen.shown, nothing),
            Sum(fulfillments.TARGET, "halo", "", seen.consigned, nothing),
        ]


def _astray(one: compare_records.Shipped, gone: bool) -> FieldDifference | None:  # noqa: FBT001 - a fact
    if not one.stable:
        row = rules.ComparedDelivery(one.state, one.reason, None, None, None)
        return rules.undelivered(row)
    if gone:
        return FieldDifference(Cause.MISSING, "consignment", one.target_id, None, one.target_id)
    if one.shown is False:
        return FieldDifference(Cause.MISSING, "fulfillment", None, one.source_id, one.target_id)
    if one.state == "parked":
        row = rules.ComparedDelivery(one.state, one.reason, one.target_id, None, None)
        return rules.undelivered(row)
    return None


def _uncounted(one: Mapping[str, Any]) -> FoundDifference:
    flow, target = _FLOW_OF[one["kind"]]
    return FoundDifference(
        flow, one["kind"], one["kind"], rules.COUNT, target, None, Cause.NOT_IN_LEDGER,
        rules.COUNT, str(one["highlevel"]), str(one["ledger"]), None, None,
    )  # fmt: skip


def _not_as_read(one: Mapping[str, Any]) -> FoundDifference:
    flow, target = _FLOW_OF[one["kind"]]
    return FoundDifference(
        flow, one["kind"], one["id"], one["kind"], target, None, Cause.NOT_IN_LEDGER,
        one["field"], one["ours"], one["theirs"], one["theirs"], None,
    )  # fmt: skip
