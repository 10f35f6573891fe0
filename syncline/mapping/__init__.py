"""Mapping documents: loading, checking, applying."""
