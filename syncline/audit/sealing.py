"""Sealing: entries that can no longer be overtaken get their place in a chain, once.

An entry is stamped with the clock inside its transaction and appears when that commits, so none is
sealed before all transactions have ended that may have stamped an earlier one. That is told by
transaction ids: it needs no rights over other sessions and counts prepared transactions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from syncline import jsontext
from syncline.audit.entries import FROM, READ, SELECT, SOURCES, Entry, Source, chain_of
from syncline.audit.hash_chain import RULE, SALT_BYTES, digests, genesis, next_head, split
from syncline.ledger.database import text

MARGIN = timedelta(seconds=2)
"""Between an entry's stamp and its transaction's id a process may stand still for a moment."""

SWEEP_BACK = timedelta(days=3)
"""How far back stragglers are looked for."""

_NOT_SEALED = """
    (e.at, e.id) > (
        coalesce((select until from sealing where source = :source), '-infinity'),
        coalesce((select entry_id from sealing where source = :source), 0))
"""
"""Entries behind the last sealed one; the others are passed over, or stragglers."""

_NEVER_SEALED = "not exists (select from seal s where s.source = :source and s.entry_id = e.id)"

_TO_BE_SWEPT = "(swept_at is null or swept_at < clock_timestamp() - cast(:every as interval))"

_SWEEP = f"""
    update sealing set swept_at = clock_timestamp() where source = :source and {_TO_BE_SWEPT}
