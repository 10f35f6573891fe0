"""What all resources share: ids in a path, parts of an answer, what was made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from syncline import leniency
from syncline.errors import Doubtful, SynclineError, UnknownName, Unreadable
from syncline.highlevel.models import Part, is_id
from syncline.strangers import LOOK_UP
from syncline.transport import Permit

SomePart = TypeVar("SomePart", bound=Part)

_OK = 200


def checked_id(record_id: str) -> str:
    """The id, as it may stand in a path.

    Raises:
        UnknownName: if it cannot be an id.
    """
    if not is_id(record_id):
        raise UnknownName(
            f"{record_id!r:.80} is not an id of HighLevel.",
            remedy="Copy the id from HighLevel, without spaces or a link around it.",
        )
    return record_id


def each(found: object, what: str) -> list[Any]:
    """The elements of an array, which may be one object where only one is there.

    Raises:
        Unreadable: if it is neither.
    """
    if isinstance(found, list):
        return found
    if isinstance(found, dict):
        return [found]
    raise Unreadable(
        f"HighLevel's answer holds no {what}.",
        remedy="Check the base URL and the version of the HighLevel API in the settings.",
    )


def read_part(model: type[SomePart], found: object, what: str) -> SomePart:
    """One part of an answer.

    Raises:
        Unreadable: naming the indispensable fields that are nonsense.
    """
    return leniency.read(model, found, what, "Look at it in HighLevel.")[0]


def read_made(model: type[SomePart], found: object, what: str) -> SomePart:
    """What a write made, from its answer.

    Raises:
        Doubtful: it cannot be read, so that nobody knows what was made.
    """
    try:
        return read_part(model, found, what)
    except Unreadable as error:
        raise Doubtful(error.what, remedy=LOOK_UP, status=_OK) from None


@contextmanager
def naming(permit: Permit) -> Iterator[None]:
    """Put the id of the call on what its answer raises."""
    try:
        yield
    except SynclineError as error:
        error.call_id = permit.call_id
        raise
