"""Rows that are not ours any more: how they are told, and what is read before it is written."""
