"""Tickets, their types, statuses and priorities: what a write must hold, and whom it would mail.

Source: field names by the published schemas of Faults, RequestType, TStatus and Policy; that a
ticket type may ask for fields, that priorities go by GUID and tickets hold their number, that a
removed ticket can be brought back by `_recover`, was seen live by others. Lists show what
Faults_List names. Guesses: ids and names of types and statuses, that `search=` looks into summary
and details, that only an order to send no acknowledgement keeps Halo from mailing the ticket's
user, that a change of status fires automations as a new ticket does.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

from syncline.sandbox.halo.resources.fields import plain
from syncline.sandbox.halo.tenant import auth
from syncline.sandbox.halo.tenant.catalogue import (
    ORDER_STATUSES,
    PRIORITIES,
    TICKET_STATUSES_BY_PROFILE,
    TICKET_TABLE,
    TICKET_TYPES_BY_PROFILE,
)
from syncline.sandbox.halo.tenant.store import UNKNOWN_CLIENT, Row
from syncline.sandbox.halo.tenant.tenant import RefusalError, Tenant
from syncline.sandbox.location.forms import normalised
from syncline.sandbox.wire.faults import AnswerDial
from syncline.sandbox.wire.service import Reply, Request

TICKET_AREAS = frozenset({"tickets"})
"""The scope of actions as well, as seen live by others."""

TICKET_DETAILS = frozenset(
    {
        *("details", "details_html", "customfields", "client_reference", "reference"),
        *("datecreated", "deleted", "ccaddress", "alsoinform", "contract_id", "closure_note"),
    }
)
"""What only the ticket itself shows."""

_NEW_TICKET: Row = {
    "summary": "",
    "details": "",
    "client_reference": "",
    "supplier_reference": "",
    "third_party_id_string": "",
    "agent_id": 1,
    "team": "1st Line Support",
    "user_id": 0,
    "priority_id": 3,
    "category_1": "",
    "hasbeenclosed": False,
    "dateclosed": None,
    "customfields": [],
}
_SENT_TO = ("user_email", "emailtolist", "emailcclist", "alsoinform", "ccaddress")
_ALWAYS_MAILED = ("createacknowledgement", "send_remoteinvite", "invite_emaillist")


def priorities(tenant: Tenant, request: Request, parts: list[str], _dial: AnswerDial) -> Reply:
    """Answer a call of /Priority.

    Raises:
        RefusalError: 401 or 403 for its token, 405 for all but reading the list.
    """
    auth.permit(tenant, request, TICKET_AREAS, verb="read")
    if len(parts) > 1 or request.method != "GET":
        raise RefusalError(
            405, {"Message": f"The resource does not support method '{request.method}'."}
        )
    return Reply(200, list(PRIORITIES))


def type_shown(tenant: Tenant, row: Row, _query: Mapping[str, str]) -> bool:
    """Whether a ticket type is one of this tenant's."""
    return row["id"] in TICKET_TYPES_BY_PROFILE[tenant.config.profile]


def status_shown(tenant: Tenant, row: Row, query: Mapping[str, str]) -> bool:
    """Whether a list of statuses shows one: those of tickets, or else those of sales orders."""
    if query.get("type", "").lower() != "ticket":
        return row["id"] in ORDER_STATUSES
    if query.get("excludeclosed", "").lower() == "true" and tenant.profile.filters_tickets:
        return (
            row["id"] != closed_status(tenant)
            and row["id"] in TICKET_STATUSES_BY_PROFILE[tenant.config.profile]
        )
    return row["id"] in TICKET_STATUSES_BY_PROFILE[tenant.config.profile]


def ticket_shown(tenant: Tenant, row: Row, query: Mapping[str, str]) -> bool:
    """Whether a list shows a ticket, by the filters that are no field of it."""
    reference = query.get("client_ref", "").strip().casefold()
    heeded = tenant.profile.filters_tickets
    if reference and heeded and row["client_reference"].casefold() != reference:
        return False
    sought = query.get("search_supplier_reference", "").strip().casefold()
    if sought not in row["supplier_reference"].casefold() and tenant.profile.searches_orders:
        return False
    wanted_type = query.get("requesttype_id")
    if wanted_type and heeded and str(row["tickettype_id"]) != wanted_type:
        return False
    closed = row["status_id"] == closed_status(tenant)
    if query.get("open_only", "").lower() == "true" and closed:
        return False
    return not (query.get("closed_only", "").lower() == "true" and not closed)


def closed_status(tenant: Tenant) -> int:
    """The status of tickets that are closed: the last one of the tenant's."""
    return max(TICKET_STATUSES_BY_PROFILE[tenant.config.profile])


def check_ticket(tenant: Tenant, posted: Row) -> None:
    """Refuse what the rules and the ticket's type refuse.

    Raises:
        RefusalError: 400 with the rule's text.
    """
    store, ticket_id = tenant.store, posted.get("id")
    if ticket_id and posted.get("_recover") and ticket_id in store.deleted_tickets:
        return
    if ticket_id and ticket_id not in store.tickets:
        raise RefusalError(400, f"Ticket {ticket_id} does not exist.")
    wanted = {**store.tickets.get(ticket_id or 0, {}), **_given(posted)}
    if not wanted.get("summary"):
        raise RefusalError(400, "A Summary is required.")
    if wanted.get("client_id", UNKNOWN_CLIENT) not in store.clients:
        raise RefusalError(400, "Please select a valid Customer for this Ticket.")
    _check_references(tenant, posted)
    for field in _type_of(tenant, wanted)["fields"]:
        if not wanted.get(field["fieldname"]):
            raise RefusalError(400, f"{field['fieldname']} is a required field.")


