"""HighLevel's webhook events: their bodies, signatures and sending."""
