"""Webhooks of both sides: stored, handled, installed, and missed ones fetched."""
