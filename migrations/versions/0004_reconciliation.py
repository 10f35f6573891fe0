"""Runs of reconciliation, and the differences they find."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"

NOW = sa.text("clock_timestamp()")


def upgrade() -> None:
    op.create_table(
        "reconciliation",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.Date(), nullable=False),
        sa.Column("last", sa.Date(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("sample", sa.BigInteger(), nullable=True),
        sa.Column("seed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("state", sa.Text(), server_default="running", nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("owner", sa.Uuid(), nullable=True),
        sa.Column("progress", JSONB(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("calls", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("found", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("certificate", JSONB(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("mode in ('full', 'sampled')", name=op.f("ck_reconciliation_mode")),
        sa.CheckConstraint(
            "state in ('running', 'done', 'failed')", name=op.f("ck_reconciliation_state")
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_reconciliation_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation")),
    )
    op.create_index("ix_reconciliation_latest", "reconciliation", ["connection_id", "id"])
    op.create_index(
        "uq_reconciliation_running",
        "reconciliation",
        ["connection_id"],
        unique=True,
        postgresql_where=sa.text("state = 'running'"),
    )
    _rows()
    _discrepancies()
    op.create_index("ix_record_created", "record", ["place", "kind", "created_at"])


def _rows() -> None:
    op.create_table(
        "reconciliation_row",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("projection", JSONB(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "kind", "id", name=op.f("pk_reconciliation_row")),
        prefixes=["UNLOGGED"],
    )
    op.create_index(
        "ix_reconciliation_row_reference", "reconciliation_row", ["run_id", "kind", "reference"]
    )


def _discrepancies() -> None:
    op.create_table(
        "discrepancy",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=False),
        sa.Column("found_by", sa.BigInteger(), nullable=False),
        sa.Column("seen_by", sa.BigInteger(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("source_kind", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("target_id", sa.Text(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("ours", sa.Text(), nullable=True),
        sa.Column("theirs", sa.Text(), nullable=True),
        sa.Column("delivered", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("found_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state in ('open', 'applied', 'accepted', 'marked', 'healed')",
            name=op.f("ck_discrepancy_state"),
        ),
        *(
            sa.ForeignKeyConstraint([name], [to], name=op.f(f"fk_discrepancy_{name}"))
            for name, to in (
                ("connection_id", "connection.id"),
                ("found_by", "reconciliation.id"),
                ("seen_by", "reconciliation.id"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_discrepancy")),
    )
    op.create_index(
        "uq_discrepancy_open",
        "discrepancy",
        ["connection_id", "flow", "source_id", "role", "cause", "field"],
        unique=True,
        postgresql_where=sa.text("closed_at is null"),
    )
    op.create_index("ix_discrepancy_source", "discrepancy", ["source_id"])
    op.create_index("ix_discrepancy_latest", "discrepancy", ["connection_id", "state", "id"])
