"""HighLevel's payments API, written from its published documents."""
