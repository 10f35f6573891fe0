"""What cannot be read of HighLevel is parked alone, and told once; its neighbours go on.

A person corrects it in HighLevel: the next pull reads it, and that heals it. Or it is tried again,
by `syncline parked retry`: then it is read by its id.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from syncline.deliveries import requests
from syncline.deliveries.requests import DeliveryRequest
from syncline.flows import orders
from syncline.highlevel.pages import NAMELESS, UnreadableRow
from syncline.highlevel.paging import Days
from syncline.ingest.rereading import BY_ID
from syncline.ledger import records
from syncline.ledger.connections import Link

ROW = "row"
"""The role of a row of a list that cannot be read."""

STORED = "stored"
"""The role of a record of which something cannot be read that was read before."""

ROLES = frozenset({ROW, STORED})


@dataclass(frozen=True, slots=True)
class UnreadableRecord:
    """Something of a record that cannot be read.

    Attributes:
        source_id: the record's id, or what stands for it.
        role: a row of a list, or something stored.
        state: tells it from what was shown of the record at another time.
        reason: why it cannot be read, where it stands, and what to do.
        days: the first and last day of the list that shows it, where it is one of some days.
    """

    source_id: str
    role: str
    state: bytes
    reason: str
    days: Days | None = None


def rows_of(
    place: str, offset: int, rows: Iterable[UnreadableRow], days: Days | None = None
) -> list[UnreadableRecord]:
    """The unreadable rows of a page, as they are parked.

    Args:
        place: the list, in words.
        offset: where in the list its page begins.
        rows: those of the page.
        days: the first and last day of the list, where it is one of some days.
    """
    return [
        UnreadableRecord(
            row.id, ROW, row.state, f"Row {offset + row.index + 1} of {place}: {row.reason}", days
        )
        for row in rows
    ]


def park(
    connection: Connection,
    link: Link,
    kind: str,
    found: Sequence[UnreadableRecord],
    cause: str | Mapping[str, str],
) -> None:
    """Park them, in the transaction that records their neighbours.

    What was told before, and is as it was, stays as it is.
    """
    common = cause if isinstance(cause, str) else next(iter(cause.values()), "")
    wanted = {_request(link, kind, one): one.reason for one in found}
    requests.park(connection, link.id, link.tenant, wanted, common)


def heal(connection: Connection, link: Link, ids: Collection[str], *, listed: bool) -> None:
    """What is parked of these records can be read: nobody needs to look any more.

    Args:
        connection: the transaction.
        link: whose records these are.
        ids: the records.
        listed: whether they came as rows of a list.
    """
    roles = (ROW, STORED) if listed else (STORED,)
    requests.unpark(connection, link.id, orders.DETAILS, roles, ids)


def heal_gone(
    connection: Connection, link: Link, kind: str, days: Days, shown: Callable[[], Iterable[str]]
) -> None:
    """A list of some days was read whole: what it shows no more without a usable id is put right.

    Args:
        connection: the transaction.
        link: whose list it is.
        kind: of the records in it.
        days: its first and last day.
        shown: gives the ids of its rows, or what stands for them.
    """
    wanted = (orders.DETAILS, ROW, kind)
    parked = requests.parked_of_days(connection, link.id, wanted, days)
    nameless = {one for one in parked if one.startswith(NAMELESS)}
    if nameless:
        gone = nameless - {_source_id(link, kind, one) for one in shown()}
        requests.unpark(connection, link.id, orders.DETAILS, (ROW,), gone)


def read_by_id(
    connection: Connection, link: Link, kind: str, ids: Collection[str], cause: str
) -> None:
    """They were read by their ids after all: what waits for that reading need not wait for one."""
    versions = records.versions(connection, link.location_place, kind, sorted(ids))
    known = [
        DeliveryRequest(
            flow=orders.DETAILS,
            source_kind=kind,
            source_id=source_id,
            role="detail",
            target=BY_ID[kind],
            place=link.location_place,
            version=version,
        )
        for source_id, version in versions.items()
    ]
    requests.complete(connection, link.id, link.tenant, known, cause)


def _source_id(link: Link, kind: str, row_id: str) -> str:
    """What stands for an id is told apart by location and kind: ids are different by themselves."""
    if not row_id.startswith(NAMELESS):
        return row_id
    return f"{NAMELESS}{link.location}-{kind}-{row_id.removeprefix(NAMELESS)}"


def _request(link: Link, kind: str, one: UnreadableRecord) -> DeliveryRequest:
    return DeliveryRequest(
        flow=orders.DETAILS,
        source_kind=kind,
        source_id=_source_id(link, kind, one.source_id),
        role=one.role,
        target=BY_ID[kind],
        place=link.location_place,
        # The state as a number that a version can be, and never 0.
        version=1 + (int.from_bytes(one.state[:8]) >> 2),
        days=one.days,
    )
