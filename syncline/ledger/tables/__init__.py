"""Every table of the ledger: models that say their shape, for Alembic and for whoever reads."""

from syncline.ledger.tables import alerts, audit, golive, reconciliation, spine
from syncline.ledger.tables.base import Base

__all__ = ["Base", "alerts", "audit", "golive", "reconciliation", "spine"]
