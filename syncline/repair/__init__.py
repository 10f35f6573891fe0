"""Decides about differences and parked rows: repair, accept, mark."""
