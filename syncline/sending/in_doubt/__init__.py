"""What becomes of a delivery in doubt, by the row that was found for it or that an answer named."""
