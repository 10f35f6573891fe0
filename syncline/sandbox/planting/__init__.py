"""Rows put into Halo as another tool would have made them, for adoption."""
