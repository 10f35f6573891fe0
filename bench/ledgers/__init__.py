"""What a large ledger costs: its audit log, its past, its comparison with both sides."""
