"""What a reconciliation reads of both sides, at a small share of their quota, and keeps for now."""
