"""Our webhook in Halo: made or put right, bound to what fits, shown, and taken away again.

How each write leaves, and what becomes of one without a clear answer, stands in `set_up.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from sqlalchemy import Connection

from syncline.calls.calls import ApiCalls, halo_calls
from syncline.calls.context import Line
from syncline.connections.set_up import SetUp
from syncline.errors import MissingScope
from syncline.halo.entities.resources import LOOKUP, NOTIFICATION, WEBHOOK
from syncline.halo.entities.rows import delete_row, read_row, save_row
from syncline.halo.models import NotificationRow, WebhookRow
from syncline.halo.webhooks import registration as webhooks
from syncline.halo.webhooks.authentication import InboundKey, InboundKeys
from syncline.halo.webhooks.bindable import WANTED, BindableEvent
from syncline.halo_changes.installed_webhook import bound, remember_bound
from syncline.ledger import capabilities
from syncline.queues import Lane
from syncline.webhooks.keys import inbound_keys, keep_inbound_keys

PATH = "/webhooks/halo"
"""Where the receiver takes Halo's webhooks, before the connection's name and the secret."""

_FLOW = "webhooks"

Fate = Literal["made", "repaired", "unchanged", "by hand"]


@dataclass(frozen=True, slots=True)
class InstalledWebhook:
    """What an installation came to, or with `dry_run` would come to.

    Attributes:
        url: where Halo sends to; its last part is a secret.
        key: what Halo sends with it; None: a dry run makes none.
        fate: what became of the webhook; `by hand`: our application may not touch it.
        why: Halo's refusal, where it refused.
        fitting: the tenant's events that tell of what we want to hear of.
        bound: those of them that were bound just now.
        missing: what no event tells of, so that polling goes on.
    """

    name: str
    url: str
    key: InboundKey | None
    fate: Fate
    why: str
    webhook_id: str | None
    fitting: tuple[BindableEvent, ...]
    bound: tuple[BindableEvent, ...]
    missing: tuple[str, ...]
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """A webhook of ours as Halo shows it now; `active` None where it does not say.

    `events` has the numbers of what it is bound to.
    """

    webhook_id: str
    url: str
    active: bool | None
    bound: tuple[str, ...]
    events: frozenset[int]


def name_of(line: Line) -> str:
    """The name by which our webhook is known in Halo."""
    return f"syncline {line.link.name}"


def install(
    line: Line, public_url: str, *, rotate: bool, dry_run: bool, cause: str
) -> InstalledWebhook:
    """Make our webhook or put it right, and bind it; with nothing to do, nothing is written.

    Args:
        line: the connection.
        public_url: where the receiver can be reached from Halo.
        rotate: make a new key; the one before stays valid for what is on its way.
        dry_run: read, and change nothing.
        cause: the command that asked for it, for the audit.

    Raises:
        SynclineError: Halo could not be asked, refused, or did not say what it did.
    """
    key = _key(line, rotate=rotate, dry_run=dry_run)
    secret = "(new)" if key is None else key.secret.get_secret_value()
    url = f"{public_url.rstrip('/')}{PATH}/{line.link.name}/{secret}"
    work = _Work(line, halo_calls(line, Lane.UPKEEP), cause)
    try:
        return _installed(work, url, key, dry_run=dry_run)
    except MissingScope as error:
        return InstalledWebhook(
            name_of(line), url, key, "by hand", error.what, None, (), (), WANTED, dry_run
        )


def look(line: Line) -> list[Seen]:
    """Our webhooks as Halo shows them now; more than one where somebody copied it.

    Raises:
        SynclineError: Halo could not be asked.
    """
    work = _Work(line, halo_calls(line, Lane.UPKEEP), "")
    found = []
    for row in work.ours():
        bindings = work.bindings(row.id)
        events = frozenset(one.eventno for one in bindings if one.eventno is not None)
        bound = tuple(one.name for one in bindings)
        found.append(Seen(row.id, row.url, row.active, bound, events))
    return found


def remove(line: Line, *, dry_run: bool, cause: str) -> list[str]:
    """Take our webhooks and what they are bound to away; returns the webhooks' ids.

    The keys stay until they are rotated away, so what is on its way still comes in.

    Raises:
        SynclineError: Halo could not be asked, refused, or did not say what it did.
    """
    work = _Work(line, halo_calls(line, Lane.UPKEEP), cause)
    found = work.ours()
    if not dry_run:
        for row in found:
            work.unbind(row.id)
            work.delete(row.id)
        line.worker.ledger.run(
            lambda connection: remember_bound(connection, line.link.id, None, ())
        )
    return [row.id for row in found]


def _key(line: Line, *, rotate: bool, dry_run: bool) -> InboundKey | None:
    """The newest key; made and kept before Halo learns of it, so that nothing is turned away."""

    def work(connection: Connection) -> InboundKey | None:
        capabilities.lock(connection, f"inbound:{line.link.id}")  # two would lose each other's key
        keys = inbound_keys(connection, line.worker.sealer, line.link.id) or InboundKeys()
        if keys.keys and not rotate:
            return keys.keys[0]
        if dry_run:
            return None
        made = InboundKey.made(line.worker.now())
        keep_inbound_keys(connection, line.worker.sealer, line.link.id, keys.with_new(made))
        return made

    return line.worker.ledger.run(work)


def _installed(work: _Work, url: str, key: InboundKey | None, *, dry_run: bool) -> InstalledWebhook:
    standing = work.standing(url)
    fate: Fate = "unchanged"
    if standing is None or key is None or _differs(standing, url):
        fate = "made" if standing is None else "repaired"
    fitting = work.fitting()
    webhook_id = None if standing is None else standing.id
    if key is not None and fate != "unchanged" and not dry_run:
        webhook_id = work.save(url, key, webhook_id)
    known = {row.eventno for row in work.bindings(webhook_id)} if webhook_id else set()
    lacking = [event for event in fitting if event.number not in known]
    if webhook_id is not None and not dry_run:
        for event in lacking:
            work.bind(webhook_id, event)
    return _result(work, url, key, fate, webhook_id, fitting, lacking, dry_run=dry_run)


def _result(
    work: _Work,
    url: str,
    key: InboundKey | None,
    fate: Fate,
    webhook_id: str | None,
    fitting: Sequence[BindableEvent],
    lacking: Sequence[BindableEvent],
    *,
    dry_run: bool,
) -> InstalledWebhook:
    if not dry_run:
        work.remember(webhook_id, fitting)
    entities = {event.entity for event in fitting}
    missing = tuple(entity for entity in WANTED if entity not in entities)
    return InstalledWebhook(
        name_of(work.line),
        url,
        key,
        fate,
        "",
        webhook_id,
        tuple(fitting),
        tuple(lacking),
        missing,
        dry_run,
    )


def _differs(standing: WebhookRow, url: str) -> bool:
    """Whether Halo's webhook is not as wanted, as far as Halo shows it.

    Its password is never shown. It goes out together with the URL, whose secret belongs to it.
    """
    typed = standing.content_type.partition(";")[0].strip().lower()
    return (
        standing.url != url
        or standing.active is False
        or typed not in {"", "application/json"}
        or standing.authentication_type not in {None, webhooks.BASIC}
        or standing.method not in {None, webhooks.POST}
    )


class _Work:
    """Calls about our webhook, one at a time."""

    def __init__(self, line: Line, api: ApiCalls, cause: str) -> None:
        self.worker = line.worker
        self.line = line
        self._api = api
        self._set_up = SetUp(line, api, flow=_FLOW, reference=name_of(line), cause=cause)

    def ours(self) -> list[WebhookRow]:
        """Webhooks with our name, or that send to this connection's place."""
        listed = self._api.read(
            f"GET {WEBHOOK.path}",
            lambda permit: webhooks.list_webhooks(self.line.halo, permit, self._may_be_ours),
        )
        return [row for row in listed if self._is_ours(row.raw)]

    def _may_be_ours(self, row: Mapping[str, Any]) -> bool:
        return self._is_ours(row) or not isinstance(row.get("name"), str)

    def _is_ours(self, row: Mapping[str, Any]) -> bool:
        name, url = row.get("name"), str(row.get("url"))
        return name == name_of(self.line) or f"{PATH}/{self.line.link.name}/" in url

    def standing(self, url: str) -> WebhookRow | None:
        """The webhook to keep, with its details: the one with this URL, else the first of ours."""
        found = self.ours()
        if not found:
            return None
        best = next((row for row in found if row.url == url), found[0])
        return self._api.read(
            f"GET {WEBHOOK.path}/{{id}}",
            lambda permit: read_row(self.line.halo, permit, WEBHOOK, best.id),
        )

    def fitting(self) -> list[BindableEvent]:
        """The tenant's events that tell of what we want to hear of."""
        listed = self._api.read(
            f"GET {LOOKUP.path}", partial(webhooks.list_bindable_events, self.line.halo)
        )
        return webhooks.fitting_events(listed)

    def bindings(self, webhook_id: str) -> list[NotificationRow]:
        """What a webhook is bound to."""
        return self._api.read(
            f"GET {NOTIFICATION.path}",
            lambda permit: webhooks.list_bindings(self.line.halo, permit, webhook_id),
        )

    def save(self, url: str, key: InboundKey, webhook_id: str | None) -> str:
        """Make the webhook or put it right; returns its id."""
        body = webhooks.webhook_body(
            name_of(self.line), url, key.username, key.password, webhook_id=webhook_id
        )

        def written() -> str | None:
            return next((row.id for row in self.ours() if row.url == url), None)

        return self._set_up.written(
            f"POST {WEBHOOK.path}",
            "create" if webhook_id is None else "update",
            "webhook",
            lambda permit: save_row(self.line.halo, permit, WEBHOOK, body).id,
            written,
            str,
        )

    def bind(self, webhook_id: str, event: BindableEvent) -> None:
        """Bind the webhook to one event."""
        name = f"{name_of(self.line)}: {event.name}"

        def written() -> str | None:
            found = [row for row in self.bindings(webhook_id) if row.eventno == event.number]
            return _id(found[0]) if found else None

        self._set_up.written(
            f"POST {NOTIFICATION.path}",
            "create",
            "notification",
            lambda permit: _id(
                webhooks.bind_event(self.line.halo, permit, webhook_id, event, name)
            ),
            written,
            str,
        )

    def unbind(self, webhook_id: str) -> None:
        """Take all bindings of a webhook away."""
        for row in self.bindings(webhook_id):
            self._set_up.gone(
                f"DELETE {NOTIFICATION.path}",
                "notification",
                _id(row),
                partial(webhooks.delete_binding, self.line.halo, row=row),
                lambda row=row: _id(row) in map(_id, self.bindings(webhook_id)),  # type: ignore[misc]
            )

    def delete(self, webhook_id: str) -> None:
        """Take a webhook away."""
        self._set_up.gone(
            f"DELETE {WEBHOOK.path}",
            "webhook",
            webhook_id,
            partial(delete_row, self.line.halo, resource=WEBHOOK, row_id=webhook_id),
            lambda: webhook_id in {row.id for row in self.ours()},
        )

    def remember(self, webhook_id: str | None, events: Sequence[BindableEvent]) -> None:
        """Keep what is bound now; what is known already is not written again."""

        def work(connection: Connection) -> None:
            before = bound(connection, self.line.link.id)
            if (before.webhook_id, before.events) != (webhook_id, tuple(events)):
                remember_bound(connection, self.line.link.id, webhook_id, events)

        self.worker.ledger.run(work)


def _id(row: NotificationRow) -> str:
    return row.guid if row.id is None else str(row.id)
