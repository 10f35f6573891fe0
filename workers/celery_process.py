"""Celery's own `worker` and `beat`: `python -m workers.celery_process -A workers.app worker …`.

They take the options that `celery` takes. The program of that name imports all of its commands
first, a shell among them, which are 14 MB in every process that lasts.
"""

from __future__ import annotations

import argparse
from importlib import import_module

from celery.app.utils import find_app
from celery.bin.base import CLIContext


def main() -> None:
    """Become a worker or beat, without a banner: that is not a line of the log."""
    parser = argparse.ArgumentParser(prog="python -m workers.celery_process")
    parser.add_argument("-A", "--app", required=True)
    parser.add_argument("command", choices=["worker", "beat"])
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    asked = parser.parse_args()
    context = CLIContext(app=find_app(asked.app), no_color=True, workdir=None, quiet=True)
    command = getattr(import_module(f"celery.bin.{asked.command}"), asked.command)
    command.main(args=asked.arguments, prog_name=f"celery {asked.command}", obj=context)


if __name__ == "__main__":
    main()
