"""The tables that seal the audit log: chains, one seal for each entry, and how far the sealer is.

What is sealed stands where it is written: effects in `audit_entry`, changes in `change`.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from syncline.ledger.tables.base import NOW, Base


class Sealing(Base):
    """How far one source of entries is sealed: all up to this time and id, but for stragglers."""

    __tablename__ = "sealing"
    source: Mapped[str] = mapped_column(primary_key=True)
    until: Mapped[datetime]
    entry_id: Mapped[int]
    swept_at: Mapped[datetime | None]


class Chain(Base):
    """One chain of seals: how far it goes, and how far its heads were anchored outside.

    `connection:<id>` holds the effects of a connection and what was decided about it,
    `location:<id>` and `tenant:<id>` the changes of their records.
    """

    __tablename__ = "chain"
    name: Mapped[str] = mapped_column(primary_key=True)
    length: Mapped[int] = mapped_column(server_default="0")
    head: Mapped[bytes]
    anchored_length: Mapped[int] = mapped_column(server_default="0")
    anchored_at: Mapped[datetime | None]


class Seal(Base):
    """One sealed entry: the digest of its content, and the head of the chain after it.

    `rule` says by which rule its fields were split; `personal` is the salted digest of its personal
    ones. Without the salt nobody can tell what they held; `erased_by` is the entry of the erasure
    that took both.
    """

    __tablename__ = "seal"
    __table_args__ = (
        UniqueConstraint("source", "entry_id", name="uq_seal_entry"),
        Index("ix_seal_at", "chain", "entry_at"),
        Index("ix_seal_erased", "erased_by", postgresql_where=text("erased_by is not null")),
    )
    chain: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str]
    entry_id: Mapped[int]
    entry_at: Mapped[datetime]
    rule: Mapped[int]
    digest: Mapped[bytes]
    salt: Mapped[bytes | None]
    personal: Mapped[bytes | None]
    head: Mapped[bytes]
    erased_by: Mapped[int | None]
    sealed_at: Mapped[datetime] = mapped_column(server_default=NOW)
