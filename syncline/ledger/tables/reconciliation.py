"""The tables of reconciliation: its runs with their certificates, and the differences found."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from syncline.ledger.tables.base import NOW, Base


class Reconciliation(Base):
    """One comparison of both sides over a period; `certificate` says what was counted and found."""

    __tablename__ = "reconciliation"
    __table_args__ = (
        CheckConstraint("mode in ('full', 'sampled')", name="mode"),
        CheckConstraint("state in ('running', 'done', 'failed')", name="state"),
        Index("ix_reconciliation_latest", "connection_id", "id"),
    )
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connection.id"))
    first: Mapped[date]
    last: Mapped[date]
    mode: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="running")
    cause: Mapped[str]
    calls: Mapped[int] = mapped_column(server_default="0")
    found: Mapped[int] = mapped_column(server_default="0")
    certificate: Mapped[dict[str, Any] | None]
    note: Mapped[str | None]
    started_at: Mapped[datetime] = mapped_column(server_default=NOW)
    finished_at: Mapped[datetime | None]


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
