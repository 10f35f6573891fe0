"""Erases one person from the ledger, and drops what is kept for long enough."""
