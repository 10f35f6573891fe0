"""How a sandbox outlives a restart: what its state is, and the files that hold it."""
