"""What another mapping would do to a connection's records, found out without changing anything.

Every record is gone through as when the mapping is set: what it would ask for is rendered under the
mapping of now and under the other one. No call is made and nothing is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import Connection

from syncline.calls import capabilities
from syncline.calls.context import Line
from syncline.deliveries import outstanding
from syncline.deliveries.delivery import Lease
from syncline.deliveries.states import State
from syncline.deliveries.waits import Edge
from syncline.dry_run.placeholders import PlaceholderCurrencies, Unknown, placeholder
from syncline.engine.connection_rules import rules_of
from syncline.errors import SynclineError, Unmappable
from syncline.flows import orders, projections
from syncline.flows.flow import Difference, Needs
from syncline.halo.capabilities import Capabilities
from syncline.ingest import requests
from syncline.ingest.mapping_changed import kept_in_line
from syncline.ingest.rereading import Version
from syncline.ledger import records
from syncline.sending.bodies import Inputs
from syncline.sending.decide import Decision, Given, decide, gather
from syncline.sending.targets import TARGETS

PAGE: Final = 200
"""Records of one transaction, which is short: others wait for what it locks."""

Tell = Callable[[str, int, int], None]


@dataclass(slots=True)
class Preview:
    """What would become of the deliveries of one target.

    Attributes:
        deliveries: that there are and are not parked now.
        as_they_are: need no call, or come out as under the mapping of now.
        rewritten: are in Halo, and would be written again.
        parked: would be parked, and would not under the mapping of now.
        freed: are parked, or would be, and would not any more.
        waiting: would wait for what must be read first.
        made: would be requested for the first time.
    """

    deliveries: int = 0
    as_they_are: int = 0
    rewritten: int = 0
    parked: int = 0
    freed: int = 0
    waiting: int = 0
    made: int = 0


@dataclass(frozen=True, slots=True)
class Reason:
    """Why deliveries would be parked, or in what field they would be rewritten, with an example.

    Attributes:
        why: for what would be parked.
        before: what is delivered now, for what would be rewritten; `after` is what would be.
    """

    target: str
    field: str | None
    records: int
    example: str
    why: str = ""
    before: str = ""
    after: str = ""


@dataclass(slots=True)
class MappingPreview:
    """All that would change, by target; reasons with the most records first.

    Attributes:
        readings: records whose detail would have to be read from HighLevel first.
    """

    targets: dict[str, Preview] = field(default_factory=dict)
    readings: int = 0
    parked: list[Reason] = field(default_factory=list)
    rewritten: list[Reason] = field(default_factory=list)

    @property
    def changes(self) -> int:
        """How many deliveries would come out otherwise."""
        return sum(
            one.rewritten + one.parked + one.freed + one.waiting + one.made
            for one in self.targets.values()
        )


def preview(line: Line, mapping: str, tell: Tell) -> MappingPreview:
    """What would become of a connection's records under another mapping.

    Args:
        line: the connection, under its mapping of now.
        mapping: the other document, which was checked.
        tell: is told how far it is.
    """
    other = replace(line, document=rules_of(replace(line.link, mapping=mapping)))
    run = _PreviewRun(line, other, capabilities.known(line))
    for kind in requests.KINDS:
        after: str | None = ""
        while after is not None:
            start = after
            after = line.worker.ledger.run(
                lambda connection: run.page(connection, kind, start)  # noqa: B023 - run at once
            )
            tell(f"{kind}s", run.records[kind], 0)
    return run.result()


@dataclass(frozen=True, slots=True)
class _Fate:
    """What becomes of a delivery under a mapping: `wanted` is written, or something forbids it."""

    wanted: Mapping[str, str] | None = None
    error: SynclineError | None = None
    waits: bool = False


def _fates(decision: Decision) -> dict[int, _Fate]:
    return {
        **{write.lease.id: _Fate(wanted=write.projection) for write in decision.writes},
        **{lease.id: _Fate() for lease, _ in decision.unchanged},
        **{lease.id: _Fate(waits=True) for lease in decision.waiting},
        **{lease.id: _Fate(error=error) for lease, error in decision.parked},
    }


def _change(before: _Fate, after: _Fate, state: str, lease: Lease) -> str:
    """Which of `Preview`'s counts a delivery belongs to."""
    if after.error is not None:
        is_so = before.error is not None or state == State.PARKED
        return "as_they_are" if is_so else "parked"
    if before.error is not None:
        return "freed"
    is_as_before = after.wanted == before.wanted and after.waits == before.waits
    # What is on its way already comes out otherwise at once.
    is_on_its_way = state not in {State.DELIVERED, State.PARKED}
    if is_as_before or is_on_its_way or not (after.wanted or after.waits):
        return "as_they_are"
    if after.waits:
        return "waiting"
    return "freed" if state == State.PARKED else "made" if lease.target_id is None else "rewritten"


