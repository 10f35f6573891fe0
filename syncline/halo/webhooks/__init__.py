"""Halo's webhooks: set up at a tenant, let in, and read for hints."""
