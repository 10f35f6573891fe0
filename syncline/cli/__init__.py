"""The command line: a file a noun. `workers/commands.py` adds what starts or enqueues."""
