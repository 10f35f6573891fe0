"""Thin Celery tasks, a file a purpose."""
