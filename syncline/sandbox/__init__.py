"""Both APIs, emulated from their documents."""
