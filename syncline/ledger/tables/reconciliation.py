"""The tables of reconciliation: runs with their certificates, what they read and found."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from syncline.ledger.tables.base import NOW, Base


class Reconciliation(Base):
    """One comparison of both sides over a period; `certificate` says what was counted and found.

    A running one says in `progress` how far Halo was read, and is its `owner`'s while that session
    lives; a connection has one at a time. `sample` is how many rows a sampled one draws by `seed`.
    """

    __tablename__ = "reconciliation"
    __table_args__ = (
        CheckConstraint("mode in ('full', 'sampled')", name="mode"),
        CheckConstraint("state in ('running', 'done', 'failed')", name="state"),
        Index("ix_reconciliation_latest", "connection_id", "id"),
        Index(
            "uq_reconciliation_running",
            "connection_id",
            unique=True,
            postgresql_where=text("state = 'running'"),
        ),
    )
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connection.id"))
    first: Mapped[date]
    last: Mapped[date]
    mode: Mapped[str]
    sample: Mapped[int | None]
    seed: Mapped[int] = mapped_column(server_default="0")
    state: Mapped[str] = mapped_column(server_default="running")
    cause: Mapped[str]
    owner: Mapped[UUID | None]
    progress: Mapped[dict[str, Any] | None]
    due_at: Mapped[datetime] = mapped_column(server_default=NOW)
    calls: Mapped[int] = mapped_column(server_default="0")
    found: Mapped[int] = mapped_column(server_default="0")
    certificate: Mapped[dict[str, Any] | None]
    note: Mapped[str | None]
    started_at: Mapped[datetime] = mapped_column(server_default=NOW)
    finished_at: Mapped[datetime | None]


class ReconciliationRow(Base):
    """A row of Halo as a running reconciliation read it; gone when that has ended.

    Unlogged: what a crash of PostgreSQL empties is read again. A row without our reference is kept
    as an id alone.
    """

    __tablename__ = "reconciliation_row"
    __table_args__ = (
        Index("ix_reconciliation_row_reference", "run_id", "kind", "reference"),
        {"prefixes": ["UNLOGGED"]},
    )
    run_id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str]
    currency: Mapped[str]
    projection: Mapped[dict[str, Any] | None]


class Discrepancy(Base):
    """A difference between both sides, with both values and what we delivered last.

    `ours` is HighLevel's value under the mapping, `theirs` what Halo holds, `delivered` what was
    confirmed last. A field of one row is open once.
    """

    __tablename__ = "discrepancy"
    __table_args__ = (
        CheckConstraint(
            "state in ('open', 'applied', 'accepted', 'marked', 'healed')", name="state"
        ),
        Index(
            "uq_discrepancy_open",
            "connection_id",
            "flow",
            "source_id",
            "role",
            "cause",
            "field",
            unique=True,
            postgresql_where=text("closed_at is null"),
        ),
        Index("ix_discrepancy_source", "source_id"),
        Index("ix_discrepancy_latest", "connection_id", "state", "id"),
    )
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connection.id"))
    found_by: Mapped[int] = mapped_column(ForeignKey("reconciliation.id"))
    seen_by: Mapped[int] = mapped_column(ForeignKey("reconciliation.id"))
    flow: Mapped[str]
    source_kind: Mapped[str]
    source_id: Mapped[str]
    role: Mapped[str]
    target: Mapped[str]
    target_id: Mapped[str | None]
    cause: Mapped[str]
    field: Mapped[str]
    ours: Mapped[str | None]
    theirs: Mapped[str | None]
    delivered: Mapped[str | None]
    currency: Mapped[str | None]
    state: Mapped[str] = mapped_column(server_default="open")
    note: Mapped[str | None]
    closed_by: Mapped[str | None]
    found_at: Mapped[datetime] = mapped_column(server_default=NOW)
    closed_at: Mapped[datetime | None]
