"""What all payments resources share: a page, one by its id, parts of an answer, what was made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any, TypeVar

from pydantic import ValidationError

from syncline.errors import Doubtful, SynclineError, UnknownName, Unreadable
from syncline.highlevel.answers import LOOK_UP
from syncline.highlevel.client import HighLevelClient
from syncline.highlevel.models import Model, Page, Part, page, parse, reasons
from syncline.transport import Permit

SomePart = TypeVar("SomePart", bound=Part)

_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")


def list_page(
    client: HighLevelClient,
    permit: Permit,
    path: str,
    model: type[Model],
    filters: Mapping[str, str | int | date | bool | None],
) -> Page[Model]:
    """One page of a list, with the filters that are not None.

    Raises:
        Unreadable: if the answer is no page.
    """
    params = {name: _text(value) for name, value in filters.items() if value is not None}
    received = client.call("GET", path, permit=permit, params=params)
    with naming(permit):
        return page(model, received.document, received.headers)


def read_one(
    client: HighLevelClient, permit: Permit, path: str, model: type[Model], record_id: str
) -> dict[str, Any]:
    """One record as it came, checked to be the one that was asked for and readable.

    Raises:
        UnknownName: if `record_id` cannot be an id; nothing is sent then.
        Unreadable: if the answer is not that record.
    """
    document = client.call("GET", f"{path}/{checked_id(record_id)}", permit=permit).document
    with naming(permit):
        found = parse(model, document, path)
        if found.id != record_id:
            raise Unreadable(
                f"HighLevel was asked for {path}/{record_id} and gave {found.id}.",
                remedy="Check the base URL of the HighLevel API in the settings.",
            )
    return document


def checked_id(record_id: str) -> str:
    """The id, as it may stand in a path.

    Raises:
        UnknownName: if it cannot be an id.
    """
    if not _ID.fullmatch(record_id):
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
        Unreadable: naming the fields that are nonsense.
    """
    try:
        return model.model_validate(found)
    except ValidationError as error:
        raise Unreadable(
            f"{what} cannot be read: {reasons(error)}.", remedy="Look at it in HighLevel."
        ) from None


def read_made(model: type[SomePart], found: object, what: str) -> SomePart:
    """What a write made, from its answer.

    Raises:
        Doubtful: it cannot be read, so that nobody knows what was made.
    """
    try:
        return read_part(model, found, what)
    except Unreadable as error:
        raise Doubtful(error.what, remedy=LOOK_UP) from None


@contextmanager
def naming(permit: Permit) -> Iterator[None]:
    """Put the id of the call on what its answer raises."""
    try:
        yield
    except SynclineError as error:
        error.call_id = permit.call_id
        raise


def _text(value: str | int | date | bool) -> str:  # noqa: FBT001 - a filter's value as it came
    return str(value).lower() if isinstance(value, bool) else str(value)
