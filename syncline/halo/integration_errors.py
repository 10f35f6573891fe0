"""Integration errors in Halo: the list in which its administrators look for failures.

Source: /IntegrationError with schema IntegrationError; texts are as long as the database's columns.
Whether a tenant takes and shows those of a module that is not its own is found out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from syncline.halo.client import HaloClient
from syncline.halo.models import HaloRow
from syncline.halo.reading import read_one
from syncline.halo.saving import save
from syncline.transport import Permit

PATH = "/IntegrationError"
KEY = "entity_name"
"""The field that carries our reference."""
MODULE: Final = 9001
"""Our number among the modules that errors are of; it is chosen to be none of Halo's own."""


def save_integration_errors(
    client: HaloClient, permit: Permit, elements_: Sequence[Mapping[str, Any]]
) -> list[HaloRow]:
    """Add errors; match the rows by `KEY`, never by position.

    Raises:
        Doubtful: the outcome is unknown.
        MissingScope: the tenant does not let us.
        Rejected: Halo refused.
    """
    return save(client, permit, PATH, elements_, HaloRow)


def get_integration_error(client: HaloClient, permit: Permit, error_id: int) -> HaloRow:
    """One error.

    Raises:
        Absent: there is no such row.
        Unreadable: the answer is not one row.
    """
    return read_one(client, permit, PATH, error_id, HaloRow)
