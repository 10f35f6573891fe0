"""Switches of the mode with their certificates, and what was accepted or dumped before them."""

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
        sa.CheckConstraint(
            "what in ('switch', 'back', 'accept', 'dump')", name=op.f("ck_golive_what")
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_golive_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_golive")),
    )
    op.create_index("ix_golive_latest", "golive", ["connection_id", "what", "id"])
    op.add_column("connection", sa.Column("owed_live_under", sa.Text(), nullable=True))
    name = op.f("ck_connection_state")
    op.drop_constraint(name, "connection", type_="check")
    op.create_check_constraint(name, "connection", "state in ('active', 'stopped', 'rehearsing')")
