"""Events of both sides, what of them is missed, and credentials that are renewed."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

NOW = sa.text("clock_timestamp()")


def moment(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=NOW, nullable=False)


def upgrade() -> None:
    op.add_column(
        "location", sa.Column("auth", sa.Text(), server_default="private", nullable=False)
    )
    op.create_check_constraint(op.f("ck_location_auth"), "location", "auth in ('private', 'oauth')")
    op.add_column("location", sa.Column("company_id", sa.Text(), nullable=True))
    op.add_column("location", sa.Column("account", sa.Text(), nullable=True))
    op.add_column("location", sa.Column("events_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("credential", moment("sealed_at"))
    op.execute("update credential set sealed_at = updated_at")
    op.create_index(
        "ix_record_parcels",
        "record",
        ["place"],
        postgresql_where=sa.text(
            "kind = 'order' and canonical ->> 'fulfillment_status' "
            "not in ('unfulfilled', 'fulfilled')"
        ),
    )
    op.add_column(
        "delivery", sa.Column("urgent", sa.Boolean(), server_default="false", nullable=False)
    )
    op.create_index(
        "ix_delivery_row",
        "delivery",
        ["tenant_id", "target", "target_id"],
        postgresql_where=sa.text("target_id is not null"),
    )
    op.create_index(
        "ix_delivery_urgent",
        "delivery",
        ["connection_id", "target", "due_at"],
        postgresql_where=sa.text("urgent and state = 'due'"),
    )
    _events()
    op.create_table(
        "expected",
        sa.Column("location_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("foreign_id", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        moment("found_at"),
        sa.Column("came_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["location_id"], ["location.id"], name=op.f("fk_expected_location_id")
        ),
        sa.PrimaryKeyConstraint(
            "location_id", "kind", "foreign_id", "updated_at", name=op.f("pk_expected")
        ),
    )
    op.create_index("ix_expected_found", "expected", ["location_id", "found_at"])


def _events() -> None:
    op.create_table(
        "event",
        moment("at"),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("location_id", sa.Text(), nullable=True),
        sa.Column("connection_id", sa.BigInteger(), nullable=True),
        sa.Column("webhook_id", sa.Text(), nullable=True),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="new", nullable=False),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("foreign_id", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state in ('new', 'done', 'ignored', 'parked')", name=op.f("ck_event_state")
        ),
        sa.PrimaryKeyConstraint("at", "id", name=op.f("pk_event")),
        postgresql_partition_by="RANGE (at)",
    )
    op.execute("create table event_other partition of event default")
    op.create_index("ix_event_new", "event", ["id"], postgresql_where=sa.text("state = 'new'"))
    op.create_index(
        "ix_event_place",
        "event",
        ["source", "location_id", "connection_id", "id"],
        postgresql_where=sa.text("state = 'new'"),
    )
    op.create_index(
        "ix_event_record",
        "event",
        ["foreign_id", "kind"],
        postgresql_where=sa.text("kind is not null"),
    )
    op.create_table(
        "event_seen",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("webhook_id", sa.Text(), nullable=False),
        moment("seen_at"),
        sa.PrimaryKeyConstraint("source", "webhook_id", name=op.f("pk_event_seen")),
    )
    op.create_index("ix_event_seen_at", "event_seen", ["seen_at"])
