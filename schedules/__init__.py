"""What runs when, as data."""
