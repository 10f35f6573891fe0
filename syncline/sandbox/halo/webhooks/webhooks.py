"""Webhooks of the emulated Halo, the log of their deliveries, and what both are bound by.

Source: field names by the published schemas of Webhook and WebhookEvent; that `events[]` is dropped
without a word, that an url must be one and a name the only one, was seen live by others. That the
log comes oldest first unless told otherwise, its list key and what its `status` means are guesses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from syncline.sandbox.halo.resources import fields
from syncline.sandbox.halo.resources.entity import Writing
from syncline.sandbox.halo.resources.lists import page_of
from syncline.sandbox.halo.resources.saving import save
from syncline.sandbox.halo.tenant import auth
from syncline.sandbox.halo.tenant.store import Row
from syncline.sandbox.halo.tenant.tenant import RefusalError, Tenant
from syncline.sandbox.halo.webhooks.notifications import (
    TO_A_WEBHOOK,
    check_notification,
    find_notification,
    lookup,
    numbers_of_ours,
    save_notification,
)
from syncline.sandbox.wire.faults import AnswerDial
from syncline.sandbox.wire.service import Reply, Request

BASIC = 1
"""The kind of authentication that sends a user's name and a password."""

_ADMIN = frozenset({"admin"})
_SECRETS = ("basic_username", "basic_password")
_NEW_WEBHOOK: Row = {
    "name": "",
    "type": 0,
    "method": 0,
    "content_type": "application/json",
    "authentication_type": 0,
    "active": True,
    "custom_payload": False,
    "payload_type": 0,
    "mappings": [],
}


@dataclass(frozen=True, slots=True)
class _Resource:
    """One path of what webhooks are made of.

    Attributes:
        name: as in the path.
        listed: the answer to a list call.
        one: the row that a path names.
        whole: a row as it is answered.
        writing: None where it can only be read.
        remove: takes a row away; None where none can be.
    """

    name: str
    listed: Callable[[Tenant, Mapping[str, str]], Any]
    one: Callable[[Tenant, str], Row] | None = None
    whole: Callable[[Tenant, Row], Row] = lambda _tenant, row: row
    writing: Writing | None = None
    remove: Callable[[Tenant, Row], None] | None = None


def answer(tenant: Tenant, request: Request, parts: list[str], dial: AnswerDial) -> Reply:
    """Answer a call of one of `NAMES`; what webhooks are made of is for administrators.

    Raises:
        RefusalError: for whatever cannot be done.
    """
    resource = _RESOURCES[parts[0].lower()]
    verb = "read" if request.method == "GET" else "edit"
    areas = frozenset[str]() if resource.name == "Lookup" else _ADMIN
    auth.permit(tenant, request, areas, verb=verb)
    if areas and not tenant.config.webhooks_allowed:
        raise RefusalError(403, {"Message": "You do not have permission to perform this action."})
    if len(parts) == 2:
        return _answer_one(tenant, resource, parts[1], request)
    if request.method == "GET":
        return Reply(200, resource.listed(tenant, request.query))
    if request.method == "POST" and resource.writing is not None:
        return save(
            tenant, resource.writing, lambda row: resource.whole(tenant, row), request, dial
        )
    raise _not_supported(request)


def bind_everything(tenant: Tenant, url: str, username: str, password: str) -> Row:
    """Make a webhook and bind it to everything that ever happens, as a person would in Halo.

    Raises:
        RefusalError: 400 for an url that is none.
    """
    posted: Row = {
        "name": f"By hand to {url}",
        "url": url,
        "authentication_type": BASIC if username else 0,
        "basic_username": username,
        "basic_password": password,
    }
    _check_webhook(tenant, posted)
    webhook = _save_webhook(tenant, posted)
    for eventno in numbers_of_ours(tenant.config.profile):
        binding = {"eventno": eventno, "webhook_id": webhook["id"]}
        save_notification(tenant, {"type": -2, "delivery_method": TO_A_WEBHOOK, **binding})
    return webhook


def _answer_one(tenant: Tenant, resource: _Resource, named: str, request: Request) -> Reply:
    if resource.one is None or request.method not in ("GET", "DELETE"):
        raise _not_supported(request)
    row = resource.one(tenant, named)
    if request.method == "GET":
        return Reply(200, resource.whole(tenant, row))
    if resource.remove is None:
        raise _not_supported(request)
    resource.remove(tenant, row)
    return Reply(200, {})


