"""The shared budget of calls of one API key."""
