"""Read before anything is written, while a Halo seems to have been restored from a backup.

An answer to an update shows what was written and not what it was written over. So the row that is
to be updated, and those that a row names, are read by their ids before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from syncline.calls.calls import ApiCalls
from syncline.calls.context import PARALLEL, Line
from syncline.deliveries import leased, target_rows, unleased
from syncline.deliveries.target_rows import TargetRow
from syncline.engine.connection_rules import rules_of
from syncline.engine.failures import SENDING, count
from syncline.errors import Absent, SynclineError
from syncline.halo.models import HaloRow, whole
from syncline.ledger import connections
from syncline.mapping.document import Document
from syncline.sending.decide import Write
from syncline.sending.inputs import currencies_of
from syncline.sending.restored import mark
from syncline.sending.restored.ownership import no_longer_ours, strays_reference
from syncline.sending.targets import TARGETS, Target
from syncline.sending.tenant.by_id import by_id

_NAMES = {
    "client_id": "client",
    "user_id": "user",
    "salesorder_id": "order",
    "invoice_id": "invoice",
    "creditlinkedtoinvoiceid": "invoice",
}
"""Field of a body → the target whose row it names."""

_AT_ONCE = PARALLEL // 4
"""Writes of one claim: each may name a few rows, and what was read is lost where quota ends."""

_SOON = timedelta(seconds=1)
"""Rest of writes whose rows were not read yet, or have to be made again first."""

_RowId = tuple[str, int]
"""A target and the id of a row of it."""


class _Holder(NamedTuple):
    """A delivery that holds a row, and by what that is judged."""

    standing: TargetRow
    document: Document
    currency: str


@dataclass(slots=True)
class _Looked:
    """What rows showed that deliveries hold.

    Attributes:
        holders: the deliveries that hold them; two hold one whose id was given anew.
        strays: deliveries whose rows are somebody else's by now, and the reference of each row.
        failed: rows that could not be read, and why.
        unread: rows for which there was no quota.
    """

    holders: Mapping[_RowId, Sequence[_Holder]]
    strays: dict[_RowId, list[tuple[TargetRow, str]]] = field(default_factory=dict)
    failed: dict[_RowId, SynclineError] = field(default_factory=dict)
    unread: set[_RowId] = field(default_factory=set)

    def holds_back(self, row: _RowId) -> bool:
        """Whether nothing is written to a row, or names it, for now."""
        return row in self.strays or row in self.failed or row in self.unread


def only_ours(line: Line, target: Target, api: ApiCalls, writes: Sequence[Write]) -> list[Write]:
    """The writes all of whose rows are ours still; of the others none is lost or sent."""
    some = writes[:_AT_ONCE]
    needed = {write.lease.id: _rows_of(target, write) for write in some}
    looked = _look(line, api, {row for rows in needed.values() for row in rows})
    going = [one for one in some if not any(map(looked.holds_back, needed[one.lease.id]))]
    held = [one for one in some if one not in going]
    failed = {
        write.lease.id: error
        for write in held
        for row in needed[write.lease.id]
        if (error := looked.failed.get(row)) is not None
    }

    def work(connection: Connection) -> None:
        parked = _part(connection, line, looked, held)
        for write in held:
            if write.lease.id in failed and write.lease.id not in parked:
                count(connection, SENDING, [write.lease], failed[write.lease.id])
        rest = [one.lease for one in (*held, *writes[_AT_ONCE:]) if one.lease.id not in failed]
        rest = [lease for lease in rest if lease.id not in parked]
        leased.release(connection, rest, after=_SOON, why=None)

    if len(going) < len(writes):
        line.worker.ledger.run_patiently(work, sleep=line.worker.sleep)
    return going


def _part(connection: Connection, line: Line, looked: _Looked, held: Sequence[Write]) -> set[int]:
    """Park the deliveries whose rows are somebody else's; returns those that this worker has."""
    mine = {one.lease.id: one.lease for one in held}
    parked: set[int] = set()
    for standing, carried in (one for strays in looked.strays.values() for one in strays):
        reason = no_longer_ours(standing.target, standing.target_id or "", carried)
        mark.note(connection, line.link, reason)
        if standing.id in mine:
            leased.park(connection, [mine[standing.id]], reason=reason, field=None, gone=True)
            parked.add(standing.id)
        else:
            unleased.disown(connection, standing, reason=reason)
    return parked


def _rows_of(target: Target, write: Write) -> set[_RowId]:
    """The row that is to be updated, and those that are named."""
    named = {(name, whole(write.body.get(at))) for at, name in _NAMES.items()}
    own = whole(write.lease.target_id)
    return {(name, row_id) for name, row_id in {*named, (target.name, own)} if row_id}


def _look(line: Line, api: ApiCalls, rows: Collection[_RowId]) -> _Looked:
    """Read the rows that deliveries hold; what nobody holds was never ours to judge."""
    looked = _Looked(line.worker.ledger.run(lambda connection: _holders(connection, line, rows)))
    for name in sorted({name for name, _ in looked.holders}):
        target = TARGETS[name]
        ids = {row_id: HaloRow.of({"id": row_id}) for of, row_id in looked.holders if of == name}
        read = by_id(line, api, target.resource, ids)
        looked.unread |= {(name, row_id) for row_id in ids.keys() - read.keys()}
        for row_id, row in read.items():
            if isinstance(row, HaloRow):
                strays = _strays(looked.holders[name, row_id], row)
                looked.strays |= {(name, row_id): strays} if strays else {}
            elif not isinstance(row, Absent):  # one that is gone is told by the write itself
                looked.failed[name, row_id] = row
    return looked


def _holders(
    connection: Connection, line: Line, rows: Collection[_RowId]
) -> dict[_RowId, list[_Holder]]:
    standings: list[TargetRow] = []
    for name in {name for name, _ in rows}:
        ids = [row_id for of, row_id in rows if of == name]
        standings += target_rows.holding(connection, line.link.tenant, [name], ids)
    currencies = currencies_of(connection, standings)
    documents = {line.link.id: line.document}
    found: dict[_RowId, list[_Holder]] = {}
    for one in standings:
        if one.connection_id not in documents:
            of = connections.by_id(connection, one.connection_id)
            documents[one.connection_id] = rules_of(of)
        holder = _Holder(one, documents[one.connection_id], currencies[one.id])
        found.setdefault((one.target, int(one.target_id or 0)), []).append(holder)
    return found


def _strays(holders: Sequence[_Holder], row: HaloRow) -> list[tuple[TargetRow, str]]:
    """Those of the deliveries with a row's id whose row it is not any more."""
    found = [
        (one.standing, strays_reference(one.standing, row.raw, one.document, one.currency))
        for one in holders
    ]
    return [(standing, carried) for standing, carried in found if carried is not None]
