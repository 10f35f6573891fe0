"""What a run has found, written down, and the certificate that closes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from syncline.calls.calls import NoQuota
from syncline.flows import fulfillments, orders, payments, subscriptions
from syncline.ledger import database
from syncline.money import minor_digits
from syncline.reconciliation import certificate_text, found_differences, queries, rules
from syncline.reconciliation.compare_records import (
    MOST_EXAMPLES,
    ContestedRecords,
    UnshownFields,
    UntoldSum,
)
from syncline.reconciliation.compare_rows import KIND_OF, Scope, Sum, SuspectDelivery
from syncline.reconciliation.found_differences import FoundDifference, Written
from syncline.reconciliation.reading.paced_calls import Reader
from syncline.reconciliation.reading.read_halo import RereadBudget
from syncline.reconciliation.rules import Cause, FieldDifference
from syncline.sending.restored import mark

MOST_READ = 200
"""Rows that a run reads by id to be sure that they differ."""

KIND_NAMES = {
    "order": "orders",
    "invoice": "invoices",
    "payment": "payments",
    "credit": "refunds",
    "recurring": "subscriptions",
    "fulfillment": "fulfillments",
}
"""Target → what it is called in a certificate."""


class Judged(RereadBudget):
    """What a run has found so far, and how many rows it may still read by their ids.

    Attributes:
        found: the differences.
        unconfirmed: how many more there seem to be.
        unread: deliveries among these; theirs that are known stay as they are.
        cut: flows of which there were too many to look at all.
        untold: what HighLevel does not tell of orders' amounts.
        contested: records of which HighLevel says two things, neither of them newer.
        untold_again: what HighLevel did not tell of sampled records: kind, id and field.
        unshown: what Halo does not show of rows of a target, so that it was not compared.
        taken: of how many rows of a target it was taken that they are not voided.
        strays: rows under ids of ours that are somebody else's by now, in words.
        illegible: rows in Halo of which nobody can tell whether they are ours, by kind.
    """

    def __init__(self) -> None:
        super().__init__(MOST_READ)
        self.found: list[FoundDifference] = []
        self.unconfirmed = 0
        self.unread: list[int] = []
        self.cut: set[str] = set()
        self.sums: list[Sum] = []
        self.untold: list[UntoldSum] = []
        self.contested: list[ContestedRecords] = []
        self.untold_again: list[dict[str, Any]] = []
        self.unshown: list[tuple[str, UnshownFields]] = []
        self.taken: dict[str, int] = {}
        self.illegible: Counter[str] = Counter()
        self.strays: list[str] = []
        self.left_out: Counter[str] = Counter()
        self.on_the_way = 0
        self.accepted = 0

    def cut_off(self, flow: str, seen: int, every: int) -> None:
        """Note that only so many were looked at."""
        if every > seen:
            self.unconfirmed += every - seen
            self.cut.add(flow)

    def not_shown(self, target: str, found: UnshownFields) -> None:
        """Note what could not be compared; differences of these deliveries stay as they are."""
        if found.deliveries:
            self.unshown.append((target, found))
            self.unread += found.deliveries

    def take(self, target: str, found: UnshownFields) -> None:
        """Note rows of a tenant that shows of none whether it is voided."""
        if found.deliveries:
            self.taken[target] = len(found.deliveries)

    def add(self, one: SuspectDelivery, told: Sequence[FieldDifference]) -> None:
        """Take what a delivery differs in."""
        for each in told:
            self.found.append(_found(one, each))


def certify(
    reader: Reader,
    scope: Scope,
    targets: Sequence[str],
    progress: Mapping[str, Any],
    judged: Judged,
) -> None:
    """Write the differences down, close those that are none any more, and the run.

    Raises:
        NoQuota: the run has gone on to another worker.
    """
    run, owner = scope.run, reader.worker.session()
    flows = {"orders"} | {flow_of(target) for target in targets}
    if scope.sample is None:
        flows.add(fulfillments.FLOW)

    def work(connection: Connection) -> None:
        for what in judged.strays[:1]:
            mark.note(connection, scope.link, what)
        written = found_differences.write(connection, run, judged.found)
        found_differences.heal(
            connection,
            run,
            places=[scope.link.location_place, scope.link.tenant_place],
            flows=flows - judged.cut,
            unread=judged.unread,
            sample=scope.sample,
            known={one["kind"]: one["equal"] for one in progress["complete"]},
            lowest=_lowest(targets, progress),
        )
        seconds = (database.now(connection) - run.started_at).total_seconds()
        calls = progress.get("calls", 0) + reader.calls
        certificate = _certificate(scope, progress, judged, written, seconds, calls)
        closed = queries.finish(
            connection,
            run.id,
            owner,
            state="done",
            found=certificate["differences"],
            calls=reader.calls + progress["highlevel_calls"],
            certificate=certificate,
            note=None if certificate["compared"] else f"{certificate_text.NOT_ALL.capitalize()}.",
        )
        if not closed:  # and what was written here is undone
            raise NoQuota("This reconciliation has gone on to another worker.")

    reader.worker.ledger.run(work)


def _lowest(targets: Sequence[str], progress: Mapping[str, Any]) -> dict[str, int]:
    """From which id on all rows of a target were read; none of a sample's are."""
    of_kinds = {target: progress["kinds"].get(KIND_OF[target], {}) for target in targets}
    return {target: mine["floor"] for target, mine in of_kinds.items() if "floor" in mine}


