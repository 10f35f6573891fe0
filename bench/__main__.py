"""Run one timing: `python -m bench NAME [--json]`.

Names are the modules of the packages here that have a `run`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Annotated, Any, cast

import typer
from rich.console import Console
from rich.table import Table

import bench

Progress = Callable[[str], None]
Run = Callable[..., dict[str, Any]]


def main(
    name: Annotated[str, typer.Argument(help="What to time, such as `quota`.")],
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object as the last line.")
    ] = False,
    orders: Annotated[
        int | None, typer.Option(min=1, help="How many orders, where a timing lets that be said.")
    ] = None,
    entries: Annotated[
        int | None, typer.Option(min=1, help="How many entries, where a timing lets that be said.")
    ] = None,
    seconds: Annotated[
        int | None, typer.Option(min=1, help="How long, where a timing lets that be said.")
    ] = None,
    records: Annotated[
        int | None, typer.Option(min=1, help="How many records, where a timing lets that be said.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="What chance begins with, where a timing lets that be said.")
    ] = None,
) -> None:
    """Run one timing and print its figures.

    Example: python -m bench quota --json
    """
    run = _find(name)
    if run is None:
        typer.echo(f"There is no timing called {name}. See bench/ for their names.", err=True)
        raise typer.Exit(2)
    given = {"orders": orders, "entries": entries, "seconds": seconds}
    given |= {"records": records, "seed": seed}
    wanted = {name: value for name, value in given.items() if value is not None}
    figures = run(lambda line: print(line, file=sys.stderr, flush=True), **wanted)
    _print_table(name, figures)
    if as_json:
        print(json.dumps(figures), flush=True)


def _find(name: str) -> Run | None:
    if not name.isidentifier():
        return None
    for package in iter_modules(bench.__path__, "bench."):
        if package.ispkg and find_spec(f"{package.name}.{name}") is not None:
            run = getattr(import_module(f"{package.name}.{name}"), "run", None)
            return cast("Run | None", run)
    return None


def _print_table(name: str, figures: dict[str, Any]) -> None:
    table = Table("figure", "value", title=f"bench {name}")
    for path, value in _flat(figures):
        table.add_row(path, f"{value:.3f}" if isinstance(value, float) else str(value))
    Console().print(table)


def _flat(figures: dict[str, Any], path: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, value in figures.items():
        rows += _flat(value, f"{path}{key} ") if isinstance(value, dict) else [(path + key, value)]
    return rows


if __name__ == "__main__":
    typer.run(main)
