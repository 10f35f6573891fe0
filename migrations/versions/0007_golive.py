"""Checks before going live, and switches of the mode."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"

NOW = sa.text("clock_timestamp()")


def upgrade() -> None:
    op.create_table(
        "golive",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("certificate", JSONB(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint("what in ('check', 'switch', 'back')", name=op.f("ck_golive_what")),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_golive_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_golive")),
    )
    op.create_index("ix_golive_latest", "golive", ["connection_id", "id"])
