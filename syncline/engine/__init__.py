"""How claimed deliveries are worked on: rounds, the failure policy, and when a connection stops."""
