"""What a delivery looks like on its way: owed, in a worker's hands, departing, confirmed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

_OF_AN_EVENT = "event "


def cause_of_event(event_id: int) -> str:
    """The cause of what an event makes due, and of what is read because of it."""
    return f"{_OF_AN_EVENT}{event_id}"


def is_urgent(cause: str) -> bool:
    """Whether an event asks for it: it goes before what is only being caught up with."""
    return cause.startswith(_OF_AN_EVENT)


@dataclass(frozen=True, slots=True)
class Debt:
    """What a record's version owes one target row.

    `after` is how long it rests first; one that is due already comes no later. `waits_for` is the
    (flow, source id, role) without which a new one need not be looked at. `cause` is its own,
    where several debts that are owed together have different ones.
    """

    flow: str
    source_kind: str
    source_id: str
    role: str
    target: str
    place: str
    version: int
    after: timedelta = timedelta(0)
    waits_for: tuple[str, str, str] | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """A delivery in this worker's hands."""

    id: int
    connection_id: int
    tenant_id: int
    flow: str
    role: str
    target: str
    place: str
    source_kind: str
    source_id: str
    wanted_version: int
    sent_version: int | None
    delivered_version: int | None
    projection: dict[str, Any] | None
    sent_projection: dict[str, Any] | None
    target_id: str | None
    target_meta: dict[str, Any] | None
    attempt: int
    owner: UUID
    failures: int
    array_limit: int | None
    call_id: UUID | None
    cause: str


@dataclass(frozen=True, slots=True)
class Departure:
    """What is about to be written for one delivery."""

    lease: Lease
    call_id: UUID
    projection: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What the other side confirmed for one delivery."""

    lease: Lease
    target_id: str | None
    meta: Mapping[str, Any] | None
    projection: Mapping[str, Any] | None
