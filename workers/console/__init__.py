"""The console entry, and the commands that start processes or publish tasks."""
