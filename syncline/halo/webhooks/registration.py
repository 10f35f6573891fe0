"""Webhooks that Halo sends, what they are bound to, and the log of what was sent.

Source: schema Webhook, whose `events` is ignored on POST; UnameNotification binds one event; the
events that there are stand in the lookup with number 64.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pydantic import SecretStr

from syncline.halo.client import HaloClient
from syncline.halo.entities.resources import LOOKUP, NOTIFICATION, WEBHOOK, WEBHOOK_EVENT
from syncline.halo.entities.rows import MayBe, delete_row, list_legible, list_rows, save_row
from syncline.halo.models import LookupRow, NotificationRow, WebhookRow
from syncline.halo.paging import PageWalk
from syncline.halo.webhooks.bindable import WANTED, BindableEvent
from syncline.halo.webhooks.hints import entity_named
from syncline.transport import Permit

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


def list_webhooks(client: HaloClient, permit: Permit, sought: MayBe) -> list[WebhookRow]:
    """All webhooks of the tenant that it sends, with whatever the list shows of them.

    Raises:
        MissingScope: our application may not see them.
        Unreadable: the answer is no list of webhooks, or one that may be sought has no id.
    """
    rows = list_rows(client, permit, WEBHOOK, sought=sought)
    return [row for row in rows if row.type in {None, _OUTBOUND}]


def list_bindings(client: HaloClient, permit: Permit, webhook_id: str) -> list[NotificationRow]:
    """What a webhook is bound to; filtered here too, as an unknown filter is ignored.

    Raises:
        Unreadable: the answer is no list.
    """
    rows = list_rows(client, permit, NOTIFICATION, {"webhook_id": webhook_id})
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
    return save_row(client, permit, NOTIFICATION, body)


def delete_binding(client: HaloClient, permit: Permit, row: NotificationRow) -> None:
    """Take a binding away.

    Raises:
        Absent: there is no such binding.
        Doubtful: the outcome is unknown.
    """
    delete_row(client, permit, NOTIFICATION, row.guid if row.id is None else row.id)


def list_bindable_events(client: HaloClient, permit: Permit) -> list[LookupRow]:
    """All events of this tenant by number and name: they differ from tenant to tenant.

    Raises:
        Unreadable: the answer is no list.
    """
    return list_legible(client, permit, LOOKUP, {"lookupid": _EVENTS_LOOKUP})


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
    return PageWalk({"webhook_id": webhook_id, **WEBHOOK_EVENT.newest_first})
