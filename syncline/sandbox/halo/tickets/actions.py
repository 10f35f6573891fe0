"""Actions: the entries of a ticket, numbered within it, and whom a new one would mail.

Source: field names by the published schema of Actions. That ids are unique only within a ticket,
that a delete needs `ticket_id` and that a list without it times out was seen live by others.
Guesses: the newest comes first, a list that is not told how many gives 50, a status that an action
sets fires automations unless `dont_do_rules` is true.
"""

from __future__ import annotations

from typing import Any

from syncline.sandbox.halo.resources import columns
from syncline.sandbox.halo.resources.entity import Writing
from syncline.sandbox.halo.resources.fields import ACTION, plain
from syncline.sandbox.halo.resources.lists import page_of
from syncline.sandbox.halo.resources.saving import save
from syncline.sandbox.halo.tenant import auth
from syncline.sandbox.halo.tenant.catalogue import ACTION_TABLE
from syncline.sandbox.halo.tenant.store import Row
from syncline.sandbox.halo.tenant.tenant import RefusalError, Tenant
from syncline.sandbox.halo.tickets.tickets import TICKET_AREAS, gets_mail, move_ticket, store_ticket
from syncline.sandbox.wire.faults import AnswerDial
from syncline.sandbox.wire.service import Reply, Request

_DETAILS = frozenset({"note_html", "emailbody", "customfields"})
_NEW_ACTION: Row = {
    "outcome": "Private Note",
    "note": "",
    "hiddenfromuser": False,
    "important": False,
    "customfields": [],
}
_SENT_TO = ("emailto", "emailtonew", "emailcc", "emailccnew", "emailbcc", "emailbccnew")
_ALWAYS_MAILED = ("sendemail", "sendsms", "send_survey", "isBulkEmail")


def answer(tenant: Tenant, request: Request, parts: list[str], dial: AnswerDial) -> Reply:
    """Answer a call of /Actions or /Actions/{id}.

    Raises:
        RefusalError: for whatever cannot be done.
    """
    verb = "read" if request.method == "GET" else "edit"
    auth.permit(tenant, request, TICKET_AREAS, verb=verb)
    named = parts[1:]
    if not named and request.method == "GET":
        return Reply(200, _listed(tenant, request))
    if not named and request.method == "POST":
        return save(tenant, _WRITING, lambda row: _whole(tenant, row), request, dial)
    if named and named[0].isdecimal() and request.method in ("GET", "DELETE"):
        row = _found(tenant, request, int(named[0]))
        if request.method == "GET":
            detailed = request.query.get("includedetails", "").lower() == "true"
            return Reply(200, _whole(tenant, row) if detailed else _flat(row))
        _remove(tenant, row)
        return Reply(200, {})
    raise RefusalError(
        405, {"Message": f"The resource does not support method '{request.method}'."}
    )


def actions_of(tenant: Tenant, ticket_id: int) -> list[Row]:
    """The actions of one ticket, oldest first."""
    found = tenant.store.actions.having("ticket_id", ticket_id)
    return sorted(found, key=lambda row: row["id"])


def _listed(tenant: Tenant, request: Request) -> Any:
    ticket_id = request.query.get("ticket_id", "")
    if not ticket_id.isdecimal():
        raise RefusalError(504, {"Message": "The gateway did not receive a response in time."})
    newest = [_flat(row) for row in reversed(actions_of(tenant, int(ticket_id)))]
    return page_of(newest, request.query, "actions")


def _found(tenant: Tenant, request: Request, action_id: int) -> Row:
    ticket_id = request.query.get("ticket_id", "")
    if not ticket_id.isdecimal():
        raise RefusalError(400, "Please give the ticket_id of this Action.")
    row = _standing(tenant, int(ticket_id), action_id)
    if row is None:
        raise RefusalError(
            404, {"Message": f"Action {action_id} of ticket {ticket_id} was not found."}
        )
    return row


