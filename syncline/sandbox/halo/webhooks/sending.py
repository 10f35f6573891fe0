"""The deliveries of Halo's webhooks: each bound occurrence is posted once, beside the API's work.

Nothing is sent again: no source tells of retries. The kinds of body are documented, the spelling of
their keys is not: that of everything but a webhook's own mappings is our guess.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from base64 import b64encode
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from syncline.sandbox.halo.tenant.store import Occurrence, Row
from syncline.sandbox.halo.tenant.tenant import Tenant
from syncline.sandbox.halo.webhooks.notifications import bound, events, number_of
from syncline.sandbox.halo.webhooks.webhooks import BASIC

if TYPE_CHECKING:
    import httpx

_IN_FLIGHT = 16
_TIMEOUT_SECONDS = 10.0
_GATHER_SECONDS = 0.05
"""How long occurrences are gathered for one body, where they go out together."""
_HELD_SECONDS = 0.3
"""Longest time that a delivery out of turn is held back."""
_LONGEST_ANSWER = 1000
_KINDS = ("small", "full", "event")
"""The kinds of payload by number; the numbers are a guess."""

_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True, slots=True)
class _Parcel:
    """One body on its way."""

    webhook_id: str
    notification_id: int
    entity_id: int
    body: bytes


class HaloSender:
    """Sends what happened in a tenant to the webhooks that are bound to it.

    Attributes:
        delivered: told each entry of the log of deliveries.
    """

    def __init__(self) -> None:
        self.delivered: Callable[[Row], None] = lambda _: None
        self._tasks: set[asyncio.Task[None]] = set()
        self._gathered: dict[str, list[tuple[Row, Occurrence, Row]]] = {}

    @cached_property
    def _client(self) -> httpx.AsyncClient:
        import httpx  # noqa: PLC0415 - large, and many a sandbox sends no webhook

        return httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT_SECONDS)

    def start_over(self, tenant: Tenant) -> None:
        """Drop what is under way and send for this tenant from now on."""
        for task in self._tasks:
            task.cancel()
        self._tasks, self._gathered = set(), {}
        self._tenant = tenant
        self._rng = random.Random(f"halo webhooks {tenant.config.seed}")
        tenant.store.sent["pending"] = 0
        self._room = asyncio.Semaphore(_IN_FLIGHT)

    def send_new(self) -> None:
        """Start the deliveries of all that happened since; comes back at once."""
        occurrences = self._tenant.store.occurrences
        while occurrences:
            occurrence = occurrences.popleft()
            profile = self._tenant.config.profile
            number = number_of(profile, occurrence.entity, new=occurrence.new)
            for notification, webhook in bound(self._tenant, number) if number else ():
                self._take(webhook, notification, occurrence)

    def _take(self, webhook: Row, notification: Row, occurrence: Occurrence) -> None:
        told = body_of(self._tenant, webhook, notification, occurrence)
        if not self._tenant.store.webhook_dial.batch:
            self._post(webhook, notification, occurrence, _encode(told))
            return
        gathered = self._gathered.setdefault(webhook["id"], [])
        gathered.append((notification, occurrence, told))
        if len(gathered) == 1:
            self._start(self._post_gathered(webhook))

    async def _post_gathered(self, webhook: Row) -> None:
        await asyncio.sleep(_GATHER_SECONDS)
        gathered = self._gathered.pop(webhook["id"], [])
        most = max(1, self._tenant.store.webhook_dial.batch)
        for at in range(0, len(gathered), most):
            some = gathered[at : at + most]
            notification, occurrence, _ = some[0]
            body = _encode([told for _, _, told in some])
            self._post(webhook, notification, occurrence, body)

    def _post(self, webhook: Row, notification: Row, occurrence: Occurrence, body: bytes) -> None:
        dial, rng = self._tenant.store.webhook_dial, self._rng
        parcel = _Parcel(webhook["id"], notification["id"], occurrence.id, body)
        for _ in range(2 if rng.random() < dial.duplicates else 1):
            held = rng.random() * _HELD_SECONDS if rng.random() < dial.disorder else 0.0
            self._start(self._deliver(parcel, dial.delay + held))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        sent = self._tenant.store.sent
        sent["pending"] += 1

        def over(done: asyncio.Task[None]) -> None:
            self._tasks.discard(done)
            sent["pending"] -= 1

        task.add_done_callback(over)

    async def _deliver(self, parcel: _Parcel, wait: float) -> None:
        tenant = self._tenant
        await asyncio.sleep(wait)
        async with self._room:
            webhook = tenant.store.webhooks.get(parcel.webhook_id)
            if webhook is None:
                return
            began = time.monotonic()
            outcome = await self._attempt(webhook, parcel.body)
        lightweight = tenant.store.webhook_dial.lightweight_logs
        entry = {
            "id": str(uuid.UUID(int=self._rng.getrandbits(128), version=4)),
            "webhook_id": parcel.webhook_id,
            "notification_id": parcel.notification_id,
            "entity_id": parcel.entity_id,
            "timestamp": tenant.stamp(),
            "duration": time.monotonic() - began,
            "requestbody": None if lightweight else parcel.body.decode(),
            **outcome,
        }
        tenant.store.deliveries.append(entry)
        self.delivered(entry)

    async def _attempt(self, webhook: Row, body: bytes) -> Row:
        """Post a body and tell how it went, in the words of the log."""
        import httpx  # noqa: PLC0415 - large, and many a sandbox sends no webhook

        store, chance = self._tenant.store, self._rng.random()
        if chance < store.webhook_dial.loss:
            store.sent["lost"] += 1
            return _outcome(None, "The connection was closed unexpectedly.")
        if chance < store.webhook_dial.loss + store.webhook_dial.swallowed:
            store.sent["swallowed"] += 1
            return _outcome(200, "")
        store.sent["sent"] += 1
        headers = {"content-type": "application/json"}
        if webhook["authentication_type"] == BASIC:
            headers["authorization"] = _basic(webhook)
        try:
            response = await self._client.post(webhook["url"], content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            store.sent["failed"] += 1
            return _outcome(None, f"{type(problem).__name__}: {problem}")
        outcome = _outcome(response.status_code, response.text[:_LONGEST_ANSWER])
        store.sent["failed" if outcome["error"] else "acknowledged"] += 1
        return outcome


def body_of(tenant: Tenant, webhook: Row, notification: Row, occurrence: Occurrence) -> Row:
    """What a webhook tells of an occurrence, by the kind of payload that it is set to."""
    entity, row_id = occurrence.entity.lower(), occurrence.id
    name = events(tenant.config.profile)[notification["eventno"]]
    kind = tenant.store.webhook_dial.payload or _kind(webhook)
    if kind == "custom":
        known = {"event": name, "entity": entity, "id": row_id, "time": occurrence.at}
        keys = [(one.get("key"), one.get("finame")) for one in webhook["mappings"]]
        return {k: known.get(field or k, "") for k, field in keys if k} or known
    told: Row = {
        "id": str(uuid.uuid4()),
        "notification_id": notification["id"],
        "escmsg_id": tenant.store.next_id("EscMsg"),
        "event": name,
        "webhook_id": webhook["id"],
        "object_id": row_id,
        "timestamp": occurrence.at,
    }
    row = _ROWS[occurrence.entity](tenant).get(row_id) if kind != "event" else None
    if row is None:
        return told
    if kind == "small":
        return {**told, entity: {key: value for key, value in row.items() if _is_small(value)}}
    client = tenant.store.clients.get(row.get("client_id", 0))
    return {**told, entity: row, **({"client": client} if client else {})}


_ROWS = {
    "SalesOrder": lambda tenant: tenant.store.orders,
    "Invoice": lambda tenant: tenant.store.invoices,
    "InvoicePayment": lambda tenant: tenant.store.payments,
    "Consignment": lambda tenant: tenant.store.consignments,
}


def _basic(webhook: Row) -> str:
    user = f"{webhook.get('basic_username') or ''}:{webhook.get('basic_password') or ''}"
    return f"Basic {b64encode(user.encode()).decode()}"


def _kind(webhook: Row) -> str:
    if webhook["custom_payload"]:
        return "custom"
    number = webhook["payload_type"]
    return _KINDS[number] if 0 <= number < len(_KINDS) else _KINDS[0]


def _is_small(value: Any) -> bool:
    return not isinstance(value, list | dict)


def _outcome(status: int | None, text: str) -> Row:
    good = status is not None and 200 <= status < 300
    return {
        "status": 1 if good else 2,
        "responsestatus": status or 0,
        "responsebody": text,
        "error": not good,
    }