class _PreviewRun:
    """One preview: what was seen so far."""

    def __init__(self, line: Line, other: Line, known: Capabilities) -> None:
        self._line, self._other, self._known = line, other, known
        self._unknown = Unknown()
        self._seen: set[Edge] = set()
        self._parked = Counter[tuple[str, str | None, str]]()
        self._rewritten = Counter[tuple[str, str | None, str]]()
        self._examples: dict[tuple[str, str | None, str], Reason] = {}
        self._found = MappingPreview()
        self.records = Counter[str]()

    def page(self, connection: Connection, kind: str, after: str) -> str | None:
        """Look at the next records of a kind; the id to go on from, None at the end."""
        link = self._other.link
        rows = records.page(connection, link.location_place, kind, after, PAGE)
        versions = kept_in_line(connection, link, kind, [Version(*one) for one in rows])
        self.records[kind] += len(rows)
        wanted = {
            (one.flow, one.source_id, one.role): one.target
            for one in requests.would_request(
                connection, link, self._other.document, kind, versions
            )
        }
        fresh = {edge: target for edge, target in wanted.items() if edge not in self._seen}
        self._seen |= fresh.keys()
        there = outstanding.of_edges(connection, link.tenant, sorted(fresh))
        for edge, target in fresh.items():
            if edge not in there:
                self._is_new(target)
        for target in TARGETS:
            of_target = [one for one in there.values() if one[0].target == target]
            if of_target:
                self._judge(connection, target, of_target)
        return rows[-1][0] if len(rows) == PAGE else None

    def result(self) -> MappingPreview:
        """All that was found."""
        self._found.parked = list(self._told(self._parked))
        self._found.rewritten = list(self._told(self._rewritten))
        return self._found

    def _of(self, target: str) -> Preview:
        return self._found.targets.setdefault(target, Preview())

    def _is_new(self, target: str) -> None:
        if target in TARGETS:
            self._of(target).made += 1
        else:
            self._found.readings += 1

    def _judge(
        self, connection: Connection, target: str, there: Sequence[tuple[Lease, str]]
    ) -> None:
        """What becomes of deliveries that exist; what Halo may hold without us stays parked."""
        count = self._of(target)
        states = {lease.id: state for lease, state in there}
        leases = [lease for lease, _ in there]
        was = _fates(self._decided(connection, self._line, target, leases))
        will = _fates(self._decided(connection, self._other, target, leases))
        count.deliveries += sum(state != State.PARKED for state in states.values())
        for lease in leases:
            before, after = was[lease.id], will[lease.id]
            change = _change(before, after, states[lease.id], lease)
            setattr(count, change, getattr(count, change) + 1)
            if change == "parked" and after.error is not None:
                self._note_parked(target, lease, after.error)
            elif change == "rewritten" and after.wanted is not None:
                self._note_rewritten(target, lease, after.wanted)

    def _decided(
        self, connection: Connection, line: Line, target: str, leases: Sequence[Lease]
    ) -> Decision:
        given = self._as_if_there(gather(connection, line, TARGETS[target], leases))
        money = PlaceholderCurrencies(self._known.currencies, self._unknown)
        inputs = Inputs(line.document, given.ids, money, self._known)
        return decide(TARGETS[target], given, inputs)

    def _as_if_there(self, given: Given) -> Given:
        """With names for the rows that will be made before; only what must be read is missing."""
        ids = dict(given.ids)
        unmet: dict[int, list[Needs]] = {}
        for delivery, needed in given.unmet.items():
            if unread := [need for need in needed if need.flow == orders.DETAILS]:
                unmet[delivery] = unread
            ids |= {need: placeholder(need, self._unknown) for need in needed if need not in ids}
        return replace(given, ids=ids, unmet=unmet)

    def _note_parked(self, target: str, lease: Lease, error: SynclineError) -> None:
        named = error.field if isinstance(error, Unmappable) else None
        key = (target, named, error.what)
        self._parked[key] += 1
        self._examples.setdefault(key, Reason(target, named, 0, lease.source_id, why=str(error)))

    def _note_rewritten(self, target: str, lease: Lease, wanted: Mapping[str, str]) -> None:
        held = lease.projection or {}
        changed = projections.differences(wanted, held, [*wanted])
        gone = [Difference(name, "", text) for name, text in held.items() if name not in wanted]
        for one in [*changed, *gone][:1]:
            key = (target, one.field.partition(" ")[0], "")
            self._rewritten[key] += 1
            self._examples.setdefault(
                key, Reason(target, key[1], 0, lease.source_id, before=one.got, after=one.wanted)
            )

    def _told(self, counted: Counter[tuple[str, str | None, str]]) -> Iterator[Reason]:
        return (replace(self._examples[key], records=many) for key, many in counted.most_common())
