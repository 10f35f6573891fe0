"""The process that takes in webhooks."""
