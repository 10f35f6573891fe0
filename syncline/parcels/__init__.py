"""Tells tracking numbers of parcels from other numbers: carriers, forms, check digits."""
