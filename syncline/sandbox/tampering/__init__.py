"""Rows changed by hand on either side, for reconciliation."""
