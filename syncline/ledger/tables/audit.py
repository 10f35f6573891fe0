"""The tables that seal the audit log: chains, and one seal for each entry.

What is sealed stands where it is written: effects in `audit_entry`, changes in `change`.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from syncline.ledger.tables.base import NOW, Base


class Chain(Base):
    """One chain of seals: how far it goes, and where its head was anchored outside last."""

    __tablename__ = "chain"
    name: Mapped[str] = mapped_column(primary_key=True)
    length: Mapped[int] = mapped_column(server_default="0")
    head: Mapped[bytes]
    sealed_until: Mapped[datetime]
    anchored_length: Mapped[int] = mapped_column(server_default="0")
    anchored_at: Mapped[datetime | None]


class Seal(Base):
    """One sealed entry: the digest of its content, and the head of the chain after it.

    `personal` is the salted digest of its personal fields; without the salt nobody can tell what
    they held.
    """

    __tablename__ = "seal"
    __table_args__ = (
        UniqueConstraint("source", "entry_id", "chain", name="uq_seal_entry"),
        Index("ix_seal_at", "chain", "entry_at"),
    )
    chain: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str]
    entry_id: Mapped[int]
    entry_at: Mapped[datetime]
    digest: Mapped[bytes]
    salt: Mapped[bytes | None]
    personal: Mapped[bytes | None]
    head: Mapped[bytes]
    sealed_at: Mapped[datetime] = mapped_column(server_default=NOW)
