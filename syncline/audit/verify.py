"""The whole audit log checked: every entry against its seal, every chain against its anchors.

Stretches of chains are checked side by side, in processes of their own where there is enough to do.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from syncline.audit import chain_verification, sealing
from syncline.audit.anchor_check import against_anchors
from syncline.audit.chain_verification import AuditFinding, Checked, Stretch
from syncline.audit.chains import Head
from syncline.audit.entries import SOURCES
from syncline.calls.context import WorkerContext
from syncline.ledger.database import Ledger, connect, text

STRETCH = 10_000
PARALLEL_FROM = 5
"""Stretches from which more than one process pays: each takes half a second to start."""

_PAGE = 5000

Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Verified:
    """What a check of the log brought.

    Attributes:
        entries: that were checked.
        chains: that they stand in.
        anchors: heads from outside that were compared.
        waiting: newer entries, which are not sealed yet.
        findings: everything that is wrong.
    """

    entries: int
    chains: int
    anchors: int
    waiting: int
    findings: list[AuditFinding]


def verify(
    worker: WorkerContext,
    chains: Sequence[str] | None,
    since: datetime | None,
    anchors: Iterable[Head],
    told: Told,
) -> Verified:
    """Check the log, or some chains of it, and go on after whatever is found.

    Args:
        worker: what the process works with.
        chains: their names; None for all.
        since: only entries from then on.
        anchors: heads that were kept outside; gone through once.
        told: called with entries checked and entries in all.
    """
    # Counted first: what is sealed meanwhile is not looked at.
    waiting = sum(worker.ledger.run(partial(sealing.waiting, source=source)) for source in SOURCES)
    todo = worker.ledger.run(lambda c: chain_verification.stretches(c, chains, since, STRETCH))
    of = sum(one.last - one.first + 1 for one in todo)
    entries, findings = 0, list[AuditFinding]()
    with _checking(worker, len(todo)) as check:
        for checked in check(todo):
            entries += checked.entries
            findings += checked.findings
            told(entries, of)
    compared = _Counting(one for one in anchors if chains is None or one.chain in chains)
    # Not `run`, which might go through the anchors again.
    with worker.ledger.begin() as connection:
        findings += _across(connection, chains, since, compared)
    places = {one.chain for one in todo if not one.chain.startswith("connection:")}
    findings += _records(worker, sorted(places))
    return Verified(
        entries, len({one.chain for one in todo}), compared.many, waiting, _in_order(findings)
    )


class _Counting:
    """Heads that are gone through once, and how many they were."""

    def __init__(self, heads: Iterable[Head]) -> None:
        self.many = 0
        self._heads = heads

    def __iter__(self) -> Iterator[Head]:
        for head in self._heads:
            self.many += 1
            yield head


def _across(
    connection: Connection,
    chains: Sequence[str] | None,
    since: datetime | None,
    anchors: Iterable[Head],
) -> list[AuditFinding]:
    connection.execute(text("set local statement_timeout = 0"))  # a log may be of any length
    among = [
        *chain_verification.ends(connection, chains),
        *against_anchors(connection, chains, anchors),
        *chain_verification.inserted(connection, since),
        *chain_verification.records_astray(connection, chains),
        *chain_verification.erasures(connection, chains),
    ]
    return [one for one in among if chains is None or one.chain in chains]


def _records(worker: WorkerContext, places: Sequence[str]) -> list[AuditFinding]:
    findings: list[AuditFinding] = []
    for place in places:
        after: tuple[str, str] | None = ("", "")
        while after is not None:
            start = after
            found, after = worker.ledger.run(
                lambda c, p=place, s=start: chain_verification.record_forms(c, p, s, _PAGE)  # type: ignore[misc]
            )
            findings += found
    return findings


def _in_order(findings: Sequence[AuditFinding]) -> list[AuditFinding]:
    return sorted(findings, key=lambda one: (one.chain, one.position, one.entry, one.what))


Check = Callable[[Sequence[Stretch]], Iterator[Checked]]


@contextmanager
def _checking(worker: WorkerContext, stretches: int) -> Iterator[Check]:
    if stretches < PARALLEL_FROM or (os.cpu_count() or 1) == 1:
        yield lambda todo: (_check(worker.ledger, one) for one in todo)
        return
    # A worker never needs these, and this module is never far from one.
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415
    from multiprocessing import get_context  # noqa: PLC0415

    url = worker.ledger.engine.url.render_as_string(hide_password=False)
    with ProcessPoolExecutor(
        min(os.cpu_count() or 1, 8),
        # Threads of this process hold locks that a fork would inherit forever.
        mp_context=get_context("spawn"),
        initializer=_begin,
        initargs=(url,),
    ) as pool:
        yield lambda todo: pool.map(_check_there, todo)


_ledgers: list[Ledger] = []
"""The one of a process that checks."""


def _begin(url: str) -> None:
    _ledgers.append(Ledger(connect(url, connections=1)))


def _check_there(stretch: Stretch) -> Checked:
    return _check(_ledgers[0], stretch)


def _check(ledger: Ledger, stretch: Stretch) -> Checked:
    return ledger.run(lambda c: chain_verification.check(c, stretch))
