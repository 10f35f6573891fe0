"""Reads HighLevel: pulls, readings by id, and what each new version asks for."""
