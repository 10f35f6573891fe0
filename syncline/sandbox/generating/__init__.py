"""A location's documents, made from a seed."""
