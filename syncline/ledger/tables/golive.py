"""The table of going live: each check and each switch, with what was green."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from syncline.ledger.tables.base import NOW, Base


class Golive(Base):
    """One check of a connection, or one switch of its mode, with the certificate of what was so."""

    __tablename__ = "golive"
    __table_args__ = (
        CheckConstraint("what in ('check', 'switch', 'back')", name="what"),
        Index("ix_golive_latest", "connection_id", "id"),
    )
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connection.id"))
    what: Mapped[str]
    by: Mapped[str]
    certificate: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(server_default=NOW)
