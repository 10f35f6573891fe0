"""Halo's webhooks, their notifications and deliveries."""
