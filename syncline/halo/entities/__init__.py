"""Halo's entities: one table of resources, and what is done with any of them."""
