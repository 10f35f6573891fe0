"""HaloPSA's API, written from its published documents: one tenant."""
