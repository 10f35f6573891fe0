"""Is the audit log what it was? Reads a stretch of a chain and names everything that is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection

from syncline.audit.entries import COLUMNS, FROM, READ, SOURCES, Source, source_of
from syncline.audit.hash_chain import digest_of, digests, genesis, next_head, split
from syncline.fingerprint import fingerprint
from syncline.ledger.database import text

LATE = timedelta(minutes=2)
"""An entry that is older than the one before it by more than this was added afterwards, or by a
clock that was set back. No transaction of ours lasts as long."""

_EVER = datetime(1, 1, 1, tzinfo=UTC)

MOST = 1000
"""Findings of one kind that are named; more of them say nothing more."""


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """One thing that is wrong.

    Attributes:
        chain: where.
        position: its place in the chain, 0 where it has none.
        entry: which entry it is about, such as `effect 17`, "" where none.
        at: when that entry was written.
        what: edited, missing, gap, head, late, inserted, cut, rewritten, bared or record.
        detail: what that means here, in words.
    """

    chain: str
    position: int
    entry: str
    at: datetime | None
    what: str
    detail: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a chain: positions, both included."""

    chain: str
    first: int
    last: int


@dataclass(slots=True)
class Checked:
    """What the check of a stretch brought."""

    entries: int = 0
    findings: list[AuditFinding] = field(default_factory=list)


def stretches(
    connection: Connection, chains: Sequence[str] | None, since: datetime | None, most: int
) -> list[Stretch]:
    """The chains in parts of so many positions, from the first entry since a moment."""
    found = connection.execute(
        text(
            """
            select name, length,
                   coalesce((select min(position) from seal
                             where chain = name and entry_at >= :since), 1) as first,
                   coalesce((select max(position) from seal where chain = name), 0) as last
            from chain
            where cast(:chains as text[]) is null or name = any(:chains)
            order by name
            """
        ),
        {
            "chains": None if chains is None else list(chains),
            "since": since or _EVER,
        },
    )
    parts: list[Stretch] = []
    for row in found:
        end = max(row.length, row.last)
        parts += [
            Stretch(row.name, first, min(first + most - 1, end))
            for first in range(row.first, end + 1, most)
        ]
    return parts


def check(connection: Connection, stretch: Stretch) -> Checked:
    """Check every seal of a stretch, its entry, and the steps from head to head."""
    source = source_of(stretch.chain)
    judge = _Judge(stretch, *_before(connection, stretch))
    # All at once: one by one costs half as much again.
    for row in connection.execute(text(_JOINED[source]), _bounds(connection, stretch)).all():
        judge.see(source, tuple(row))
    judge.end()
    return judge.checked


_SEAL = "s.position, s.entry_id, s.entry_at, s.digest, s.salt, s.personal, s.head, s.erased_by"
_SEAL_COLUMNS = 8
_JOINED: dict[Source, str] = {
    source: (
        f"select {_SEAL}, {COLUMNS[source]} from seal s "  # noqa: S608 - names of ours
        # The bounds let PostgreSQL look into few partitions; `at` is part of a change's key.
        f"left join (select e.* {FROM[source]} where e.at between :since and :until) e "
        "on e.id = s.entry_id and e.at = s.entry_at "
        "where s.chain = :chain and s.position between :first and :last order by s.position"
    )
    for source in SOURCES
}


def _bounds(connection: Connection, stretch: Stretch) -> dict[str, Any]:
    bounds = {"chain": stretch.chain, "first": stretch.first, "last": stretch.last}
    since, until = connection.execute(
        text(
            """
            select min(entry_at), max(entry_at) from seal
            where chain = :chain and position between :first and :last
            """
        ),
        bounds,
    ).one()
    return bounds | {"since": since, "until": until}


def _before(connection: Connection, stretch: Stretch) -> tuple[bytes | None, datetime | None]:
    """The head that the stretch goes on from, None where it is not there, and its entry's time."""
    if stretch.first == 1:
        return genesis(stretch.chain), None
    found = connection.execute(
        text("select head, entry_at from seal where chain = :chain and position = :position"),
        {"chain": stretch.chain, "position": stretch.first - 1},
    ).first()
    return (None, None) if found is None else (bytes(found.head), found.entry_at)


