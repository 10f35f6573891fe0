"""Finding rows of ours in Halo, in one of the ways a tenant offers, and reading them by id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syncline.calls.calls import ApiCalls
from syncline.calls.context import Line
from syncline.calls.halo_queries import asked, counting
from syncline.halo.capabilities import Capabilities, FindWay
from syncline.halo.matching import reference
from syncline.halo.sql.finding import LookupResult, RowLookup
from syncline.sending.targets import Target
from syncline.transport import Permit


def find(
    line: Line, api: ApiCalls, target: Target, way: FindWay, references: Sequence[str]
) -> LookupResult:
    """Look for all references; absence is only reported where the answers prove it.

    Raises:
        SynclineError: a call failed; nothing is concluded.
    """
    lookup = RowLookup(way, target.name, references)
    while (query := lookup.pending()) is not None:
        take(line, lookup, asked(line, api, query))
    return lookup.found()


def take(line: Line, lookup: RowLookup, document: Any) -> None:
    """Take the answer to a look-up's call, and count what was nonsense in it."""
    with counting(line):
        lookup.take(document)


def is_one_a_call(target: Target, known: Capabilities) -> bool:
    """Whether each reference that is looked for is a call of its own."""
    return known.find_way(target.name) in {FindWay.LINK, FindWay.SEARCH}


def read_row(line: Line, api: ApiCalls, target: Target, row_id: int) -> dict[str, Any]:
    """One row of Halo by its id.

    Raises:
        Absent: there is none.
    """

    def make(permit: Permit) -> dict[str, Any]:
        return target.reads(line.halo, permit, row_id).raw

    return api.read(f"GET {target.path}/id", make)


def readable_id(target: Target, target_id: str) -> int | None:
    """The id by which a row can be read; None where it has none."""
    is_id = not target.resource.within and target_id.isdecimal() and int(target_id) > 0
    return int(target_id) if is_id else None


def reference_on(line: Line, api: ApiCalls, target: Target, row_id: int) -> str:
    """What a row of Halo holds where our reference stands, as it is compared.

    Raises:
        Absent: there is no such row.
    """
    return reference(read_row(line, api, target, row_id), target.key)
