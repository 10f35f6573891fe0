"""Celery's own `worker`, `beat` and `flower`: `python -m workers.celery_process -A workers.app …`.

They take the options that `celery` takes. The program of that name imports all of its commands
first, a shell among them, which are 14 MB in every process that lasts; and it imports the app with
the working folder first among those where modules are looked for.
"""

from __future__ import annotations

import argparse
from importlib import import_module

from celery import Celery
from celery.bin.base import CLIContext


def main() -> None:
    """Become a worker, beat or Flower, without a banner: that is not a line of the log."""
    parser = argparse.ArgumentParser(prog="python -m workers.celery_process")
    parser.add_argument("-A", "--app", required=True)
    parser.add_argument("command", choices=["worker", "beat", "flower"])
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    asked = parser.parse_args()
    app: Celery = import_module(asked.app).app
    if asked.command == "flower":
        _become_flower(asked.app, asked.arguments)
    context = CLIContext(app=app, no_color=True, workdir=None, quiet=True)
    command = getattr(import_module(f"celery.bin.{asked.command}"), asked.command)
    command.main(args=asked.arguments, prog_name=f"celery {asked.command}", obj=context)


def _become_flower(app: str, arguments: list[str]) -> None:
    """It is a plug-in of the whole program, and finds the app imported already."""
    from celery.bin.celery import celery  # noqa: PLC0415 - the others do without its 14 MB

    celery.main(args=["--quiet", "-A", app, "flower", *arguments], prog_name="celery")


if __name__ == "__main__":
    main()
