"""Timings by command, never in tests."""
