"""Processes, and the one place where their context is put together."""