class _Judge:
    """Goes along one stretch; after something wrong it goes on with both heads it may stand at."""

    def __init__(self, stretch: Stretch, head: bytes | None, at: datetime | None) -> None:
        self.checked = Checked()
        self._stretch = stretch
        self._next = stretch.first
        self._heads = [] if head is None else [head]
        self._newest = at

    def see(self, source: Source, row: tuple[Any, ...]) -> None:
        """The next seal, with its entry if that is there."""
        position, entry_id, entry_at, digest, salt, personal, head, erased_by = row[:_SEAL_COLUMNS]
        digest, head = bytes(digest), bytes(head)
        self._pass(position)
        self.checked.entries += 1
        name = f"{source} {entry_id}"
        wrong, known = None, digest
        if row[_SEAL_COLUMNS] is None:
            wrong = ("missing", "The entry is gone; its seal is there.")
        else:
            known, wrong = self._compare(source, row, digest, salt, personal, erased_by)
        expected = [next_head(before, position, digest) for before in self._heads]
        if self._heads and head not in expected:
            repaired = [next_head(before, position, known) for before in self._heads]
            if head in repaired:
                wrong = ("edited", "The digest in its seal was changed; the entry was not.")
            else:
                wrong = wrong or ("head", "The seal does not follow the one before it.")
            # Of two that changed places the first has the head that goes on after the second.
            last = self._heads[:1]
            self._heads = [head, *(repaired if known != digest else expected), *last]
        else:
            self._heads = [head]
        if wrong is None and self._newest is not None and entry_at < self._newest - LATE:
            wrong = ("late", "It was sealed long after others of its time.")
        if wrong is not None:
            self._find(position, name, entry_at, *wrong)
        if self._newest is None or entry_at > self._newest:
            self._newest = entry_at
        self._next = position + 1

    def end(self) -> None:
        """The stretch is over: what did not come is not there."""
        self._pass(self._stretch.last + 1)

    def _compare(
        self,
        source: Source,
        row: tuple[Any, ...],
        digest: bytes,
        salt: bytes | None,
        personal: bytes | None,
        erased_by: int | None,
    ) -> tuple[bytes, tuple[str, str] | None]:
        parts = split(READ[source](row[_SEAL_COLUMNS:]))
        kept = None if personal is None else bytes(personal)
        if erased_by is not None or (salt is None and kept is not None):
            known = digest_of(parts.public, kept)
            if known == digest and erased_by is None:
                return known, ("bared", "Its personal data is gone, and no erasure took it.")
        else:
            known = digests(parts, None if salt is None else bytes(salt)).digest
        if known == digest:
            return known, None
        return known, ("edited", "The entry is not the one that was sealed.")

    def _pass(self, position: int) -> None:
        """Positions that have no seal."""
        if position <= self._next:
            return
        many = position - self._next
        what = "The seal is gone." if many == 1 else f"{many} seals are gone, up to {position - 1}."
        self._find(self._next, "", None, "gap", what)
        self._heads = []

    def _find(self, position: int, entry: str, at: datetime | None, what: str, detail: str) -> None:
        self.checked.findings.append(
            AuditFinding(self._stretch.chain, position, entry, at, what, detail)
        )


def ends(connection: Connection, chains: Sequence[str] | None) -> Iterator[AuditFinding]:
    """Chains whose length or head is not that of their last seal."""
    found = connection.execute(
        text(
            """
            select c.name, c.length, s.position, s.head = c.head as fits, s.entry_at
            from chain c
            left join lateral (select position, head, entry_at from seal
                               where chain = c.name order by position desc limit 1) s on true
            where (cast(:chains as text[]) is null or c.name = any(:chains))
              and (s.position is distinct from c.length or s.head <> c.head)
            """
        ),
        {"chains": None if chains is None else list(chains)},
    )
    for row in found:
        if row.position is not None and row.position > row.length:
            told = f"It says that it has {row.length} entries, and has {row.position}."
            yield AuditFinding(row.name, row.position, "", row.entry_at, "head", told)
        elif row.position == row.length:
            told = "The chain's head is not that of its last seal."
            yield AuditFinding(row.name, row.length, "", row.entry_at, "head", told)
    # A chain that is shorter than it says is found as a gap.


