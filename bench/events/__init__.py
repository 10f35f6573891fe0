"""Webhooks: how many a second, and that none is lost."""
