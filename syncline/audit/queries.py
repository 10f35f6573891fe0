"""The audit log read: for people, the newest first; for others, with what proves each entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from syncline.audit.entries import COLUMNS, FROM, READ, SELECT, SOURCES, Entry, Source, source_of
from syncline.audit.hash_chain import genesis, split
from syncline.ledger.database import Ledger, text

BATCH = 2000

Told = Callable[[int, int], None]
"""Is told how many of how many are done."""


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries: of these chains, of one record, of a time; None is any."""

    chains: Sequence[str] | None = None
    record: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Proved:
    """An entry as it was sealed, with all that it takes to check that.

    `public` and `personal` are the very texts that were hashed. Binary values are hexadecimal.
    """

    chain: str
    position: int
    public: str
    personal: str | None
    salt: str | None
    personal_digest: str | None
    digest: str
    before: str
    head: str
    erased: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry is sealed."""

    chain: str
    position: int
    digest: str
    head: str
    sealed_at: datetime
    erased: bool


_OF_RECORD: dict[Source, str] = {
    "effect": "e.source_id = :record",
    "change": "e.foreign_id = :record",
}
_OF_CHAIN: dict[Source, str] = {
    "effect": "'connection:' || e.connection_id = any(:chains)",
    "change": "e.place = any(:chains)",
}


def listed(connection: Connection, wanted: EntryFilter, most: int) -> list[Entry]:
    """The newest entries first, sealed or not."""
    found: list[Entry] = []
    for source in SOURCES:
        where, values = _conditions(source, wanted, by_chain=True)
        rows = connection.execute(
            text(f"{SELECT[source]} where {where} order by e.at desc, e.id desc limit :most"),
            {**values, "most": most},
        )
        found += [READ[source](tuple(row)) for row in rows]
    return sorted(found, key=lambda one: (one["at"], one["source"], one["id"]), reverse=True)[:most]


def one(connection: Connection, source: Source, entry_id: int) -> tuple[Entry, Place | None] | None:
    """An entry, and where it is sealed; None if there is none."""
    row = connection.execute(text(f"{SELECT[source]} where e.id = :id"), {"id": entry_id}).first()
    if row is None:
        return None
    sealed = connection.execute(
        text(
            """
            select chain, position, encode(digest, 'hex'), encode(head, 'hex'), sealed_at,
                   erased_by is not null
            from seal where source = :source and entry_id = :id
            """
        ),
        {"source": source, "id": entry_id},
    ).first()
    return READ[source](tuple(row)), None if sealed is None else Place(*sealed)


def counted(ledger: Ledger, wanted: EntryFilter) -> int:
    """How many sealed entries `proved` gives at most."""
    if wanted.record is not None:
        return 0
    return ledger.run(
        lambda connection: int(
            connection.execute(
                text(
                    """
                    select coalesce(sum(length), 0) from chain
                    where cast(:chains as text[]) is null or name = any(:chains)
                    """
                ),
                {"chains": _list(wanted.chains)},
            ).scalar_one()
        )
    )


def proved(ledger: Ledger, wanted: EntryFilter) -> Iterator[Proved]:
    """The sealed entries, chain by chain in their order, a batch a transaction."""
    for chain in ledger.run(lambda connection: _chains(connection, wanted)):
        after = 0
        while True:
            batch = ledger.run(_reading(chain, wanted, after))
            yield from batch
            if len(batch) < BATCH:
                break
            after = batch[-1].position


def _chains(connection: Connection, wanted: EntryFilter) -> list[str]:
    found = connection.execute(
        text(
            """
            select name from chain
            where cast(:chains as text[]) is null or name = any(:chains) order by name
            """
        ),
        {"chains": _list(wanted.chains)},
    )
    return list(found.scalars())


def _reading(chain: str, wanted: EntryFilter, after: int) -> Callable[[Connection], list[Proved]]:
    source = source_of(chain)
    where, values = _conditions(source, wanted, by_chain=False)

    def work(connection: Connection) -> list[Proved]:
        found = connection.execute(
            text(
                "select s.position, s.salt, s.personal, s.digest, s.head, "
                f"s.erased_by is not null, b.head, {COLUMNS[source]} {FROM[source]} "
                "join seal s on s.source = :source and s.entry_id = e.id and s.entry_at = e.at "
                "left join seal b on b.chain = s.chain and b.position = s.position - 1 "
                f"where s.chain = :chain and s.position > :after and {where} "
                "order by s.position limit :most"
            ),
            {**values, "source": source, "chain": chain, "after": after, "most": BATCH},
        )
        return [_proved(chain, source, tuple(row)) for row in found]

    return work


def _proved(chain: str, source: Source, row: tuple[Any, ...]) -> Proved:
    position, salt, personal, digest, head, erased, before, *entry = row
    parts = split(READ[source](entry))
    has_personal = parts.personal is not None and not erased
    return Proved(
        chain=chain,
        position=position,
        public=parts.public.decode(),
        personal=parts.personal.decode() if parts.personal is not None and has_personal else None,
        salt=_hex(salt),
        personal_digest=_hex(personal),
        digest=bytes(digest).hex(),
        before=genesis(chain).hex() if position == 1 else _hex(before) or "",
        head=bytes(head).hex(),
        erased=erased,
    )


def _conditions(
    source: Source, wanted: EntryFilter, *, by_chain: bool
) -> tuple[str, dict[str, Any]]:
    conditions, values = ["true"], dict[str, Any]()
    if wanted.record is not None:
        conditions.append(_OF_RECORD[source])
        values["record"] = wanted.record
    if wanted.since is not None:
        conditions.append("e.at >= :since")
        values["since"] = wanted.since
    if wanted.until is not None:
        conditions.append("e.at <= :until")
        values["until"] = wanted.until
    if by_chain and wanted.chains is not None:
        conditions.append(_OF_CHAIN[source])
        values["chains"] = _list(wanted.chains)
    return " and ".join(conditions), values


def _list(chains: Sequence[str] | None) -> list[str] | None:
    return None if chains is None else list(chains)


def _hex(value: bytes | None) -> str | None:
    return None if value is None else bytes(value).hex()
