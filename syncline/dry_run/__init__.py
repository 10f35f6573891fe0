"""Shows the calls that would be made now, and makes none."""