def inserted(connection: Connection, since: datetime | None) -> Iterator[AuditFinding]:
    """Entries among the sealed ones that have no seal."""
    for source in SOURCES:
        found = connection.execute(
            text(
                f"select e.id, e.at, {_CHAIN[source]} {FROM[source]} "  # noqa: S608 - names of ours
                "where e.at >= :since and (e.at, e.id) <= "
                "(select until, entry_id from sealing where source = :source) "
                "and not exists (select from seal s "
                "where s.source = :source and s.entry_id = e.id and s.entry_at = e.at) "
                "order by e.at limit :most"
            ),
            {
                "source": source,
                "since": since or _EVER,
                "most": MOST,
            },
        )
        for entry_id, at, chain in found:
            detail = "It has no seal: added afterwards, or its seal was taken away."
            yield AuditFinding(chain, 0, f"{source} {entry_id}", at, "inserted", detail)


_CHAIN: dict[Source, str] = {"effect": "'connection:' || e.connection_id", "change": "e.place"}


def records_astray(connection: Connection, places: Sequence[str] | None) -> Iterator[AuditFinding]:
    """Records that are not what their last change left."""
    found = connection.execute(
        text(
            """
            select r.place, r.kind, r.foreign_id, r.version, r.changed_at, c.version as told
            from record r
            left join change c on c.foreign_id = r.foreign_id and c.kind = r.kind
                               and c.place = r.place and c.version = r.version
            where (cast(:places as text[]) is null or r.place = any(:places))
              and (c.version is null or c.fingerprint <> r.fingerprint)
            limit :most
            """
        ),
        {"places": None if places is None else list(places), "most": MOST},
    )
    for row in found:
        detail = (
            f"The {row.kind} {row.foreign_id} has no change that led to version {row.version}."
            if row.told is None
            else f"The {row.kind} {row.foreign_id} is not what its last change left."
        )
        yield AuditFinding(row.place, 0, "", row.changed_at, "record", detail)


def record_forms(
    connection: Connection, place: str, after: tuple[str, str], most: int
) -> tuple[list[AuditFinding], tuple[str, str] | None]:
    """Records of a place whose canonical form does not have its fingerprint, a page at a time."""
    rows = connection.execute(
        text(
            """
            select kind, foreign_id, canonical, fingerprint, changed_at from record
            where place = :place and (kind, foreign_id) > (:kind, :id)
            order by kind, foreign_id limit :most
            """
        ),
        {"place": place, "kind": after[0], "id": after[1], "most": most},
    ).all()
    findings = [
        AuditFinding(
            *(place, 0, "", row.changed_at, "record"),
            f"The {row.kind} {row.foreign_id} was changed and its fingerprint was not.",
        )
        for row in rows
        if fingerprint(row.canonical, volatile=()) != bytes(row.fingerprint)
    ]
    return findings, None if len(rows) < most else (rows[-1].kind, rows[-1].foreign_id)


def positions_digest(positions: Iterable[int]) -> str:
    """What an erasure's entry says of the positions that it took, as hexadecimal text."""
    return sha256(",".join(str(one) for one in sorted(positions)).encode()).hexdigest()


def erasures(connection: Connection, chains: Sequence[str] | None) -> Iterator[AuditFinding]:
    """Personal data that is gone from positions that its erasure's entry does not tell.

    Read at once and not with the stretches: an erasure may end while these are checked.
    """
    found = connection.execute(
        text(
            """
            select gone.*, e.after -> 'positions' ->> gone.chain as told
            from (select chain, erased_by, array_agg(position) as positions from seal
                  where erased_by is not null
                    and (cast(:chains as text[]) is null or chain = any(:chains))
                  group by chain, erased_by) gone
            left join audit_entry e on e.id = gone.erased_by and e.target = :what
            order by gone.chain, gone.erased_by
            """
        ),
        {"chains": None if chains is None else list(chains), "what": ERASE},
    )
    for row in found:
        if row.told != positions_digest(row.positions):
            detail = (
                f"Personal data is gone from {len(row.positions)} entries, and the erasure "
                f"(effect {row.erased_by}) does not say so."
            )
            yield AuditFinding(row.chain, min(row.positions), "", None, "bared", detail)


ERASE = "audit erase"
"""What the entry of an erasure is about."""
