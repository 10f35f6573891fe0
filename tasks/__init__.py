"""Thin Celery tasks, a file a purpose.

A task imports what does the work when it runs: all processes know all tasks by name, and hold only
what they have run.
"""
