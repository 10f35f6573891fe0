"""The shapes the ledger has had, in order."""
