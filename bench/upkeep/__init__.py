"""What an installation costs and holds by itself."""
