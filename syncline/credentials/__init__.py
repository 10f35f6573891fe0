"""Tokens and secrets: stored encrypted, renewed in time, rotated."""
