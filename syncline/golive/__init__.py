"""What must be green before real customers' rows are written, and the switch."""
