"""What a repair would do about differences, each looked at once more in Halo before it is said.

Nothing is written here: `repair_writing` does what was planned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from syncline.calls.context import Line
from syncline.deliveries import target_rows
from syncline.deliveries.states import DOUBTED
from syncline.deliveries.target_rows import IN_HAND, TargetRow
from syncline.deliveries.waits import Edge
from syncline.errors import Absent
from syncline.flows.flow import Difference
from syncline.ingest import pull
from syncline.reconciliation.discrepancies import Discrepancy
from syncline.repair import rules
from syncline.repair.extra_rows import Extra, find_extra
from syncline.repair.reading import Seen, depending_on, differences, is_gone, look
from syncline.repair.rules import Act
from syncline.sending.restored.ownership import NOT_OURS
from syncline.sending.targets import TARGETS

MOVED_ON = "It has moved on meanwhile: see it again with `syncline discrepancies list`."

_MOVING = "It is being written at this moment: try again in a minute."
_ON_ITS_WAY = "It is on its way already: the next reconciliation tells."
_IN_DOUBT = "Halo may hold it already. Decide with: syncline adopt NAME --take ID=HALO_ID"
_STRANGE = "No delivery of it is known any more: run `syncline reconcile run NAME` again."
_GONE = "Our row is gone from Halo by now: run `syncline reconcile run NAME` again."
_BACK = "The row is in Halo: run `syncline reconcile run NAME` again."


@dataclass(frozen=True, slots=True)
class RepairPlan:
    """What is to be done about a difference.

    Attributes:
        discrepancy: as it was shown.
        act: what brings our value back; None where nothing is done.
        writes: the calls that this brings, in words; each is made by a sender but a DELETE.
        why: why nothing is done.
        standing: the delivery, where there is one.
        again: deliveries that are written again, since they name a row that gets a new id.
        made: deliveries that are made again with it.
        extra: the row to remove.
    """

    discrepancy: Discrepancy
    act: Act | None
    writes: tuple[str, ...] = ()
    why: str = ""
    standing: TargetRow | None = None
    again: tuple[TargetRow, ...] = ()
    made: tuple[TargetRow, ...] = ()
    extra: Extra | None = None


@dataclass(slots=True)
class _Look:
    """What was looked at for a batch: deliveries by their edge, and Halo's rows."""

    standings: Mapping[Edge, TargetRow]
    acts: dict[int, tuple[Act | None, str]] = field(default_factory=dict)
    seen: dict[int, Seen] = field(default_factory=dict)
    different: dict[int, list[Difference]] = field(default_factory=dict)

    def of(self, one: Discrepancy) -> TargetRow | None:
        return self.standings.get(one.edge)


def plan(
    line: Line, found: Sequence[Discrepancy], *, delete_extra: bool = False
) -> list[RepairPlan]:
    """What `apply` would do about differences of one connection, Halo's rows read once more.

    Raises:
        SynclineError: Halo could not be asked.
    """
    looked = _Look(standings_of(line, found))
    looked.acts = {one.id: _act(one, looked.of(one)) for one in found}
    rows = {
        standing.id: standing
        for one in found
        if looked.acts[one.id][0] in {Act.WRITE, Act.MAKE}
        and (standing := looked.of(one)) is not None
    }
    looked.seen = look(line, rows.values())
    looked.different = differences(line, rows.values(), looked.seen)
    return [_planned(line, one, looked, delete_extra=delete_extra) for one in found]


def standings_of(line: Line, found: Sequence[Discrepancy]) -> dict[Edge, TargetRow]:
    """The deliveries of this connection that differences are about."""
    known = line.worker.ledger.run(
        lambda connection: target_rows.of_sources(
            connection, line.link.tenant, {one.edge for one in found}
        )
    )
    return {edge: one for edge, one in known.items() if one.connection_id == line.link.id}


def hindered(standing: TargetRow) -> str:
    """Why a person's decision has to wait, or is another one; "" if nothing speaks against it."""
    if standing.state in IN_HAND:
        return _MOVING
    is_in_doubt = standing.state == "parked" and standing.field == DOUBTED
    return _IN_DOUBT if is_in_doubt else ""


def _act(one: Discrepancy, standing: TargetRow | None) -> tuple[Act | None, str]:
    """What is to be done as far as the ledger knows, or why nothing is."""
    act, why = rules.act_of(one.cause, one.target, one.field)
    if act is None or act is Act.READ:
        return act, why
    if standing is None:
        return (act, "") if act is Act.REQUEST else (None, _STRANGE)
    if why := hindered(standing):
        return None, why
    if act is Act.MAKE and standing.state in {"due", "waiting"}:
        return None, _ON_ITS_WAY
    return act, ""