"""  # noqa: S608 - our own text

_LOCK = "select pg_try_advisory_xact_lock(hashtextextended('audit/seal', 0))"


@dataclass(frozen=True, slots=True)
class Horizon:
    """A moment, and the first transaction id that had not been given out at it."""

    at: datetime
    xid: str


def is_waiting(connection: Connection, every: timedelta) -> bool:
    """Whether something is to be sealed, or stragglers have not been looked for in `every`."""
    unsealed = " or ".join(
        f"exists (select {FROM[source]} where {_NOT_SEALED.replace(':source', f':{source}')})"
        for source in SOURCES
    )
    statement = f"select {unsealed} or exists (select from sealing where {_TO_BE_SWEPT})"  # noqa: S608 - our own text
    given = {"every": every} | {source: source for source in SOURCES}
    return bool(connection.execute(text(statement), given).scalar_one())


def horizon(connection: Connection) -> Horizon:
    """The moment up to which entries may be sealed once `is_past` says so."""
    at, xid = connection.execute(
        text(
            """
            select clock_timestamp() - cast(:margin as interval),
                   cast(pg_snapshot_xmax(pg_current_snapshot()) as text)
            """
        ),
        {"margin": MARGIN},
    ).one()
    return Horizon(at, xid)


def is_past(connection: Connection, there: Horizon) -> bool:
    """Whether every transaction that writes and had begun at the horizon has ended."""
    found = connection.execute(
        text("select pg_snapshot_xmin(pg_current_snapshot()) >= cast(:xid as xid8)"),
        {"xid": there.xid},
    )
    return bool(found.scalar_one())


def seal(
    connection: Connection, source: Source, there: Horizon, most: int, salts: Callable[[int], bytes]
) -> int | None:
    """Seal the next entries of one source up to a horizon that has passed; returns how many.

    Args:
        connection: the transaction.
        source: effects or changes.
        there: a horizon of which `is_past` was true.
        most: entries in one go.
        salts: random bytes, so many.

    Returns:
        None where another sealer is at work.
    """
    if not connection.execute(text(_LOCK)).scalar_one():
        return None
    found = connection.execute(
        text(
            f"{SELECT[source]} where {_NOT_SEALED} and e.at < :horizon"
            " order by e.at, e.id limit :most"
        ),
        {"source": source, "horizon": there.at, "most": most},
    )
    entries = [READ[source](tuple(row)) for row in found]
    if not entries:
        return 0
    _append(connection, entries, salts)
    connection.execute(
        text(
            """
            insert into sealing (source, until, entry_id) values (:source, :until, :entry_id)
            on conflict (source) do update
            set until = excluded.until, entry_id = excluded.entry_id
            """
        ),
        {"source": source, "until": entries[-1]["at"], "entry_id": entries[-1]["id"]},
    )
    return len(entries)


def seal_stragglers(
    connection: Connection, most: int, salts: Callable[[int], bytes], every: timedelta
) -> list[Entry]:
    """Seal what was passed over, as after a clock was set back; at most once in `every`.

    They get their place at the end of their chain, where `verify` names them: one who adds an old
    entry by hand cannot hide it here.
    """
    if not connection.execute(text(_LOCK)).scalar_one():
        return []
    late: list[Entry] = []
    for source in SOURCES:
        due = connection.execute(text(_SWEEP), {"source": source, "every": every})
        if not due.rowcount:
            continue
        found = connection.execute(
            text(
                f"{SELECT[source]} where not {_NOT_SEALED}"
                " and e.at > clock_timestamp() - cast(:back as interval)"
                f" and {_NEVER_SEALED} order by e.at, e.id limit :most"
            ),
            {"source": source, "back": SWEEP_BACK, "most": most},
        )
        entries = [READ[source](tuple(row)) for row in found]
        _append(connection, entries, salts)
        late += entries
    return late


def waiting(connection: Connection, source: Source) -> int:
    """Entries that are newer than what is sealed."""
    found = connection.execute(
        text(f"select count(*) {FROM[source]} where {_NOT_SEALED}"),
        {"source": source},
    )
    return int(found.scalar_one())


def behind(connection: Connection) -> timedelta | None:
    """How long the oldest entry waits for its seal; None where none does."""
    ages = [
        connection.execute(
            text(
                f"select clock_timestamp() - e.at {FROM[source]} where {_NOT_SEALED} "
                "order by e.at, e.id limit 1"
            ),
            {"source": source},
        ).scalar()
        for source in SOURCES
    ]
    return max((age for age in ages if age is not None), default=None)


def _append(
    connection: Connection, entries: Sequence[Entry], salts: Callable[[int], bytes]
) -> None:
    if not entries:
        return
    names = sorted({chain_of(entry) for entry in entries})
    ends = _ends(connection, names)
    rows = []
    for entry in entries:
        chain = chain_of(entry)
        length, head = ends.get(chain) or (0, genesis(chain))
        parts = split(entry)
        salt = None if parts.personal is None else salts(SALT_BYTES)
        made = digests(parts, salt)
        position = length + 1
        head = next_head(head, position, made.digest)
        ends[chain] = (position, head)
        rows.append(
            {
                "chain": chain,
                "position": position,
                "source": entry["source"],
                "entry_id": entry["id"],
                "entry_at": entry["at"],
                "digest": made.digest.hex(),
                "salt": None if salt is None else salt.hex(),
                "personal": None if made.personal is None else made.personal.hex(),
                "head": head.hex(),
            }
        )
    _insert(connection, rows)
    connection.execute(
        text(
            """
            insert into chain (name, length, head)
            select * from unnest(cast(:names as text[]), cast(:lengths as bigint[]),
                                 cast(:heads as bytea[]))
            on conflict (name) do update set length = excluded.length, head = excluded.head
            """
        ),
        {
            "names": names,
            "lengths": [ends[name][0] for name in names],
            "heads": [ends[name][1] for name in names],
        },
    )


def _ends(connection: Connection, names: Sequence[str]) -> dict[str, tuple[int, bytes]]:
    found = connection.execute(
        text("select name, length, head from chain where name = any(:names)"),
        {"names": list(names)},
    )
    return {row.name: (row.length, bytes(row.head)) for row in found}


def _insert(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    connection.execute(
        text(
            """
            insert into seal (chain, position, source, entry_id, entry_at, rule, digest, salt,
                              personal, head)
            select chain, position, source, entry_id, entry_at, :rule, decode(digest, 'hex'),
                   decode(salt, 'hex'), decode(personal, 'hex'), decode(head, 'hex')
            from jsonb_to_recordset(cast(:rows as jsonb)) as row
                 (chain text, position bigint, source text, entry_id bigint,
                  entry_at timestamptz, digest text, salt text, personal text, head text)
            """
        ),
        {"rule": RULE, "rows": jsontext.dumps(rows).decode()},
    )
