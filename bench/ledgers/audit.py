"""1,000,000 entries checked, then 100 edits, cuts and swaps planted: each must be found, no other.

Filled and sealed before the clock starts. What is timed is the whole check, on all processors.
Another number of them: `python -m bench audit --entries 100000`.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from bench.ledgers.audit_filling import fill
from syncline.audit import anchor as anchoring
from syncline.audit.chains import Head
from syncline.audit.verify import Verified, verify
from syncline.calls.context import WorkerContext
from syncline.settings import Settings
from workers.console.opening import opened

ENTRIES = 1_000_000
PLANTED = 100

Progress = Callable[[str], None]
Place = tuple[str, int]


def run(progress: Progress, entries: int = ENTRIES) -> dict[str, Any]:
    """Fill, check, plant, check again."""
    with (
        tempfile.TemporaryDirectory(prefix="syncline-bench-", ignore_cleanup_errors=True) as folder,
        opened(Settings(data=Path(folder) / "data"), make=True) as worker,
    ):
        link = fill(worker, entries, progress)
        heads = list(anchoring.read(anchoring.anchor_file(worker.settings)))
        whole, seconds = _checked(worker, heads)
        progress(f"{whole.entries} entries checked in {seconds:.1f} s")
        if whole.findings:
            raise RuntimeError(
                f"The log is not whole before anything is planted: {whole.findings[:3]}"
            )
        planted = worker.ledger.run(
            lambda c: list(_plant(c, f"connection:{link.id}", link.location_place))
        )
        tampered, again = _checked(worker, heads)
        progress(f"with what was planted: {again:.1f} s, {len(tampered.findings)} findings")
        named = {(one.chain, one.position) for one in tampered.findings}
        explained = {place for places in planted for place in places}
        return {
            "entries": whole.entries,
            "seconds": round(seconds, 2),
            "planted": len(planted),
            "found": sum(1 for places in planted if set(places) <= named),
            "invented": len(named - explained),
            "seconds_when_tampered": round(again, 2),
        }


def _checked(worker: WorkerContext, heads: list[Head]) -> tuple[Verified, float]:
    started = time.monotonic()
    found = verify(worker, None, None, heads, lambda _done, _of: None)
    return found, time.monotonic() - started


def _plant(connection: Connection, effects: str, changes: str) -> Iterator[list[Place]]:
    """Change the log in many ways; yields where each must be named."""
    ways = [*_EFFECTS, *_CHANGES, *_SEALS]
    length = connection.execute(
        text("select min(length) from chain where name = any(:names)"),
        {"names": [effects, changes]},
    ).scalar_one()
    for number in range(PLANTED - 2):
        way, statements = ways[number % len(ways)]
        position = length * (number + 1) // (PLANTED + 1)
        chain = changes if way == "change" else effects
        values = {"chain": chain, "position": position}
        for statement in statements:
            connection.execute(text(statement), values)
        swaps = any("position + 1" in statement for statement in statements)
        yield [(chain, position), *([(chain, position + 1)] if swaps else [])]
    for chain in (effects, changes):
        yield [_cut(connection, chain)]


def _cut(connection: Connection, chain: str) -> Place:
    """The last entry, its seal, and every trace of both in the chain."""
    length: int = connection.execute(
        text("select length from chain where name = :chain"), {"chain": chain}
    ).scalar_one()
    table = "audit_entry" if chain.startswith("connection:") else "change"
    for statement in (
        f"delete from {table} where {_ENTRY}",  # noqa: S608 - names of ours
        f"delete from seal where {_SEAL}",  # noqa: S608 - names of ours
        _SHORTER,
    ):
        connection.execute(text(statement), {"chain": chain, "position": length})
    if table == "change":
        connection.execute(
            text(
                "update record r set version = c.version, fingerprint = c.fingerprint, canonical = "
                "jsonb_set(r.canonical, '{amount}', to_jsonb(c.version || '.00')) from change c "
                "where c.foreign_id = r.foreign_id and c.version = r.version - 1 "
                "and not exists (select from change l where l.foreign_id = r.foreign_id "
                "and l.version = r.version)"
            )
        )
    return chain, length


_SEAL = "chain = :chain and position = :position"
_ENTRY = f"(at, id) = (select entry_at, entry_id from seal where {_SEAL})"  # noqa: S608
_SHORTER = """
    update chain set length = length - 1,
        head = (select head from seal where chain = :chain and position = :position - 1)
    where name = :chain
"""
_MOVED = (
    "update seal set position = -1 where chain = :chain and position = :position",
    "update seal set position = :position where chain = :chain and position = :position + 1",
    "update seal set position = :position + 1 where chain = :chain and position = -1",
)

_EXCHANGED = """
    update audit_entry a set after = b.after, before = b.before, source_id = b.source_id
    from seal s, seal t, audit_entry b
    where (s.chain, t.chain) = (:chain, :chain) and s.position in (:position, :position + 1)
      and s.position + t.position = 2 * :position + 1
      and (a.at, a.id) = (s.entry_at, s.entry_id) and (b.at, b.id) = (t.entry_at, t.entry_id)
"""

_EFFECTS: list[tuple[str, tuple[str, ...]]] = [
    ("effect", (f"update audit_entry set {edit} where {_ENTRY}",))  # noqa: S608
    for edit in (
        "after = jsonb_set(after, '{total}', '\"0.01\"')",
        "after = jsonb_set(after, '{note}', '\"for another one\"')",
        "before = null, after = null",
        "cause = 'nobody'",
        "call_id = gen_random_uuid()",
        "target_id = '1' || target_id",
    )
] + [
    ("effect", (f"delete from audit_entry where {_ENTRY}",)),  # noqa: S608
    ("effect", (f"delete from audit_entry where {_ENTRY}", f"delete from seal where {_SEAL}")),  # noqa: S608
    ("effect", (_EXCHANGED,)),
]
_CHANGES: list[tuple[str, tuple[str, ...]]] = [
    ("change", (f"update change set {edit} where {_ENTRY}",))  # noqa: S608
    for edit in ('fields = fields || \'{"status": ["a", "b"]}\'', "cause = 'pull 0'")
]
_SEALS: list[tuple[str, tuple[str, ...]]] = [
    ("effect", _MOVED),
    ("effect", (f"update seal set head = sha256(head) where {_SEAL}",)),  # noqa: S608
    ("effect", (f"update seal set digest = sha256(digest) where {_SEAL}",)),  # noqa: S608
    ("effect", (f"update seal set salt = sha256(salt) where {_SEAL}",)),  # noqa: S608
    ("change", (f"update seal set salt = null where {_SEAL}",)),  # noqa: S608
]
