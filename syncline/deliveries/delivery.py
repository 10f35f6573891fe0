"""A delivery that a worker holds: leased, departing, confirmed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from syncline.deliveries.states import PINNED

_NEVER = datetime.min.replace(tzinfo=UTC)


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
    sent_at: datetime | None = None

    @property
    def is_fresh(self) -> bool:
        """Whether it has not failed since it was delivered last, alone or in company."""
        return not self.failures and self.array_limit is None

    @property
    def tried_at(self) -> datetime:
        """When it was sent last; long ago where it never was."""
        return self.sent_at or _NEVER

    @property
    def is_pinned(self) -> bool:
        """Whether it was pinned to a row that the other side held before, and not confirmed yet."""
        return PINNED in (self.target_meta or {})


@dataclass(frozen=True, slots=True)
class Departure:
    """What is about to be written for one delivery."""

    lease: Lease
    call_id: UUID
    projection: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What the other side confirmed for one delivery; `why` says it where nothing was written."""

    lease: Lease
    target_id: str | None
    meta: Mapping[str, Any] | None
    projection: Mapping[str, Any] | None
    why: str | None = None