def _not_supported(request: Request) -> RefusalError:
    return RefusalError(
        405, {"Message": f"The resource does not support method '{request.method}'."}
    )


def _check_webhook(tenant: Tenant, posted: Row) -> None:
    """Refuse an url that is none, a name that another webhook has, an update of none there."""
    standing: Row = _find_webhook(tenant, posted["id"]) if posted.get("id") else {}
    wanted = {**standing, **{key: value for key, value in posted.items() if value is not None}}
    place = urlsplit(wanted.get("url") or "")
    if place.scheme not in ("http", "https") or not place.hostname:
        raise RefusalError(400, "Please enter a valid URL")
    for other in tenant.store.webhooks.values():
        if other["id"] != standing.get("id") and other["name"] == wanted.get("name"):
            raise RefusalError(400, "Name must be unique")


def _save_webhook(tenant: Tenant, posted: Row) -> Row:
    standing = tenant.store.webhooks.get((posted.get("id") or "").lower())
    webhook_id = standing["id"] if standing else tenant.store.new_guid()
    given = {key: v for key, v in posted.items() if v is not None and key != "events"}
    row = {**(standing or _NEW_WEBHOOK), **given, "id": webhook_id}
    tenant.store.webhooks[webhook_id] = row
    return row


def _find_webhook(tenant: Tenant, named: str) -> Row:
    row = tenant.store.webhooks.get(named.lower())
    if row is None:
        raise RefusalError(404, {"Message": f"Webhook {named} was not found."})
    return row


def _show_webhook(tenant: Tenant, row: Row) -> Row:
    """A webhook without its secrets, with what it is bound to."""
    bindings = _bindings(tenant, {"webhook_id": row["id"]})
    shown = {key: value for key, value in row.items() if key not in _SECRETS}
    return {**shown, "events": bindings}


def _list_webhooks(tenant: Tenant, query: Mapping[str, str]) -> list[Row]:
    """The webhooks without their bindings, of one type where one is asked for."""
    rows = (_show_webhook(tenant, row) for row in tenant.store.webhooks.values())
    wanted = query.get("type")
    return [
        {key: value for key, value in row.items() if key != "events"}
        for row in rows
        if not wanted or str(row["type"]) == wanted
    ]


def _remove_webhook(tenant: Tenant, row: Row) -> None:
    del tenant.store.webhooks[row["id"]]
    for binding in _bindings(tenant, {"webhook_id": row["id"]}):
        del tenant.store.notifications[binding["guid"]]


def _bindings(tenant: Tenant, query: Mapping[str, str]) -> list[Row]:
    """The notifications, those of one webhook where one is asked for."""
    wanted = query.get("webhook_id", "").lower()
    rows = tenant.store.notifications.values()
    return [row for row in rows if not wanted or row["webhook_id"] == wanted]


def _remove_binding(tenant: Tenant, row: Row) -> None:
    del tenant.store.notifications[row["guid"]]


def _list_deliveries(tenant: Tenant, query: Mapping[str, str]) -> Row:
    wanted = query.get("webhook_id", "").lower()
    rows = [row for row in tenant.store.deliveries if not wanted or row["webhook_id"] == wanted]
    if query.get("order") == "timestamp" and query.get("orderdesc", "").lower() == "true":
        rows.reverse()
    return page_of(rows, query, "webhookevents")


def _find_delivery(tenant: Tenant, named: str) -> Row:
    for row in tenant.store.deliveries:
        if row["id"] == named.lower():
            return row
    raise RefusalError(404, {"Message": f"WebhookEvent {named} was not found."})


_RESOURCES = {
    resource.name.lower(): resource
    for resource in (
        _Resource(
            "Webhook",
            _list_webhooks,
            _find_webhook,
            _show_webhook,
            Writing(fields.WEBHOOK, _check_webhook, _save_webhook),
            _remove_webhook,
        ),
        _Resource(
            "Notification",
            _bindings,
            find_notification,
            writing=Writing(fields.NOTIFICATION, check_notification, save_notification),
            remove=_remove_binding,
        ),
        _Resource("WebhookEvent", _list_deliveries, _find_delivery),
        _Resource("Lookup", lambda tenant, query: lookup(tenant, query.get("lookupid"))),
    )
}
NAMES = {name: resource.name for name, resource in _RESOURCES.items()}
"""Path in lower case → as it is written."""
