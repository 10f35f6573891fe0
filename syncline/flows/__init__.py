"""What each flow reads, writes and waits for; pure."""
