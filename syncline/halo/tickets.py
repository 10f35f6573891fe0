"""Tickets in Halo: one function an operation, and how a tenant keeps them.

Source: /Tickets with schema Faults; POST takes an array, an element with `id` updates, and answers
201. /TicketType, /Status?type=ticket. Ids of types and statuses differ from tenant to tenant. Of
the fields that may carry a reference, Faults_List shows `supplier_reference` and
`third_party_id_string`, and not `client_reference`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from syncline.halo.answers import elements
from syncline.halo.client import HaloClient
from syncline.halo.models import HaloRow, Text, Whole
from syncline.halo.reading import read_one
from syncline.halo.saving import save
from syncline.transport import Permit

PATH = "/Tickets"
KEY = "supplier_reference"
"""The field that carries our reference: lists show and search it, reports have a column of it."""
KEY_BESIDES = "third_party_id_string"
"""Carries it too, for other programs at the tenant: some look up tickets by it."""


class TicketRow(HaloRow):
    """A ticket."""

    status_id: Whole = None
    dateclosed: Text = ""


class NamedRow(HaloRow):
    """A type or a status of tickets."""

    name: Text = ""


def save_tickets(
    client: HaloClient, permit: Permit, elements_: Sequence[Mapping[str, Any]]
) -> list[TicketRow]:
    """Create or update tickets; match the rows by `KEY`, never by position.

    Raises:
        Doubtful: the outcome is unknown.
        Rejected: Halo refused; of an array, some elements may have been saved before.
    """
    return save(client, permit, PATH, elements_, TicketRow)


def get_ticket(client: HaloClient, permit: Permit, ticket_id: int) -> TicketRow:
    """One ticket.

    Raises:
        Absent: there is no such ticket.
        Unreadable: the answer is not one ticket.
    """
    return read_one(client, permit, PATH, ticket_id, TicketRow)


def list_types(client: HaloClient, permit: Permit) -> list[NamedRow]:
    """The types of tickets."""
    return NamedRow.all_of(elements(client.get("/TicketType", {}, permit).document))


def list_statuses(client: HaloClient, permit: Permit) -> list[NamedRow]:
    """The statuses of tickets."""
    received = client.get("/Status", {"type": "ticket"}, permit)
    return NamedRow.all_of(elements(received.document))
