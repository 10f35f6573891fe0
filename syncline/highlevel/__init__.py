"""HighLevel's API: its facts in one place."""
