"""The tables of alerts: one open alert for each cause, and what channels are told of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from syncline.ledger.tables.base import NOW, Base

OPEN = text("state = 'open'")
NEW_ORDERS = text("kind = 'new_order'")
UNTOLD = text("told_state is distinct from state")
DUE = text("state = 'due'")
SOURCE_ID = text("'alert-' || left(replace(cast(gen_random_uuid() as text), '-', ''), 16)")
"""By it a ticket is found again; no other installation at the tenant makes the same one."""


class Alert(Base):
    """Something that people shall know of: why, how often, since when, and whether it healed.

    A `notice` is told once and never heals. `last_at` is when something about it changed, `gone_at`
    since when its cause is not there any more, `looked_at` when its ticket in Halo was read last.
    """

    __tablename__ = "alert"
    __table_args__ = (
        CheckConstraint("state in ('open', 'closed', 'notice')", name="state"),
        CheckConstraint("severity in ('info', 'warning', 'critical')", name="severity"),
        Index("uq_alert_open", "connection_id", "cause", unique=True, postgresql_where=OPEN),
        Index("uq_alert_order", "connection_id", "cause", unique=True, postgresql_where=NEW_ORDERS),
        Index("ix_alert_untold", "connection_id", postgresql_where=UNTOLD),
        Index("ix_alert_latest", "connection_id", "state", "id"),
        Index("ix_alert_new_orders", "connection_id", "first_at", postgresql_where=NEW_ORDERS),
    )
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    source_id: Mapped[str] = mapped_column(server_default=SOURCE_ID, unique=True)
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
    gone_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None]
    looked_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    told_state: Mapped[str | None]
    told_count: Mapped[int] = mapped_column(server_default="0")
    tellings: Mapped[int] = mapped_column(server_default="0")
    closed_at: Mapped[datetime | None]


class AlertMessage(Base):
    """One telling of an alert to one channel, and what became of it."""

    __tablename__ = "alert_message"
    __table_args__ = (
        CheckConstraint("state in ('due', 'sent', 'failed')", name="state"),
        Index("ix_alert_message_due", "due_at", postgresql_where=DUE),
        Index("ix_alert_message_alert", "alert_id"),
    )
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    alert_id: Mapped[int] = mapped_column(ForeignKey("alert.id"))
    connection_id: Mapped[int] = mapped_column(ForeignKey("connection.id"))
    what: Mapped[str]
    channel: Mapped[str]
    severity: Mapped[str]
    title: Mapped[str]
    body: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="due")
    attempts: Mapped[int] = mapped_column(server_default="0")
    due_at: Mapped[datetime] = mapped_column(server_default=NOW)
    error: Mapped[str | None]
    made_at: Mapped[datetime] = mapped_column(server_default=NOW)
    sent_at: Mapped[datetime | None]
