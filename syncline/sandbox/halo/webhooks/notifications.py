"""Notifications: the events there are, and what a webhook is bound to.

Source: seen live by others: `events[]` of a webhook binds nothing, a notification does; the events
stand in lookup 64, about 205 of them, most with a twin for all that alone fires; 3 is a new ticket.
The names and numbers of all others are nowhere shown and are our guess; they differ by tenant.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from syncline.sandbox.halo.tenant.store import Row
from syncline.sandbox.halo.tenant.tenant import RefusalError, Tenant

EVENTS_LOOKUP = "64"
TO_A_WEBHOOK = 6
"""The delivery method of a notification that a webhook sends."""

_NEW_TICKET = 3
_FIRST_NUMBER = {"generous": 11, "plain": 11, "awkward": 611}
_SUBJECTS = (
    "Ticket", "Opportunity", "Project", "Change Request", "Asset", "Agreement", "Quotation",
    "Purchase Order", "Supplier", "Item", "Appointment", "Timesheet", "Article", "User",
    "Release", "Survey",
)  # fmt: skip
_HAPPENINGS = ("Created", "Updated", "Closed", "Assigned", "Awaiting Approval", "Reminder")
_OURS = {
    ("SalesOrder", True): "New Sales Order",
    ("SalesOrder", False): "Sales Order Updated",
    ("Invoice", True): "New Invoice",
    ("Invoice", False): "Invoice Updated",
    ("InvoicePayment", True): "New Invoice Payment",
    ("InvoicePayment", False): "Invoice Payment Updated",
    ("Consignment", True): "New Consignment",
    ("Consignment", False): "Consignment Updated",
}
_ALL = " - All"


@cache
def events(profile: str) -> dict[int, str]:
    """The events of a tenant by number; a plain one has none of orders, invoices, consignments."""
    names = [f"{subject} {what}" for subject in _SUBJECTS for what in _HAPPENINGS]
    if profile != "plain":
        names[50:50] = _OURS.values()
    every = [f"New Ticket Logged{_ALL}", *(twin for name in names for twin in (name, name + _ALL))]
    first = _FIRST_NUMBER[profile]
    return {_NEW_TICKET: "New Ticket Logged", **dict(enumerate(every, first))}


def number_of(profile: str, entity: str, *, new: bool) -> int | None:
    """The number of the event that fires when a row is made or changed, None where none does."""
    name = _OURS[entity, new] + _ALL
    return next((number for number, one in events(profile).items() if one == name), None)


def numbers_of_ours(profile: str) -> list[int]:
    """The numbers of all events that ever fire."""
    numbers = (number_of(profile, entity, new=new) for entity, new in _OURS)
    return [number for number in numbers if number is not None]


def lookup(tenant: Tenant, lookup_id: str | None) -> list[Row]:
    """The rows of one lookup; only that of the events holds any."""
    if lookup_id != EVENTS_LOOKUP:
        return []
    rows = events(tenant.config.profile).items()
    return [{"lookupid": int(EVENTS_LOOKUP), "id": number, "name": name} for number, name in rows]


def check_notification(tenant: Tenant, posted: Row) -> None:
    """Refuse a notification of no event that exists, or for no webhook that does.

    Raises:
        RefusalError: 400 with the rule's text.
    """
    wanted = {**(_standing(tenant, posted) or {}), **posted}
    if wanted.get("eventno") not in events(tenant.config.profile):
        raise RefusalError(400, "Please select a valid event.")
    if wanted.get("delivery_method") != TO_A_WEBHOOK:
        raise RefusalError(400, "Please select a valid delivery method.")
    if (wanted.get("webhook_id") or "").lower() not in tenant.store.webhooks:
        raise RefusalError(400, "Please select a valid webhook.")


def save_notification(tenant: Tenant, posted: Row) -> Row:
    """Create a notification; one that is posted with the guid of another takes its place."""
    standing = _standing(tenant, posted)
    guid = standing["guid"] if standing else (posted.get("guid") or tenant.store.new_guid()).lower()
    row_id = standing["id"] if standing else tenant.store.next_id("Notification")
    given = {key: value for key, value in posted.items() if value is not None}
    row: Row = {"type": 0, "name": "", **(standing or {}), **given, "guid": guid, "id": row_id}
    row["webhook_id"] = row["webhook_id"].lower()
    tenant.store.notifications[guid] = row
    return row


def find_notification(tenant: Tenant, named: str) -> Row:
    """The notification of a guid or a number.

    Raises:
        RefusalError: 404 for no such one.
    """
    for row in tenant.store.notifications.values():
        if named.lower() in (row["guid"], str(row["id"])):
            return row
    raise RefusalError(404, {"Message": f"Notification {named} was not found."})


def bound(tenant: Tenant, eventno: int) -> Iterator[tuple[Row, Row]]:
    """The notifications of an event and their webhooks, each webhook that is active once."""
    seen: set[str] = set()
    for notification in tenant.store.notifications.values():
        webhook = tenant.store.webhooks.get(notification["webhook_id"])
        if notification["eventno"] != eventno or webhook is None or webhook["id"] in seen:
            continue
        if webhook["active"] and not webhook.get("disabled"):
            seen.add(webhook["id"])
            yield notification, webhook


def _standing(tenant: Tenant, posted: Row) -> Row | None:
    """The row that a write updates, by its guid or its number."""
    if posted.get("guid"):
        return tenant.store.notifications.get(posted["guid"].lower())
    return find_notification(tenant, str(posted["id"])) if posted.get("id") else None
