"""Alerts of what is read and compared: pulls, polls and reconciliation."""
