"""What a test may do to HighLevel behind its API's back: events, the app's tokens, its removal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from syncline.sandbox.highlevel.events.outbox import Dial, Event
from syncline.sandbox.highlevel.events.writer import ORDER_EVENTS, TYPES
from syncline.sandbox.location.changes import change_orders
from syncline.sandbox.services import Sandbox
from syncline.sandbox.wire.service import Reply, Request

Answer = dict[str, Any]
Begun = Answer | Coroutine[Any, Any, Answer]
"""An answer, or what is still to be waited for once all effects are made."""


class _Sending(BaseModel):
    """Events to be sent by hand; without `to` they go where the dial says."""

    model_config = ConfigDict(extra="forbid")

    type: str
    to: str | None = None
    count: int = Field(default=1, ge=1, le=10_000)
    location: str | None = None


class Admin:
    """The hooks under `/admin/highlevel/`.

    `GET keys`, `GET events` (the types), `POST webhooks` (a dial), `GET webhooks`, `POST send`,
    `POST oauth/expire`, `POST oauth/revoke`, `POST uninstall`.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._hooks: dict[tuple[str, str], Callable[[Request], Begun]] = {
            ("GET", "keys"): lambda _: dict(sandbox.keys.public()),
            ("GET", "events"): lambda _: {"types": list(TYPES)},
            ("GET", "webhooks"): lambda _: sandbox.outbox.figures(),
            ("POST", "webhooks"): self._turn,
            ("POST", "send"): self._send,
            ("POST", "oauth/expire"): lambda _: {"expired": sandbox.highlevel.oauth.expire()},
            ("POST", "oauth/revoke"): lambda _: {"revoked": sandbox.highlevel.oauth.revoke()},
            ("POST", "uninstall"): self._uninstall,
        }

    def begin(self, request: Request) -> Begun | Reply:
        """Do one hook, as far as it changes something here."""
        path = request.path.removeprefix("/highlevel/")
        hook = self._hooks.get((request.method, path))
        if hook is None:
            return Reply(404, {"error": f"there is no hook {request.method} {path}"})
        return hook(request)

    def _turn(self, request: Request) -> Answer:
        """Put a dial in place of the one before; what is under way follows it too."""
        self._sandbox.outbox.dial = Dial.model_validate_json(request.body or b"{}")
        return self._sandbox.outbox.figures()

    def _send(self, request: Request) -> Coroutine[Any, Any, Answer]:
        """Send events at once, one attempt each, and tell what was answered to every one."""
        form = _Sending.model_validate_json(request.body)
        outbox = self._sandbox.outbox
        url = form.to or outbox.dial.url
        if url is None:
            raise ValueError("no receiver is known: name one with `to`")
        if form.type not in TYPES:
            raise ValueError(f"no document of HighLevel describes an event {form.type!r}")
        return self._sent(self._compose(form), url)

    async def _sent(self, events: list[Event], url: str) -> Answer:
        outbox = self._sandbox.outbox
        answers = await asyncio.gather(*(outbox.send_once(event, url) for event in events))
        sent = [
            {"type": event.kind, "webhook_id": event.webhook_id, **asdict(answer)}
            for event, answer in zip(events, answers, strict=True)
        ]
        return {"url": url, "sent": sent}

    def _compose(self, form: _Sending) -> list[Event]:
        """The events; those of orders of the location are about what truly happens there now."""
        sandbox = self._sandbox
        writer, location = sandbox.events, sandbox.config.location
        if form.type not in ORDER_EVENTS or form.location not in (None, location):
            place = form.location or location
            return [writer.sample(form.type, place) for _ in range(form.count)]
        now = sandbox.now()
        if form.type == "OrderCreate":
            ids = sandbox.generator.add_orders(form.count, now=now)
        else:
            ids = change_orders(sandbox.store, now=now, field_name="status", count=form.count)
        if not ids:
            raise ValueError("the location holds no order whose status could change")
        return [writer.of_order(form.type, sandbox.store.orders[order_id]) for order_id in ids]

    def _uninstall(self, _: Request) -> Answer:
        self._sandbox.highlevel.oauth.uninstall()
        event = self._sandbox.announce_app("UNINSTALL")
        return {"webhook_id": event.webhook_id}
