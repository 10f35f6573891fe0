"""Finding rows of ours in Halo, call by call, in one of the ways a tenant offers."""

from __future__ import annotations

from collections.abc import Sequence

from syncline.halo.abilities import FindWay
from syncline.halo.sql.finding import Found, Lookup
from syncline.halo.sql.queries import Query, ask
from syncline.steps.gate import Gate
from syncline.steps.parts import Line
from syncline.steps.targets import Target
from syncline.transport import Permit


def find(line: Line, gate: Gate, target: Target, way: FindWay, references: Sequence[str]) -> Found:
    """Look for all references; absence is only reported where the answers prove it.

    Raises:
        SynclineError: a call failed; nothing is concluded.
    """
    lookup = Lookup(way, target.name, references)
    while (query := lookup.pending()) is not None:
        lookup.take(_asked(line, gate, query))
    return lookup.found()


def _asked(line: Line, gate: Gate, query: Query) -> object:
    def make(permit: Permit) -> object:
        return ask(line.halo, permit, query)

    return gate.read(f"{query.method} {query.path}", make)
