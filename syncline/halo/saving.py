"""Saving an array and reading what Halo says it saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from syncline.errors import Doubtful, Unreadable
from syncline.halo.answers import elements
from syncline.halo.client import HaloClient
from syncline.halo.models import HaloRow
from syncline.transport import Permit

Row = TypeVar("Row", bound=HaloRow)


def save(
    client: HaloClient,
    permit: Permit,
    path: str,
    sent: Sequence[Mapping[str, Any]],
    model: type[Row],
) -> list[Row]:
    """Post elements; the rows come as Halo gave them: fewer, more, in any order.

    Raises:
        Doubtful: also where Halo reports success but its answer cannot be read.
    """
    received = client.post(path, sent, permit)
    try:
        return model.all_of(elements(received.document))
    except Unreadable as error:
        raise Doubtful(
            f"Halo took POST {path}, but what it saved cannot be read: {error.what}",
            remedy="It is looked up before it is sent again.",
            status=received.status,
            call_id=permit.call_id,
        ) from error
