"""Texts where columns have lengths: cut, and kept whole in a note."""