def _certificate(
    scope: Scope,
    progress: Mapping[str, Any],
    judged: Judged,
    written: Written,
    seconds: float,
    calls: int,
) -> dict[str, Any]:
    run = scope.run
    standing_now = written.opened + written.again
    causes = Counter(one.cause for one in judged.found)
    unshown = _unshown(judged)
    compared = not (
        judged.unconfirmed
        or unshown
        or judged.contested
        or judged.illegible
        or any(not one["equal"] for one in progress["complete"])
    )
    return {
        "connection": scope.link.name,
        "period": rules.period_in_words(run.first, run.last),
        "first": run.first.isoformat(),
        "last": run.last.isoformat(),
        "mode": run.mode,
        "kinds": _kinds(judged),
        "differences": standing_now,
        "by_cause": {cause: many for cause in Cause if (many := causes[cause])},
        "marked": written.marked,
        "accepted": written.accepted + judged.accepted,
        "left_out": [
            {"what": what, "count": many} for what, many in sorted(judged.left_out.items()) if many
        ],
        "untold": [
            {
                "currency": one.currency,
                "count": one.count,
                "total": f"{one.total:.{minor_digits(one.currency)}f}",
                "examples": one.examples,
            }
            for one in judged.untold
        ],
        "contested": [
            {"kind": f"{one.kind}s", "count": one.count, "examples": one.examples}
            for one in judged.contested
        ],
        "on_the_way": judged.on_the_way,
        "unconfirmed": judged.unconfirmed,
        "complete": progress["complete"],
        "unshown": unshown,
        "taken": [
            {"kind": KIND_NAMES[target], "count": many} for target, many in judged.taken.items()
        ],
        "illegible": [
            {"kind": kind, "count": many} for kind, many in sorted(judged.illegible.items())
        ],
        "compared": compared,
        "clean": compared and not standing_now,
        "read_again": progress.get("records", {}).get("read", 0),
        "statement": _statement(scope, judged),
        "calls": {"halo": calls, "highlevel": progress["highlevel_calls"]},
        "ways": {kind: one["way"] for kind, one in progress["kinds"].items() if "way" in one},
        "seconds": round(seconds, 3),
    }


def _unshown(judged: Judged) -> list[dict[str, Any]]:
    """What was not compared, since a side does not show it."""
    told = [
        {
            "side": "Halo",
            "kind": KIND_NAMES[target],
            "count": len(one.deliveries),
            "fields": one.fields,
            "examples": one.examples,
        }
        for target, one in judged.unshown
    ]
    for kind in dict.fromkeys(one["kind"] for one in judged.untold_again):
        mine = [one for one in judged.untold_again if one["kind"] == kind]
        ids = list(dict.fromkeys(one["id"] for one in mine))
        told.append(
            {
                "side": "HighLevel",
                "kind": f"{kind}s",
                "count": len(ids),
                "fields": sorted({one["field"] for one in mine}),
                "examples": ids[:MOST_EXAMPLES],
            }
        )
    return told


def _kinds(judged: Judged) -> list[dict[str, Any]]:
    """One entry for each kind and currency, the same set of deliveries on both sides."""
    sides: dict[tuple[str, str], dict[str, tuple[int, Decimal]]] = {}
    for one in judged.sums:
        of = sides.setdefault((one.target, one.currency), {})
        count, total = of.get(one.side, (0, Decimal(0)))
        of[one.side] = (count + one.count, total + one.total)
    differing = Counter((one.target, one.currency or "") for one in judged.found)
    told = []
    for (target, currency), of in sorted(
        sides.items(), key=lambda one: (list(KIND_NAMES).index(one[0][0]), one[0][1])
    ):
        told.append(
            {
                "kind": KIND_NAMES[target],
                "currency": currency,
                "highlevel": _side(target, currency, of.get("highlevel")),
                "halo": _side(target, currency, of.get("halo")),
                "differences": differing[target, currency],
            }
        )
    return told


def _side(target: str, currency: str, told: tuple[int, Decimal] | None) -> dict[str, Any]:
    count, total = told or (0, Decimal(0))
    if target == fulfillments.TARGET:
        return {"count": count, "total": None}
    # What was given back is written below zero in Halo; a certificate says how much it was.
    shown = -total if target == "credit" else total
    digits = minor_digits(currency)
    return {"count": count, "total": f"{shown + 0:.{digits}f}"}


def _statement(scope: Scope, judged: Judged) -> str | None:
    if scope.sample is None:
        return None
    if not scope.sample:
        return "Nothing was there to be sampled."
    # What could not be compared says nothing of all the others.
    unshown = sum(one["count"] for one in _unshown(judged))
    many = max(len(scope.sample) - unshown - judged.unconfirmed - judged.on_the_way, 0)
    wrong = min(many, len({(one.flow, one.source_id, one.role) for one in judged.found}))
    share = rules.at_most(many, wrong)
    if share is None:
        return "Nothing of the sample could be compared."
    return (
        f"{wrong} of {many} sampled differ: with 95 % confidence under "
        f"{share * 100:.2f} % of all do"
    )


def _found(one: SuspectDelivery, told: FieldDifference) -> FoundDifference:
    return FoundDifference(
        flow=one.flow,
        source_kind=one.source_kind,
        source_id=one.source_id,
        role=one.role,
        target=one.target,
        target_id=one.target_id,
        cause=told.cause,
        field=told.field,
        ours=told.ours,
        theirs=told.theirs,
        delivered=told.delivered,
        currency=one.currency or None,
    )


def flow_of(target: str) -> str:
    """The flow that makes a target's rows."""
    named = {"order": orders.FLOW, "recurring": subscriptions.FLOW}
    return named.get(target, payments.FLOW)
