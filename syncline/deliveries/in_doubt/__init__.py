"""Deliveries whose outcome is unknown: which of them are sent again, and when."""
