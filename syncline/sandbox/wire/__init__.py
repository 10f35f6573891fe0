"""What the emulated services and the server exchange: calls, their log, limits and faults."""
