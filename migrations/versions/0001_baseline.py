"""The ledger of the first version. Those before it had the revisions 0001 to 0007."""

from alembic import op

from syncline.ledger.migrate import schema

revision = "0001_baseline"
down_revision = None


def upgrade() -> None:
    op.get_bind().exec_driver_sql(schema())