def _standing(tenant: Tenant, ticket_id: int, action_id: int) -> Row | None:
    rows = tenant.store.actions.having("ticket_id", ticket_id)
    return next((row for row in rows if row["id"] == action_id), None)


def _check(tenant: Tenant, posted: Row) -> None:
    """Refuse an action of no ticket that exists, and an update of none that is there."""
    ticket_id = posted.get("ticket_id") or 0
    if ticket_id not in tenant.store.tickets:
        raise RefusalError(400, f"Ticket {ticket_id} does not exist.")
    if posted.get("id") and _standing(tenant, ticket_id, posted["id"]) is None:
        raise RefusalError(400, f"Action {posted['id']} of ticket {ticket_id} does not exist.")


def _save(tenant: Tenant, posted: Row) -> Row:
    """Add an entry to a ticket, or change one; the ticket counts as changed."""
    store, ticket_id = tenant.store, posted["ticket_id"]
    standing = _standing(tenant, ticket_id, posted["id"]) if posted.get("id") else None
    row: Row = {**(standing or _fresh(tenant, ticket_id))}
    kept = ("id", "ticket_id", "action_systemid", "new_status")
    row |= plain(
        {key: value for key, value in posted.items() if value is not None and key not in kept}
    )
    row["last_updated"] = tenant.stamp()
    status_id = posted.get("new_status")
    if status_id:
        row["old_status"] = store.tickets[ticket_id]["status_id"]
        row["new_status"] = status_id
        if move_ticket(tenant, ticket_id, status_id) and posted.get("dont_do_rules") is not True:
            cause = "new_status, and dont_do_rules was not true"
            tenant.happened("automation", "Tickets", ticket_id, cause)
        row["new_status_name"] = store.tickets[ticket_id]["status_name"]
    else:
        store_ticket(tenant, {**store.tickets[ticket_id]})
    system_id = row["action_systemid"]
    store.actions[system_id] = row
    store.touch("Actions", system_id, row["last_updated"])
    tenant.link(ACTION_TABLE, system_id, posted.get("new_external_link"))
    if standing is None:
        _mail(tenant, row, posted)
    return row


def _fresh(tenant: Tenant, ticket_id: int) -> Row:
    now = tenant.stamp()
    return {
        **_NEW_ACTION,
        "id": tenant.store.next_id(f"Actions of {ticket_id}"),
        "ticket_id": ticket_id,
        "action_systemid": tenant.store.next_id("Actions"),
        "datetime": now,
        "actiondatecreated": now,
    }


def _mail(tenant: Tenant, row: Row, posted: Row) -> None:
    """Note what a new action sends: what it asks for, and what a visible one does unforbidden."""
    wishes = [wish for wish in _ALWAYS_MAILED if posted.get(wish)]
    open_to_mail = not wishes and posted.get("sendemail") is not False
    if open_to_mail and row["hiddenfromuser"] is not True:
        named = any(posted.get(name) for name in _SENT_TO)
        ticket = tenant.store.tickets[row["ticket_id"]]
        if named or gets_mail(tenant, ticket["user_id"]):
            wishes.append("neither hiddenfromuser nor sendemail forbade it")
    for wish in wishes:
        tenant.happened("mailed", "Actions", row["ticket_id"], wish)


def _remove(tenant: Tenant, row: Row) -> None:
    store, system_id = tenant.store, row["action_systemid"]
    del store.actions[system_id]
    store.drop_links_of(ACTION_TABLE, system_id)
    store.touch("Actions", system_id, tenant.stamp())


def _whole(tenant: Tenant, row: Row) -> Row:
    links = tenant.store.links_of(ACTION_TABLE, row["action_systemid"])
    return {**row, "external_links": links}


def _flat(row: Row) -> Row:
    return {key: value for key, value in row.items() if key not in _DETAILS}


_WRITING = Writing(ACTION, _check, _save, status=201, columns=columns.ACTION)
