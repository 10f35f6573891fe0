"""The table of alerts: one open alert for each cause."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from syncline.ledger.tables.base import NOW, Base


class Alert(Base):
    """Something that people shall know of: why, how often, since when, and whether it healed."""

    __tablename__ = "alert"
    __table_args__ = (
        CheckConstraint("state in ('open', 'closed')", name="state"),
        CheckConstraint("severity in ('info', 'warning', 'critical')", name="severity"),
        Index(
            "uq_alert_open",
            "connection_id",
            "cause",
            unique=True,
            postgresql_where=text("state = 'open'"),
        ),
        Index("ix_alert_latest", "connection_id", "state", "id"),
    )
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connection.id"))
    kind: Mapped[str]
    cause: Mapped[str]
    severity: Mapped[str]
    title: Mapped[str]
    detail: Mapped[dict[str, Any]]
    count: Mapped[int] = mapped_column(server_default="1")
    state: Mapped[str] = mapped_column(server_default="open")
    first_at: Mapped[datetime] = mapped_column(server_default=NOW)
    last_at: Mapped[datetime] = mapped_column(server_default=NOW)
    told_at: Mapped[datetime | None]
    told_count: Mapped[int] = mapped_column(server_default="0")
    closed_at: Mapped[datetime | None]
