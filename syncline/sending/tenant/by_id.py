"""Rows of a tenant read by their ids, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from syncline.calls.calls import ApiCalls
from syncline.calls.context import Line
from syncline.errors import Absent, MissingScope, Rejected, SynclineError, Unreadable
from syncline.halo.entities.resources import AnyResource
from syncline.halo.entities.rows import read_row
from syncline.halo.models import HaloRow
from syncline.transport import Permit

Row = HaloRow | SynclineError
"""A row that was read, or why it could not be."""

NOT_SHOWN = (Absent, MissingScope, Rejected, Unreadable)
"""How a tenant says that it does not show a row in the way that was tried."""


def by_id(
    line: Line, api: ApiCalls, resource: AnyResource, rows: Mapping[int, HaloRow]
) -> dict[int, Row]:
    """Rows as they are kept, under the keys that they come with.

    As far as there is quota; those for which there is none are left out.
    """
    left, found = list(rows), dict[int, Row]()
    while left:
        makes = [_reader(line, resource, rows[key].id) for key in left]
        try:
            outcomes = api.read_many([f"GET {resource.path}/id"] * len(makes), makes)
        except SynclineError:
            break
        for key, outcome in zip(left, outcomes, strict=False):
            row: HaloRow = outcome.result  # type: ignore[assignment]  # what the reader gives
            found[key] = row if outcome.error is None else outcome.error
        left = left[len(outcomes) :]
    return found


def _reader(line: Line, resource: AnyResource, row_id: int) -> Callable[[Permit], HaloRow]:
    return lambda permit: read_row(line.halo, permit, resource, row_id)
