"""What is read of HighLevel by its id, and how each such reading ends."""
