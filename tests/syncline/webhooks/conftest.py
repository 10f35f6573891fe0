"""A ledger with one connection and one living session."""

from __future__ import annotations

from tests.ledgers import ledger, link, session

__all__ = ["ledger", "link", "session"]
