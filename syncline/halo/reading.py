"""Reading one row of Halo by its id."""

from __future__ import annotations

from typing import TypeVar

from syncline.errors import Unreadable
from syncline.halo.answers import elements
from syncline.halo.client import HaloClient
from syncline.halo.models import HaloRow
from syncline.transport import Permit

Row = TypeVar("Row", bound=HaloRow)


def read_one(client: HaloClient, permit: Permit, path: str, row_id: int, model: type[Row]) -> Row:
    """One row with its details.

    Raises:
        Absent: there is no such row.
        Unreadable: the answer is not one row.
    """
    received = client.get(f"{path}/{row_id}", {"includedetails": "true"}, permit)
    found = elements(received.document)
    if len(found) != 1:
        raise Unreadable(f"Halo answered with {len(found)} rows for {path}/{row_id}.")
    return model.of(found[0])
