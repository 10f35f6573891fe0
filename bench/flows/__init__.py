"""Records, events and goods through a whole installation."""
