"""Marked and opened again: decisions about differences that change nothing on either side."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection

from syncline.calls.context import WorkerContext
from syncline.deliveries import target_rows, unleased
from syncline.deliveries.target_rows import ACCEPTED, accepted_in
from syncline.ledger import effects
from syncline.reconciliation import discrepancies
from syncline.reconciliation.discrepancies import Discrepancy, values
from syncline.repair import rules


def mark(worker: WorkerContext, found: Sequence[Discrepancy], note: str, by: str) -> set[int]:
    """Say that differences are known: they stay and are counted, and nobody is told any more."""

    def work(connection: Connection) -> set[int]:
        held = discrepancies.hold(connection, found)
        done = discrepancies.decide(connection, held, "marked", by, note)
        _tell(connection, "discrepancies mark", found, done, by, "marked", note)
        return done

    return worker.ledger.run(work)


def reopen(worker: WorkerContext, found: Sequence[Discrepancy], by: str) -> set[int]:
    """Take a decision back; what was accepted of Halo's rows is forgotten."""

    def work(connection: Connection) -> set[int]:
        done = discrepancies.reopen(connection, [one.id for one in found])
        accepted = [one for one in found if one.id in done and one.state == "accepted"]
        for tenant_id in {one.tenant_id for one in accepted}:
            _forget(connection, tenant_id, [one for one in accepted if one.tenant_id == tenant_id])
        _tell(connection, "discrepancies reopen", found, done, by, "open", None)
        return done

    return worker.ledger.run(work)


def _forget(connection: Connection, tenant_id: int, found: Sequence[Discrepancy]) -> None:
    known = target_rows.of_sources(connection, tenant_id, {one.edge for one in found})
    for edge, standing in known.items():
        fields = rules.with_lines(one.field for one in found if one.edge == edge)
        kept = accepted_in(standing.target_meta)
        left = {field: pair for field, pair in kept.items() if not _is_of(field, fields)}
        if left != kept:
            unleased.learn_held(connection, standing, {ACCEPTED: left})


def _is_of(field: str, fields: Collection[str]) -> bool:
    return field in fields or ("lines" in fields and field.startswith("line "))


def _tell(
    connection: Connection,
    what: str,
    found: Sequence[Discrepancy],
    done: Collection[int],
    by: str,
    state: str,
    note: str | None,
) -> None:
    for one in found:
        if one.id in done:
            effects.decided(
                connection,
                one.connection_id,
                what=what,
                subject=one.source_id,
                by=by,
                before=values(one),
                after={"state": state, "note": note},
            )
