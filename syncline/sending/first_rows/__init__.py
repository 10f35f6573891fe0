"""The first row of a kind, while no way finds it again and others wait for it."""
