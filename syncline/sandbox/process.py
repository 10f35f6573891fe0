"""The sandbox as a process of its own, started and steered from Python."""

from __future__ import annotations

import json
import subprocess
import sys
from types import TracebackType
from typing import Any, Literal, Self

import httpx

_STOP_SECONDS = 5.0


class SandboxProcess:
    """Starts `python -m syncline.sandbox` and speaks with its admin API.

    The process ends with this one, whatever ends this one: its standard input is a pipe from here.

    Args:
        port: the port; 0 takes a free one.
        config: the sandbox's config, fields as in `SandboxConfig`.

    Raises:
        RuntimeError: if the process ends before it listens.
    """

    _program: tuple[str, ...] = ("-P", "-m", "syncline.sandbox")
    """Not from the folder it stands in, where a file may be named as a module of ours."""

    def __init__(self, port: int = 0, **config: Any) -> None:
        command = [sys.executable, *self._program, "--end-with-stdin"]
        command += ["--port", str(port), "--config", json.dumps(config)]
        self._process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            self.stop()
            raise RuntimeError("the sandbox ended before it listened; its reason is on stderr")
        self.url: str = json.loads(line)["url"]
        self._client = httpx.Client(base_url=f"{self.url}/admin", timeout=60, trust_env=False)

    @property
    def highlevel_url(self) -> str:
        """Base URL of the emulated HighLevel."""
        return f"{self.url}/highlevel"

    @property
    def halo_url(self) -> str:
        """Base URL of the emulated Halo tenant."""
        return f"{self.url}/halo"

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def reset(self, **config: Any) -> dict[str, Any]:
        """Start over with another config: fresh data, empty log, full limits, no faults."""
        return self.post("/reset", config)

    def faults(self, *rules: dict[str, Any], **rule: Any) -> dict[str, Any]:
        """Put these fault rules in place of all others; keywords are one rule, none is no fault.

        Fields as in `syncline.sandbox.faults.Rule`.
        """
        every = [*rules, rule] if rule else list(rules)
        return self.post("/faults", {"rules": every})

    def change_orders(
        self,
        count: int = 0,
        *,
        ids: list[str] | None = None,
        fields: Literal["status", "amount"] = "status",
    ) -> list[str]:
        """Change orders in HighLevel: `count` of those that are owed, or the named ones.

        Returns:
            The ids of the changed orders.
        """
        form = {"count": count, "ids": ids or [], "fields": fields}
        changed: list[str] = self.post("/orders/change", form)["ids"]
        return changed

    def add_orders(self, count: int) -> list[str]:
        """Make new orders, created now; returns their ids."""
        made: list[str] = self.post("/orders/add", {"count": count})["ids"]
        return made

    def fulfill_by_hand(
        self,
        order_id: str,
        items: list[tuple[str, float]] | None = None,
        trackings: list[dict[str, str]] | None = None,
    ) -> str:
        """Make a fulfillment as a person does in HighLevel's own screens; returns its id.

        Args:
            order_id: whose parcel it is.
            items: price ids with quantities; None is all that is left to fulfill.
            trackings: as the API takes them; None makes one up.
        """
        named = None if items is None else [{"priceId": one, "qty": qty} for one, qty in items]
        form = {"order": order_id, "items": named, "trackings": trackings}
        made: str = self.post("/orders/fulfill", form)["id"]
        return made

    def remove_orders(self, ids: list[str]) -> list[str]:
        """Let orders be gone from HighLevel; returns the ids that were there."""
        removed: list[str] = self.post("/orders/remove", {"ids": ids})["ids"]
        return removed

    def send_highlevel_events_to(self, url: str | None, **dial: Any) -> None:
        """Let HighLevel send its events to a receiver; None stops it.

        Args:
            url: the receiver's address.
            dial: fields of `syncline.sandbox.webhooks.Dial`; what is not given is as at first.
        """
        self.post("/highlevel/webhooks", {"url": url, **dial})

    def highlevel_keys(self) -> dict[str, str]:
        """The public keys of HighLevel's events as PEM: `ed25519` and `rsa`."""
        keys: dict[str, str] = self.get("/highlevel/keys")
        return keys

    def highlevel_deliveries(self) -> dict[str, Any]:
        """What became of HighLevel's events, with the ids of those that were acknowledged."""
        return self.get("/highlevel/webhooks")

    def expire_highlevel_tokens(self) -> None:
        """Let every access token of HighLevel's OAuth run out now."""
        self.post("/highlevel/oauth/expire", {})

    def revoke_highlevel_tokens(self) -> None:
        """Let every refresh token of HighLevel's OAuth be dead; access tokens live on."""
        self.post("/highlevel/oauth/revoke", {})

    def uninstall_highlevel(self) -> None:
        """Take the app away in HighLevel: its tokens die, and UNINSTALL is sent."""
        self.post("/highlevel/uninstall", {})

    def change_transactions(
        self,
        count: int = 0,
        *,
        ids: list[str] | None = None,
        what: Literal["refund", "settle", "fail"] = "refund",
    ) -> list[str]:
        """Change transactions in HighLevel: give back, let pending ones succeed, let some fail.

        Returns:
            The ids of the changed ones: those named, else up to `count` that it can be done to.
        """
        form = {"count": count, "ids": ids or [], "what": what}
        changed: list[str] = self.post("/transactions/change", form)["ids"]
        return changed

    def add_transactions(self, count: int, *, orders: list[str] | None = None) -> list[str]:
        """Make new transactions, created now; returns their ids.

        Args:
            count: how many.
            orders: the orders they pay, each once before any a second time; None is all orders.
        """
        form = {"count": count, "orders": orders or []}
        made: list[str] = self.post("/transactions/add", form)["ids"]
        return made

    def change_subscriptions(
        self,
        count: int = 0,
        *,
        ids: list[str] | None = None,
        what: Literal["cancel", "amount", "expire"] = "cancel",
    ) -> list[str]:
        """Change subscriptions in HighLevel: end them, or make them dearer.

        Returns:
            The ids of the changed ones: those named, else up to `count` that it can be done to.
        """
        form = {"count": count, "ids": ids or [], "what": what}
        changed: list[str] = self.post("/subscriptions/change", form)["ids"]
        return changed

    def halo_orders(self) -> list[dict[str, Any]]:
        """All sales orders of Halo with their lines, as they stand."""
        orders: list[dict[str, Any]] = self.post("/halo/orders", {})["orders"]
        return orders

    def edit_halo_order(self, order_id: int, **fields: Any) -> dict[str, Any]:
        """Change an order as a person would in Halo; returns it whole."""
        return self.post(f"/halo/order/{order_id}", fields)

    def tickets(self) -> list[dict[str, Any]]:
        """All tickets of Halo that were not deleted, with their links, oldest first."""
        tickets: list[dict[str, Any]] = self.post("/halo/tickets", {})["tickets"]
        return tickets

    def actions(self, ticket_id: int) -> list[dict[str, Any]]:
        """The actions of one of Halo's tickets, oldest first."""
        actions: list[dict[str, Any]] = self.post("/halo/actions", {"ticket_id": ticket_id})[
            "actions"
        ]
        return actions

    def integration_errors(self) -> list[dict[str, Any]]:
        """The integration errors that Halo's administrators see, oldest first."""
        errors: list[dict[str, Any]] = self.post("/halo/integration_errors", {})["errors"]
        return errors

    def close_ticket(self, ticket_id: int) -> dict[str, Any]:
        """Close a ticket as a person would in Halo; returns it."""
        return self.post("/halo/tickets/close", {"id": ticket_id})

    def delete_ticket(self, ticket_id: int) -> None:
        """Delete a ticket as a person would in Halo."""
        self.post("/halo/tickets/delete", {"id": ticket_id})

    def consign(
        self,
        order_id: int,
        lines: list[tuple[int, float]] | None = None,
        note: str = "",
        *,
        is_return: bool = False,
    ) -> int:
        """Send goods of an order as a person would in Halo; returns the consignment's id.

        Args:
            order_id: the sales order.
            lines: ids of its lines and how many of each; None is all that is left of the goods.
            note: where a tracking number may stand: `Tracking: 1Z999`.
            is_return: whether the goods come back.
        """
        form = {"order_id": order_id, "lines": lines, "note": note, "is_return": is_return}
        made: int = self.post("/halo/consign", form)["id"]
        return made

    def edit_consignment(self, consignment_id: int, **fields: Any) -> dict[str, Any]:
        """Change a consignment as a person would in Halo; returns it whole."""
        return self.post(f"/halo/consignment/{consignment_id}", fields)

    def pay_in_halo(
        self, invoice_id: int, amount: float | str, *, row_id: int | None = None
    ) -> int:
        """Enter a payment as a person would in Halo; returns its id.

        Args:
            invoice_id: the invoice.
            amount: what was paid.
            row_id: an id out of line; None is the next one.
        """
        form = {"invoice_id": invoice_id, "amount": amount, "id": row_id}
        paid: int = self.post("/halo/pay", form)["id"]
        return paid

    def send_halo_events_to(
        self, url: str, username: str = "", password: str = "", **dial: Any
    ) -> str:
        """Bind a webhook of Halo's to everything that happens there; returns the webhook's id.

        Args:
            url: of the receiver.
            username: for Basic authentication; empty for none.
            password: likewise.
            dial: fields as in `syncline.sandbox.config.WebhookDial`.
        """
        self.turn_halo_webhooks(**dial)
        form = {"url": url, "username": username, "password": password}
        webhook: str = self.post("/halo/webhooks/bind", form)["id"]
        return webhook

    def turn_halo_webhooks(self, **dial: Any) -> dict[str, Any]:
        """Set how Halo's webhooks are sent; what is not named stays as it is.

        Fields as in `syncline.sandbox.config.WebhookDial`.
        """
        return self.post("/halo/webhooks", dial)

    def halo_deliveries(self) -> dict[str, int]:
        """How many deliveries of Halo's webhooks went which way.

        Returns:
            `sent`, and of these `acknowledged` and `failed`; `lost`, `swallowed`, and `pending`.
        """
        return self.post("/halo/deliveries", {})

    def tamper(
        self, kind: str, count: int, seed: int = 1, *, webhook: bool = False
    ) -> list[dict[str, Any]]:
        """Change rows by hand, no source twice over all calls.

        Args:
            kind: one of `syncline.sandbox.tamper.KINDS`, such as `order_deleted`.
            count: to how many sources.
            seed: fixes which.
            webhook: whether Halo's webhooks tell of it.

        Returns:
            For each change `kind`, `entity` and `source` of HighLevel, and Halo's row `halo_id`
            (None for what was changed in HighLevel), `field`, `before`, `after`. Fewer than
            `count` where fewer fit.
        """
        form = {"kind": kind, "count": count, "seed": seed, "webhook": webhook}
        changed: list[dict[str, Any]] = self.post("/tamper", form)["changed"]
        return changed

    def replay_old(self, ids: list[str], *, reads: int = 1) -> list[str]:
        """Let HighLevel's lists show these as they were before their last change, `reads` times.

        Returns:
            The ids that have an earlier version.
        """
        replayed: list[str] = self.post("/replay", {"ids": ids, "reads": reads})["ids"]
        return replayed

    def audit(self, *, each: bool = False) -> dict[str, Any]:
        """The sandbox's verdict on both stores; `each`: with what became of every record."""
        return self.get("/audit", {"each": "1"} if each else None)

    def secrets(self) -> set[str]:
        """All tokens, passwords and client secrets that open something here, or once did."""
        return set(self.get("/secrets")["secrets"])

    def calls(self, side: str | None = None, after: int = 0) -> list[dict[str, Any]]:
        """The log of calls with an id above `after`."""
        params = {"side": side or "", "after": str(after)}
        calls: list[dict[str, Any]] = self.get("/calls", params)["calls"]
        return calls

    def counters(self) -> dict[str, Any]:
        """Calls, refusals and the fullest window of each side; faults that fired, shapes shown."""
        return self.get("/counters")

    def get(self, path: str, params: dict[str, str] | None = None) -> dict[str, Any]:
        """Read from the admin API.

        Raises:
            httpx.HTTPStatusError: if it refuses.
        """
        return _document(self._client.get(path, params=params))

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Write to the admin API.

        Raises:
            httpx.HTTPStatusError: if it refuses.
        """
        return _document(self._client.post(path, json=body))

    def stop(self) -> None:
        """End the process; stopping twice is harmless."""
        if hasattr(self, "_client"):
            self._client.close()
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _document(response: httpx.Response) -> dict[str, Any]:
    if response.is_error:
        response.read()
        raise httpx.HTTPStatusError(
            f"the sandbox refused: {response.text[:500]}",
            request=response.request,
            response=response,
        )
    document: dict[str, Any] = response.json()
    return document
