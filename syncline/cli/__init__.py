"""The command line: a file a noun. `workers/console/main.py` names them all."""
