"""The state machine of deliveries: every statement that moves one, and what the moves need."""
