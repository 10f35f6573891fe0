"""Money: transactions by what they pay for; under which rules a connection's records were owed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("connection", sa.Column("owed_under", sa.Text(), nullable=True))
    op.create_index(
        "ix_record_entity",
        "record",
        [sa.text("(canonical ->> 'entity_id')")],
        postgresql_where=sa.text("kind = 'transaction'"),
    )
