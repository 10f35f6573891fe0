"""The HTTP server in front of the emulated services: it applies limits and faults to each call."""
