"""Halo's API: its facts in one place."""
