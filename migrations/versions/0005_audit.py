"""Chains of seals over the audit log, and what proves the versions of a record."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

NOW = sa.text("clock_timestamp()")


def upgrade() -> None:
    op.add_column("change", sa.Column("fingerprint", sa.LargeBinary(), nullable=True))
    op.add_column("record", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_audit_entry_at", "audit_entry", ["at", "id"])
    op.create_table(
        "sealing",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.Column("swept_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_sealing")),
    )
    op.create_table(
        "chain",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("length", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("anchored_length", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("anchored_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_chain")),
    )
    op.create_table(
        "seal",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.Column("entry_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rule", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=True),
        sa.Column("personal", sa.LargeBinary(), nullable=True),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("erased_by", sa.BigInteger(), nullable=True),
        sa.Column("sealed_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("chain", "position", name=op.f("pk_seal")),
        sa.UniqueConstraint("source", "entry_id", name=op.f("uq_seal_entry")),
    )
    op.create_index("ix_seal_at", "seal", ["chain", "entry_at"])
    op.create_index(
        "ix_seal_erased", "seal", ["erased_by"], postgresql_where=sa.text("erased_by is not null")
    )
