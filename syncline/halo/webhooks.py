"""Webhooks that Halo sends, what they are bound to, and the log of what was sent.

Source: /Webhook with schema Webhook, whose `events` is ignored on POST; /Notification with schema
UnameNotification, which binds one event; /Lookup with list 64, the events there are; /WebhookEvent,
the log. Ids of webhooks and of log entries are UUIDs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import SecretStr

from syncline.errors import Doubtful, Unreadable
from syncline.halo.answers import elements, listing
from syncline.halo.client import HaloClient
from syncline.halo.hints import entity_named
from syncline.halo.models import HaloRow, LookupRow, NotificationRow, WebhookEventRow, WebhookRow
from syncline.halo.paging import PageWalk
from syncline.halo.saving import save
from syncline.halo.webhook_events import WANTED, BindableEvent
from syncline.transport import Permit

Row = TypeVar("Row", bound=HaloRow)

PATH, NOTIFICATION_PATH = "/Webhook", "/Notification"
LOOKUP_PATH, LOG_PATH = "/Lookup", "/WebhookEvent"

_EVENTS_LOOKUP = "64"
POST, BASIC = 0, 1
"""How our webhook is sent: its method and kind of authentication, by Halo's numbers."""

_OUTBOUND = 0
_TO_A_WEBHOOK = {"type": -2, "delivery_method": 6}
# Nothing has changed when one of these happens.
_IDLE = re.compile(r"reminder|overdue|approv|viewed|e-?mail|print", re.IGNORECASE)
_TWIN = re.compile(r"\s*[-(]\s*(all|assigned|mine|my team|team)\b[^)]*\)?\s*$", re.IGNORECASE)
_ALL = "all"


def webhook_body(
    name: str, url: str, username: str, password: SecretStr, *, webhook_id: str | None
) -> dict[str, Any]:
    """What makes a webhook, or with an id puts it right: JSON by POST, with Basic credentials.

    The kind of its payload is left as it is: no published field holds the text of a payload of
    one's own, and every documented kind says which row to read.
    """
    known = {} if webhook_id is None else {"id": webhook_id}
    return known | {
        "name": name,
        "type": _OUTBOUND,
        "url": url,
        "method": POST,
        "content_type": "application/json",
        "active": True,
        "authentication_type": BASIC,
        "basic_username": username,
        "basic_password": password.get_secret_value(),
    }


def list_webhooks(client: HaloClient, permit: Permit) -> list[WebhookRow]:
    """All webhooks of the tenant that it sends, with whatever the list shows of them.

    Raises:
        MissingScope: our application may not see them.
        Unreadable: the answer is no list of webhooks.
    """
    received = client.get(PATH, {"type": str(_OUTBOUND)}, permit)
    rows = WebhookRow.all_of(listing(received.document, "webhooks").rows)
    return [row for row in rows if row.type in {None, _OUTBOUND}]


def get_webhook(client: HaloClient, permit: Permit, webhook_id: str) -> WebhookRow:
    """One webhook with its details.

    Raises:
        Absent: there is no such webhook.
        Unreadable: the answer is not one webhook.
    """
    received = client.get(f"{PATH}/{webhook_id}", {"includedetails": "true"}, permit)
    found = elements(received.document)
    if len(found) != 1:
        raise Unreadable(f"Halo answered with {len(found)} rows for one webhook.")
    return WebhookRow.of(found[0])


def save_webhook(client: HaloClient, permit: Permit, body: dict[str, Any]) -> WebhookRow:
    """Create or update one webhook, of a `webhook_body`.

    Raises:
        Doubtful: the outcome is unknown.
        MissingScope: our application may not.
        Rejected: Halo refused.
    """
    return _only(save(client, permit, PATH, [body], WebhookRow), PATH, permit)


def delete_webhook(client: HaloClient, permit: Permit, webhook_id: str) -> None:
    """Remove a webhook.

    Raises:
        Absent: there is no such webhook.
        Doubtful: the outcome is unknown.
    """
    client.delete(f"{PATH}/{webhook_id}", permit)


def list_bindings(client: HaloClient, permit: Permit, webhook_id: str) -> list[NotificationRow]:
    """What a webhook is bound to; filtered here too, as an unknown filter is ignored.

    Raises:
        Unreadable: the answer is no list.
    """
    received = client.get(NOTIFICATION_PATH, {"webhook_id": webhook_id}, permit)
    rows = NotificationRow.all_of(listing(received.document, "notifications").rows)
    return [row for row in rows if row.webhook_id.lower() == webhook_id.lower()]


def bind_event(
    client: HaloClient, permit: Permit, webhook_id: str, event: BindableEvent, name: str
) -> NotificationRow:
    """Bind one event to a webhook.

    The guid is null: one that is given overwrites the row that has it.

    Raises:
        Doubtful: the outcome is unknown.
        Rejected: Halo refused.
    """
    body = {
        "guid": None,
        "name": name,
        "eventno": event.number,
        "webhook_id": webhook_id,
        **_TO_A_WEBHOOK,
    }
    rows = save(client, permit, NOTIFICATION_PATH, [body], NotificationRow)
    return _only(rows, NOTIFICATION_PATH, permit)


def delete_binding(client: HaloClient, permit: Permit, row: NotificationRow) -> None:
    """Take a binding away.

    Raises:
        Absent: there is no such binding.
        Doubtful: the outcome is unknown.
    """
    client.delete(f"{NOTIFICATION_PATH}/{row.guid if row.id is None else row.id}", permit)


def list_bindable_events(client: HaloClient, permit: Permit) -> list[LookupRow]:
    """All events of this tenant by number and name: they differ from tenant to tenant.

    Raises:
        Unreadable: the answer is no list.
    """
    received = client.get(LOOKUP_PATH, {"lookupid": _EVENTS_LOOKUP}, permit)
    return LookupRow.all_of(listing(received.document, "lookup").rows)


def fitting_events(rows: Iterable[LookupRow]) -> list[BindableEvent]:
    """Those that tell of what we want to hear of; of twins the one for all, which alone fires."""
    chosen: dict[str, tuple[str, BindableEvent]] = {}
    for row in rows:
        entity = entity_named(row.name)
        if entity not in WANTED or _IDLE.search(row.name):
            continue
        twin = _TWIN.search(row.name)
        kind = "" if twin is None else twin[1].lower()
        if kind not in {"", _ALL}:
            continue
        plain = _TWIN.sub("", row.name).casefold()
        if plain not in chosen or (kind == _ALL and chosen[plain][0] != _ALL):
            chosen[plain] = kind, BindableEvent(row.id, row.name, entity)
    return sorted((event for _, event in chosen.values()), key=lambda event: event.number)


def log_walk(webhook_id: str) -> PageWalk:
    """A walk over what Halo tried to send by a webhook, newest first where it keeps the order."""
    params = {"webhook_id": webhook_id, "order": "timestamp", "orderdesc": "true"}
    return PageWalk(params)


def list_log_page(client: HaloClient, permit: Permit, walk: PageWalk) -> list[WebhookEventRow]:
    """The next page of a `log_walk`: the entries not seen before.

    Raises:
        Unreadable: the answer is no list.
    """
    params = walk.pending()
    if params is None:
        return []
    received = client.get(LOG_PATH, params, permit)
    return WebhookEventRow.all_of(walk.take(received.document))


def _only(rows: list[Row], path: str, permit: Permit) -> Row:
    if len(rows) != 1:
        raise Doubtful(
            f"Halo answered POST {path} of one element with {len(rows)}.",
            remedy="It is looked up before it is sent again.",
            call_id=permit.call_id,
        )
    return rows[0]
