"""Connects a HighLevel location to a Halo tenant: add, check, probe, start, stop."""
