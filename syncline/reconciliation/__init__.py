"""Compares both sides with what Halo holds now, and certifies the result."""
