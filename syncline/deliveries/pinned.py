"""Deliveries that are pinned to a row which the other side held before we sent anything.

To pin a delivery is to write down which row it is: whatever crashes afterwards, that row is never
created again. A pinned row that does not carry our reference yet is marked, so that the writing of
references can go on where it ended. Until then its delivery is doubtful: a worker that comes upon
it reads the whole row first, so that the lines which it holds are known when it is written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from syncline import jsontext
from syncline.deliveries import leased
from syncline.deliveries.delivery import Confirmation, Lease
from syncline.deliveries.states import PINNED
from syncline.deliveries.target_rows import KEPT
from syncline.ledger.connections import Link
from syncline.ledger.database import text

OPEN = "d.target_id is null and d.sent_version is null"
"""SQL: a delivery that nothing was sent for."""

_LEASE = ", ".join(f"d.{name}" for name in Lease.__slots__)
_UNSENT = "d.state = 'doubtful' and d.sent_version is null"
_PINNED = f"d.connection_id = :connection_id and d.target = :target and d.target_meta ? '{PINNED}'"


@dataclass(frozen=True, slots=True)
class Pin:
    """Which row a delivery is.

    Attributes:
        holds: what that holds of what we compare.
        change_seq: its own.
        kept: of what it holds, the fields that are never written over.
    """

    delivery: int
    target_id: str
    holds: Mapping[str, str]
    change_seq: int | None
    kept: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unwritten:
    """How many pinned rows do not carry our reference yet, and when the next may be looked at."""

    left: int
    next_in_s: float


def take_up(connection: Connection, deliveries: Collection[int]) -> None:
    """WAITING or PARKED → DUE where nothing was sent yet, so that it can be pinned or claimed."""
    connection.execute(
        text("delete from wait where delivery_id = any(:ids)"), {"ids": list(deliveries)}
    )
    connection.execute(
        text(
            f"""
            update delivery d set state = 'due', reason = null, field = null,
                                  due_at = clock_timestamp()
            where d.id = any(:ids) and d.state in ('waiting', 'parked') and {OPEN}
            """  # noqa: S608 - built from constants of this module
        ),
        {"ids": list(deliveries)},
    )


def pin(connection: Connection, pins: Sequence[Pin], cause: str = "adopt") -> set[int]:
    """DUE → DOUBTFUL: write down which rows these are; returns the ids that could be pinned.

    Args:
        connection: the transaction.
        pins: the deliveries with their rows.
        cause: of what is written to these rows; who decided about a single one.
    """
    rows = [
        {
            "id": one.delivery,
            "target_id": one.target_id,
            "holds": one.holds,
            "meta": {
                PINNED: True,
                "change_seq": one.change_seq,
                **({KEPT: dict(one.kept)} if one.kept else {}),
            },
        }
        for one in pins
    ]
    return set(
        connection.execute(
            text(
                f"""
                update delivery d
                set state = 'doubtful', target_id = told.target_id, target_meta = told.meta,
                    projection = told.holds, cause = :cause, due_at = clock_timestamp()
                from jsonb_to_recordset(cast(:rows as jsonb))
                     as told (id bigint, target_id text, holds jsonb, meta jsonb)
                where d.id = told.id and d.state = 'due' and {OPEN}
                returning d.id
                """  # noqa: S608 - built from constants of this module
            ),
            {"rows": jsontext.dumps(rows).decode(), "cause": cause},
        ).scalars()
    )


def claim(
    connection: Connection, owner: UUID, deliveries: Collection[int], most: int
) -> list[Lease]:
    """Take those of these deliveries that are due, or pinned and not sent yet: they are LEASED."""
    which = f"d.id = any(:ids) and (d.state = 'due' or {_UNSENT})"
    found = _locked(connection, which, {"ids": list(deliveries)}, most)
    return _lease(connection, owner, found)


def claim_unsent(
    connection: Connection, link: Link, target: str, owner: UUID, most: int
) -> list[Lease]:
    """Take pinned rows that our reference was not sent to yet: they are LEASED."""
    pinned = {"connection_id": link.id, "target": target}
    return _lease(connection, owner, _locked(connection, f"{_PINNED} and {_UNSENT}", pinned, most))


def claim_doubtful(
    connection: Connection, link: Link, target: str, owner: UUID, most: int
) -> list[Lease]:
    """DOUBTFUL and settled → CHECKING: pinned rows that may carry our reference by now."""
    pinned = {"connection_id": link.id, "target": target}
    sent = f"{_PINNED} and d.state = 'doubtful' and d.sent_version is not null"
    return _check(connection, owner, _locked(connection, sent, pinned, most))


def _locked(
    connection: Connection, which: str, parameters: Mapping[str, Any], most: int
) -> list[int]:
    found = connection.execute(
        text(
            f"""
            select d.id from delivery d
            where {which} and d.due_at <= statement_timestamp()
            order by d.id limit :most for update skip locked
            """  # noqa: S608 - built from constants of this module
        ),
        {**parameters, "most": most},
    )
    return list(found.scalars())


def _check(connection: Connection, owner: UUID, ids: Collection[int]) -> list[Lease]:
    """DOUBTFUL → CHECKING for deliveries that this transaction has locked."""
    found = connection.execute(
        text(
            f"""
            update delivery d set state = 'checking', owner = :owner
            where d.id = any(:ids) and d.state = 'doubtful'
            returning {_LEASE}
            """  # noqa: S608 - built from constants of this module
        ),
        {"ids": list(ids), "owner": owner},
    )
    return _by_number(found)


def _lease(connection: Connection, owner: UUID, ids: Collection[int]) -> list[Lease]:
    """DUE → LEASED for deliveries that this transaction has locked.

    A doubtful one goes the way of every other: CHECKING, then DUE. It need not be read for that,
    as it was when it was pinned, and nobody else sees it due.
    """
    checked = [lease.id for lease in _check(connection, owner, ids)]
    connection.execute(
        text(
            """
            update delivery d set state = 'due', owner = null
            where d.id = any(:ids) and d.state = 'checking' and d.owner = :owner
            """
        ),
        {"ids": checked, "owner": owner},
    )
    found = connection.execute(
        text(
            f"""
            update delivery d set state = 'leased', owner = :owner, attempt = d.attempt + 1
            where d.id = any(:ids) and d.state = 'due'
            returning {_LEASE}
            """  # noqa: S608 - built from constants of this module
        ),
        {"ids": list(ids), "owner": owner},
    )
    return _by_number(found)


def _by_number(found: Iterable[Any]) -> list[Lease]:
    return sorted((Lease(*row) for row in found), key=lambda lease: lease.id)


def unwritten(connection: Connection, link: Link, target: str) -> Unwritten:
    """What is left of the references to write to one kind of row."""
    row = connection.execute(
        text(
            f"""
            select count(*) as many,
                   coalesce(extract(epoch from min(d.due_at) - clock_timestamp()), 0) as rest
            from delivery d
            where {_PINNED}
              and d.state in ('due', 'leased', 'sending', 'doubtful', 'checking')
            """  # noqa: S608 - built from constants of this module
        ),
        {"connection_id": link.id, "target": target},
    ).one()
    return Unwritten(row.many, max(float(row.rest), 0.0))


def write_again(connection: Connection, news: Sequence[Confirmation]) -> set[int]:
    """CHECKING → DOUBTFUL, unsent: pinned rows that do not carry our reference, as they are now.

    It is written to them once more. Returns the ids.
    """
    why = "looked up: not written, written again"
    moved = leased.give_back(connection, [one.lease for one in news], why=why)
    for one in news:
        connection.execute(
            text(
                """
                update delivery
                set target_meta = target_meta
                                  || jsonb_build_object('change_seq', cast(:seq as bigint))
                where id = :id
                """
            ),
            {"id": one.lease.id, "seq": (one.meta or {}).get("change_seq")},
        )
    return moved