def save_ticket(tenant: Tenant, posted: Row) -> Row:
    """Create, update or bring back a ticket that passed the check."""
    store = tenant.store
    ticket_id = posted.get("id") or store.next_id("Tickets")
    before = store.tickets.get(ticket_id) or store.deleted_tickets.get(ticket_id)
    now = tenant.stamp()
    row: Row = {**(before or {**_NEW_TICKET, "datecreated": now, "dateoccurred": now})}
    row |= plain(_given(posted))
    kind = _type_of(tenant, row)
    row |= {"id": ticket_id, "tickettype_id": kind["id"], "tickettype_name": kind["name"]}
    _name(tenant, row)
    moved = _set_status(tenant, row, row.get("status_id") or kind["initial_status"], before)
    row["deleted"] = False
    store_ticket(tenant, row)
    tenant.link(TICKET_TABLE, ticket_id, posted.get("new_external_link"))
    if before is None:
        _mail(tenant, row, posted)
    if before is None or moved:
        tenant.created("Tickets", ticket_id, posted)
    return row


def edit_ticket(tenant: Tenant, ticket_id: int, posted: Row) -> Row:
    """What a person does in Halo's own screens."""
    return save_ticket(tenant, {**posted, "id": ticket_id, "_dont_fire_automations": True})


def store_ticket(tenant: Tenant, row: Row) -> None:
    """Put a ticket's new version in, changed now."""
    row["last_update"] = tenant.stamp()
    tenant.store.deleted_tickets.pop(row["id"], None)
    tenant.store.tickets[row["id"]] = row
    tenant.store.touch("Tickets", row["id"], row["last_update"])


def move_ticket(tenant: Tenant, ticket_id: int, status_id: int) -> bool:
    """Give a ticket another status; returns whether it had another one.

    Raises:
        RefusalError: 400 for a status that the tenant's tickets do not have.
    """
    if status_id not in TICKET_STATUSES_BY_PROFILE[tenant.config.profile]:
        raise RefusalError(400, f"Status {status_id} does not exist.")
    row = dict(tenant.store.tickets[ticket_id])
    moved = _set_status(tenant, row, status_id, row.copy())
    store_ticket(tenant, row)
    return moved


def removed_ticket(tenant: Tenant, row: Row) -> None:
    """Keep a removed ticket: reports still show it, marked, and it can be brought back."""
    tenant.store.deleted_tickets[row["id"]] = {
        **row,
        "deleted": True,
        "last_update": tenant.stamp(),
    }


def gets_mail(tenant: Tenant, user_id: int) -> bool:
    """Whether Halo would mail this user at all."""
    user = tenant.store.users.get(user_id, {})
    return bool(normalised(user.get("emailaddress"))) and not user.get("neversendemails")


def _check_references(tenant: Tenant, posted: Row) -> None:
    """Refuse what a ticket names and this tenant does not have."""
    store = tenant.store
    known: tuple[tuple[str, str, Container[int]], ...] = (
        ("site_id", "Site", store.sites),
        ("user_id", "User", store.users),
        ("status_id", "Status", TICKET_STATUSES_BY_PROFILE[tenant.config.profile]),
        ("priority_id", "Priority", {row["priorityid"] for row in PRIORITIES}),
    )
    for name, what, ids in known:
        if posted.get(name) and posted[name] not in ids:
            raise RefusalError(400, f"The selected {what} does not exist.")


def _given(posted: Row) -> Row:
    return {key: value for key, value in posted.items() if value is not None}


def _type_of(tenant: Tenant, ticket: Row) -> Row:
    """A ticket's type, the tenant's first one where it names none."""
    types = TICKET_TYPES_BY_PROFILE[tenant.config.profile]
    type_id = ticket.get("tickettype_id") or min(types)
    if type_id not in types:
        raise RefusalError(400, f"Ticket Type {type_id} does not exist.")
    return types[type_id]


def _name(tenant: Tenant, row: Row) -> None:
    """Client and site follow the user, the names stand beside the ids."""
    store = tenant.store
    user = store.users.get(row["user_id"])
    if user is not None and not row.get("client_id"):
        row |= {"client_id": user["client_id"], "site_id": user["site_id"]}
    row["client_id"] = row.get("client_id") or UNKNOWN_CLIENT
    client = store.clients[row["client_id"]]
    row["client_name"] = client["name"]
    row["site_id"] = row.get("site_id") or client["main_site_id"] or 0
    row["site_name"] = store.sites[row["site_id"]]["name"] if row["site_id"] else ""
    row["user_name"] = user["name"] if user else ""


def _set_status(tenant: Tenant, row: Row, status_id: int, before: Row | None) -> bool:
    """Set the status with what hangs on it; returns whether a standing ticket's changed."""
    row["status_id"] = status_id
    row["status_name"] = TICKET_STATUSES_BY_PROFILE[tenant.config.profile][status_id]["name"]
    moved = before is not None and before["status_id"] != status_id
    if status_id == closed_status(tenant):
        row["hasbeenclosed"] = True
        row["dateclosed"] = row["dateclosed"] or tenant.stamp()
    else:
        row["dateclosed"] = None
    return moved


def _mail(tenant: Tenant, row: Row, posted: Row) -> None:
    """Note what a new ticket mails: its user and whoever is named, unless that was forbidden."""
    wishes = [wish for wish in _ALWAYS_MAILED if posted.get(wish)]
    if posted.get("sendack") is not False:
        wishes += [f"{name}, and sendack was not false" for name in _SENT_TO if posted.get(name)]
        user = tenant.store.users.get(row["user_id"], {})
        if gets_mail(tenant, row["user_id"]) and not user.get("dontackemails"):
            wishes.append("the user's e-mail address, and sendack was not false")
    for wish in wishes:
        tenant.happened("mailed", "Tickets", row["id"], wish)
