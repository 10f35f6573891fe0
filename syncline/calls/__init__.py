"""The context of a worker, and the one way to call an API: through the quota."""
