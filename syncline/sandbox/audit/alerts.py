"""The verdict on what was told in Halo: does every alert stand there once?

A reference of ours stands in a ticket's `supplier_reference` or `third_party_id_string`, in an
action's `outcome`, in the `entity_name` of an integration error, or in an external link of a ticket
or an action.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from syncline.sandbox.audit.rows import links_by_row
from syncline.sandbox.halo.tenant.catalogue import ACTION_TABLE, TICKET_TABLE
from syncline.sandbox.halo.tenant.store import HaloStore

_SHOWN = 20
_REFERENCE = "alert-"
"""What we told of carries this before the id of what it tells."""


def audit_alerts(halo: HaloStore) -> dict[str, Any]:
    """Count what was told, and name what was told twice.

    Returns:
        `tickets`, and of these `open`; `actions`; `integration_errors`; `doubled`, up to 20
        references (without what all have in front) that stand in several rows of one kind, of
        actions on one ticket, with the kind; `clean` if there is none. What was deleted does not
        count.
    """
    tickets = halo.tickets.values()
    doubled = [told for told, times in sorted(Counter(_told(halo)).items()) if times > 1]
    return {
        "tickets": len(tickets),
        "open": sum(row["dateclosed"] is None for row in tickets),
        "actions": len(halo.actions),
        "integration_errors": len(halo.integration_errors),
        "doubled": doubled[:_SHOWN],
        "clean": not doubled,
    }


def _told(halo: HaloStore) -> Iterator[str]:
    """Where each reference of ours stands, once a row."""
    of_tickets = links_by_row(halo, TICKET_TABLE)
    for row in halo.tickets.values():
        named = _references(
            row["supplier_reference"],
            row["third_party_id_string"],
            *_linked(of_tickets, row["id"]),
        )
        yield from (f"Tickets {one}" for one in sorted(named))
    of_actions = links_by_row(halo, ACTION_TABLE)
    for row in halo.actions.values():
        named = _references(row["outcome"], *_linked(of_actions, row["action_systemid"]))
        yield from (f"Actions of {row['ticket_id']} {one}" for one in named)
    for row in halo.integration_errors.values():
        yield from (f"IntegrationError {one}" for one in _references(row["entity_name"]))


def _references(*texts: Any) -> set[str]:
    ours = (str(text) for text in texts if text and str(text).startswith(_REFERENCE))
    return {text.removeprefix(_REFERENCE) for text in ours}


def _linked(links: Mapping[int, set[str]], row_id: int) -> set[str]:
    return links.get(row_id, set())
