"""Alerts: one open one for each cause, and what channels are told of it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"

NOW = sa.text("clock_timestamp()")
SOURCE_ID = sa.text("'alert-' || left(replace(cast(gen_random_uuid() as text), '-', ''), 16)")


def upgrade() -> None:
    op.create_table(
        "alert",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source_id", sa.Text(), server_default=SOURCE_ID, nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("detail", JSONB(), nullable=False),
        sa.Column("count", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("gone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_state", sa.Text(), nullable=True),
        sa.Column("told_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("tellings", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state in ('open', 'closed', 'notice')", name=op.f("ck_alert_state")),
        sa.CheckConstraint(
            "severity in ('info', 'warning', 'critical')", name=op.f("ck_alert_severity")
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_alert_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
        sa.UniqueConstraint("source_id", name=op.f("uq_alert_source_id")),
    )
    for name, where in (("open", "state = 'open'"), ("order", "kind = 'new_order'")):
        op.create_index(
            f"uq_alert_{name}",
            "alert",
            ["connection_id", "cause"],
            unique=True,
            postgresql_where=sa.text(where),
        )
    op.create_index(
        "ix_alert_untold",
        "alert",
        ["connection_id"],
        postgresql_where=sa.text("told_state is distinct from state"),
    )
    op.create_index("ix_alert_latest", "alert", ["connection_id", "state", "id"])
    op.create_index(
        "ix_alert_new_orders",
        "alert",
        ["connection_id", "first_at"],
        postgresql_where=sa.text("kind = 'new_order'"),
    )
    _messages()


def _messages() -> None:
    op.create_table(
        "alert_message",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("alert_id", sa.BigInteger(), nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="due", nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state in ('due', 'sent', 'failed')", name=op.f("ck_alert_message_state")
        ),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"], name=op.f("fk_alert_message_alert_id")),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_alert_message_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_message")),
    )
    op.create_index(
        "ix_alert_message_due",
        "alert_message",
        ["due_at"],
        postgresql_where=sa.text("state = 'due'"),
    )
    op.create_index("ix_alert_message_alert", "alert_message", ["alert_id"])
