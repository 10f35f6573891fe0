"""The table of going live: each switch of the mode, and what people did for it before."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from syncline.ledger.tables.base import NOW, Base


class Golive(Base):
    """A step towards going live, and who made it.

    `what` is a switch to live, or back, whose certificate holds each line of the check as it was;
    the acceptance of a line that is not green, with the reason; or a dump of the ledger.
    """

    __tablename__ = "golive"
    __table_args__ = (
        CheckConstraint("what in ('switch', 'back', 'accept', 'dump')", name="what"),
        Index("ix_golive_latest", "connection_id", "what", "id"),
    )
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connection.id"))
    what: Mapped[str]
    by: Mapped[str]
    certificate: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(server_default=NOW)
