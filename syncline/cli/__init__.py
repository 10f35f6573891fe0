"""The command line: a file a noun. `workers/commands.py` names them all."""