def _planned(line: Line, one: Discrepancy, looked: _Look, *, delete_extra: bool) -> RepairPlan:
    act, why = looked.acts[one.id]
    standing = looked.of(one)
    if act is None:
        return RepairPlan(one, None, why=why)
    if act is Act.READ:
        return _reading(one)
    if act is Act.REQUEST or standing is None:
        return RepairPlan(one, act, (_request_text(one),), standing=standing)
    if act is Act.REMOVE:
        return _removing(line, one, standing, delete_extra=delete_extra)
    seen = looked.seen.get(standing.id)
    if act is Act.WRITE:
        return _overwriting(one, standing, seen, looked.different.get(standing.id, []))
    return _making(line, one, standing, seen)


def _removing(
    line: Line, one: Discrepancy, standing: TargetRow, *, delete_extra: bool
) -> RepairPlan:
    extra = find_extra(line, standing, delete_extra=delete_extra)
    if isinstance(extra, str):
        return RepairPlan(one, None, why=extra)
    writes = (f"DELETE {extra.path}/{extra.row_id}, which carries {extra.reference} too",)
    return RepairPlan(one, Act.REMOVE, writes, standing=standing, extra=extra)


def _reading(one: Discrepancy) -> RepairPlan:
    if one.source_kind not in pull.KINDS:
        return RepairPlan(
            one, None, why=f"HighLevel has no list of {one.source_kind}s to be read again."
        )
    return RepairPlan(
        one, Act.READ, (f"read {one.source_kind}s of {one.first} to {one.last} again",)
    )


def _overwriting(
    one: Discrepancy, standing: TargetRow, seen: Seen | None, different: Sequence[Difference]
) -> RepairPlan:
    if seen is None or is_gone(seen):
        stray = f"{seen.what} " if isinstance(seen, Absent) and NOT_OURS in seen.what else ""
        return RepairPlan(one, None, why=f"{stray}{_GONE}")
    if isinstance(seen, Exception):
        return RepairPlan(one, None, why=str(seen))
    wanted = standing.projection or standing.sent_projection or {}
    why = rules.moved_on(one.field, one.theirs, wanted, different)
    if why is not None:
        return RepairPlan(one, None, why=why)
    told = f"{one.field}: {one.ours or 'none'} in place of {one.theirs or 'none'}"
    return RepairPlan(one, Act.WRITE, (f"{_update(standing)}, {told}",), standing=standing)


def _making(line: Line, one: Discrepancy, standing: TargetRow, seen: Seen | None) -> RepairPlan:
    """Make a lost row again, and have what names it follow: written again, or made with it."""
    if seen is not None and not is_gone(seen):
        return RepairPlan(one, None, why=str(seen) if isinstance(seen, Exception) else _BACK)
    made, again = [standing], []
    newest = [standing]
    while newest:
        named = depending_on(line, newest)
        held = look(line, named)
        newest = []
        for other in named:
            if other.state in IN_HAND:
                return RepairPlan(
                    one, None, why=f"Its {other.target} is being written: try again soon."
                )
            if is_gone(held.get(other.id)):
                newest.append(other)
            elif isinstance(failure := held.get(other.id), Exception):
                return RepairPlan(one, None, why=f"Its {other.target} could not be read: {failure}")
            elif other.target_id is not None:
                again.append(other)
        made += newest
    writes = [f"{_create(other)}, looked up before" for other in made]
    writes += [f"{_update(other)}, to name the new row" for other in again]
    return RepairPlan(
        one, Act.MAKE, tuple(writes), standing=standing, again=tuple(again), made=tuple(made)
    )


def _request_text(one: Discrepancy) -> str:
    if one.target not in TARGETS:
        return f"POST {one.target} of {one.source_kind} {one.source_id}, once more"
    reference = TARGETS[one.target].reference(one.source_id, one.role)
    return f"POST {TARGETS[one.target].path} {reference}, unless Halo was confirmed to hold it"


def _create(standing: TargetRow) -> str:
    target = TARGETS[standing.target]
    return f"POST {target.path} create {_reference(standing)}"


def _update(standing: TargetRow) -> str:
    path = TARGETS[standing.target].path
    return f"POST {path} update {standing.target_id} ({_reference(standing)})"


def _reference(standing: TargetRow) -> str:
    return TARGETS[standing.target].reference(standing.source_id, standing.role)
