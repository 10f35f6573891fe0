"""The two shapes of reading that all payments resources share: a page, and one by its id."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from syncline.errors import SynclineError, UnknownName, Unreadable
from syncline.highlevel.client import HighLevelClient
from syncline.highlevel.models import Model, Page, page, parse
from syncline.transport import Permit

_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")


def list_page(
    client: HighLevelClient,
    permit: Permit,
    path: str,
    model: type[Model],
    filters: Mapping[str, str | int | date | None],
) -> Page[Model]:
    """One page of a list, with the filters that are not None.

    Raises:
        Unreadable: if the answer is no page.
    """
    params = {name: str(value) for name, value in filters.items() if value is not None}
    received = client.call("GET", path, permit=permit, params=params)
    try:
        return page(model, received.document, received.headers)
    except SynclineError as error:
        error.call_id = permit.call_id
        raise


def read_one(
    client: HighLevelClient, permit: Permit, path: str, model: type[Model], record_id: str
) -> dict[str, Any]:
    """One record as it came, checked to be the one that was asked for and readable.

    Raises:
        UnknownName: if `record_id` cannot be an id; nothing is sent then.
        Unreadable: if the answer is not that record.
    """
    if not _ID.fullmatch(record_id):
        raise UnknownName(
            f"{record_id!r:.80} is not an id of HighLevel.",
            remedy="Copy the id from HighLevel, without spaces or a link around it.",
        )
    document = client.call("GET", f"{path}/{record_id}", permit=permit).document
    try:
        found = parse(model, document, path)
        if found.id != record_id:
            raise Unreadable(
                f"HighLevel was asked for {path}/{record_id} and gave {found.id}.",
                remedy="Check the base URL of the HighLevel API in the settings.",
            )
    except SynclineError as error:
        error.call_id = permit.call_id
        raise
    return document
