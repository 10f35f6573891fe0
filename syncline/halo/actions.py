"""Actions in Halo: the entries of a ticket.

Source: /Actions with schema Actions; POST takes an array. Their ids are unique only within a
ticket, and a list without `ticket_id` does not end, as was seen live by others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from syncline.errors import Unreadable
from syncline.halo.client import HaloClient
from syncline.halo.models import HaloRow
from syncline.halo.saving import save
from syncline.transport import Permit

PATH = "/Actions"
KEY = "outcome"
"""The field that carries our reference: what stands above the note."""


def save_actions(
    client: HaloClient, permit: Permit, elements_: Sequence[Mapping[str, Any]]
) -> list[HaloRow]:
    """Add entries to tickets; match the rows by `KEY`, never by position or id.

    Raises:
        Doubtful: the outcome is unknown.
        Rejected: Halo refused; of an array, some elements may have been saved before.
    """
    return save(client, permit, PATH, elements_, HaloRow)


def get_action(_client: HaloClient, _permit: Permit, action_id: int) -> HaloRow:
    """No action is known by its id alone.

    Raises:
        Unreadable: always.
    """
    raise Unreadable(f"Action {action_id} can only be read among those of its ticket.")
