"""What a test may do to the tenant behind its API's back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from syncline.sandbox.audit.fulfillments import carried_by, price_of
from syncline.sandbox.config import WebhookDial
from syncline.sandbox.halo.entities import ENTITIES, remove
from syncline.sandbox.halo.money.invoices import edit_invoice
from syncline.sandbox.halo.money.payments import edit_payment, pay_by_hand
from syncline.sandbox.halo.money.recurring import edit_recurring
from syncline.sandbox.halo.resources import references
from syncline.sandbox.halo.resources.fields import (
    CLIENT,
    CONSIGNMENT,
    INVOICE,
    ORDER,
    PAYMENT,
    TICKET,
    USERS,
    Convert,
    typed,
)
from syncline.sandbox.halo.resources.saving import save_many
from syncline.sandbox.halo.sales.consignments import (
    check_consignment,
    edit_consignment,
    save_consignment,
)
from syncline.sandbox.halo.sales.customers import save_client, save_user, site_of
from syncline.sandbox.halo.sales.lines import exact
from syncline.sandbox.halo.sales.orders import edit_order
from syncline.sandbox.halo.service import HaloService
from syncline.sandbox.halo.tenant.catalogue import ORDER_TABLE
from syncline.sandbox.halo.tenant.store import HaloStore, Row
from syncline.sandbox.halo.tenant.tenant import RefusalError, Tenant
from syncline.sandbox.halo.tickets.actions import actions_of
from syncline.sandbox.halo.tickets.tickets import closed_status, edit_ticket
from syncline.sandbox.halo.webhooks.webhooks import bind_everything
from syncline.sandbox.location.forms import by_email, normalised
from syncline.sandbox.location.store import Store
from syncline.sandbox.wire.service import Reply, Request


@dataclass(frozen=True, slots=True)
class _Edit:
    """How a person changes a row in Halo's own screens."""

    rows: Callable[[HaloStore], dict[int, Row]]
    fields: Mapping[str, Convert]
    save: Callable[[Tenant, int, Row], Row]


def _edit_client(tenant: Tenant, client_id: int, posted: Row) -> Row:
    return save_client(tenant, {**posted, "id": client_id})


def _edit_user(tenant: Tenant, user_id: int, posted: Row) -> Row:
    return save_user(tenant, {**posted, "id": user_id})


_EDITS = {
    "client": _Edit(lambda store: store.clients, CLIENT, _edit_client),
    "user": _Edit(lambda store: store.users, USERS, _edit_user),
    "order": _Edit(lambda store: store.orders, ORDER, edit_order),
    "invoice": _Edit(lambda store: store.invoices, INVOICE, edit_invoice),
    "payment": _Edit(lambda store: store.payments, PAYMENT, edit_payment),
    "consignment": _Edit(lambda store: store.consignments, CONSIGNMENT, edit_consignment),
    "recurring": _Edit(lambda store: store.recurring_invoices, INVOICE, edit_recurring),
    "ticket": _Edit(lambda store: store.tickets, TICKET, edit_ticket),
}

_CHANGED = "last_update_time"


class Admin:
    """The hooks under `/admin/halo/`, as of one run."""

    def __init__(self, service: HaloService, store: Store) -> None:
        self._service = service
        self._tenant = service.tenant
        self._store = store
        self._contacts = store.contacts
        self._hooks: dict[str, Callable[[Row], Row]] = {
            "refuse": self._refuse,
            "refuse_money": self._refuse_money,
            "keep_references": self._keep_references,
            "seed_customers": self._seed_customers,
            "expire_tokens": self._expire_tokens,
            "convert_at": self._convert_at,
            "consign": self._consign,
            "pay": self._pay,
            "orders": self._orders,
            "save": self._save,
            "webhooks": self._turn_dial,
            "webhooks/bind": self._bind,
            "deliveries": self._deliveries,
            "tickets": self._tickets,
            "tickets/close": self._close_ticket,
            "tickets/delete": self._delete_ticket,
            "actions": self._actions,
            "integration_errors": self._integration_errors,
        }

    def handle(self, request: Request) -> Reply:
        """Do one hook.

        `refuse`, `refuse_money`, `keep_references`, `seed_customers`, `expire_tokens`,
        `convert_at`, `consign`, `pay`, `orders`, `save`, `webhooks` (their dial),
        `webhooks/bind`, `deliveries`, `tickets`, `tickets/close`, `tickets/delete`, `actions`,
        `integration_errors`, or an edit by hand of `order/<id>`, `invoice/<id>`, `payment/<id>`,
        `consignment/<id>`, `recurring/<id>`, `ticket/<id>`.
        """
        self._tenant.store.by_hand = True
        try:
            return self._answer(request)
        except RefusalError as refusal:
            return Reply(422, {"error": refusal.reply.body})
        finally:
            self._tenant.store.by_hand = False
            self._service.afterwards()

    def _answer(self, request: Request) -> Reply:
        path = request.path.rpartition("halo/")[2].strip("/")
        body = json.loads(request.body or b"{}", parse_float=Decimal)
        if path in self._hooks:
            return Reply(200, self._hooks[path](body))
        name, _, row_id = path.partition("/")
        if name in _EDITS and row_id.isdecimal():
            return self._edit(name, int(row_id), body)
        return Reply(404, {"error": f"there is no hook {path!r}"})

    def _refuse(self, body: Row) -> Row:
        """Refuse every order with one of these `po_numbers` with the given `text`."""
        text = str(body.get("text") or "This Purchase Order Number cannot be used.")
        self._tenant.store.refused_po_numbers = dict.fromkeys(body["po_numbers"], text)
        return {"refused": len(body["po_numbers"])}

    def _refuse_money(self, body: Row) -> Row:
        """Refuse every invoice and payment with one of these `references` with the given `text`."""
        text = str(body.get("text") or "This reference cannot be used.")
        self._tenant.store.refused_references = dict.fromkeys(body["references"], text)
        return {"refused": len(body["references"])}

    def _keep_references(self, body: Row) -> Row:
        """From now on keep what is posted in these `fields`, or all, `how`: see `references`."""
        if body["how"] not in references.KEPT:
            raise RefusalError(422, {"error": f"references are not kept {body['how']!r}"})
        fields = body.get("fields") or references.FIELDS
        how: str = body["how"]
        self._tenant.store.references_kept = dict.fromkeys(fields, how)
        return {"references": how}

    def _seed_customers(self, body: Row) -> Row:
        """Create clients and users for the first `count` addresses of the location's contacts."""
        taken = {normalised(user["emailaddress"]) for user in self._tenant.store.users.values()}
        made = 0
        for email, contact in by_email(self._contacts.values()).items():
            if made >= body.get("count", len(self._contacts)):
                break
            if email not in taken:
                self._customer(email, contact)
                made += 1
        return {"created": made}

    def _customer(self, email: str, contact: Mapping[str, Any]) -> None:
        person = contact.get("name") or email
        quiet = {"_dont_fire_automations": True}
        name = contact.get("companyName") or person
        client = save_client(self._tenant, {"name": name, **quiet})
        user = {"name": person, "emailaddress": email, "site_id": site_of(self._tenant, client)}
        save_user(self._tenant, {**user, **quiet})

    def _convert_at(self, body: Row) -> Row:
        """Convert new rows at these `rates` (currency's id → rate) and not at the table's."""
        self._tenant.store.other_rates = {
            int(currency): float(rate) for currency, rate in body["rates"].items()
        }
        return {"rates": len(body["rates"])}

    def _expire_tokens(self, _body: Row) -> Row:
        """Let every token that was issued run out now."""
        tokens = self._tenant.store.tokens.values()
        for token in tokens:
            token.expires_at = self._tenant.now()
        return {"expired": len(tokens)}

    def _consign(self, body: Row) -> Row:
        """Send `lines` (pairs of line and quantity) of an order, or whatever is left of it."""
        order = self._tenant.store.orders[body["order_id"]]
        pairs = body.get("lines")
        if pairs is None:
            pairs = self._left(order)
        posted = {
            "salesorder_id": order["id"],
            "note": body.get("note", ""),
            "is_return": body.get("is_return", False),
            "lines": [
                {"salesorder_line": line_id, "quantity": exact(quantity)}
                for line_id, quantity in pairs
            ],
        }
        check_consignment(self._tenant, posted)
        return {"id": save_consignment(self._tenant, posted)["id"]}

    def _left(self, order: Row) -> list[tuple[int, Decimal]]:
        """The lines of an order that are goods and not sent yet, and how many of each."""
        links = self._tenant.store.links_of(ORDER_TABLE, order["id"])
        carried = carried_by(order, [str(link["third_party_id"]) for link in links])
        sold = self._store.orders.get(carried or "")
        left = (
            (line["id"], exact(line["quantity"]) - exact(line["quantity_shipped"]))
            for line in order["lines"]
            if sold is None or price_of(line, sold)
        )
        return [(line_id, quantity) for line_id, quantity in left if quantity > 0]

    def _pay(self, body: Row) -> Row:
        """Enter a payment of `amount` for the invoice `invoice_id`, with this `id` or the next."""
        if body.get("id") is not None:
            self._tenant.store.odd_ids["InvoicePayment"] = body["id"]
        paid = pay_by_hand(self._tenant, body["invoice_id"], exact(body["amount"]))
        return {"id": paid["id"]}

    def _orders(self, _body: Row) -> Row:
        """All sales orders as they stand."""
        return {"orders": list(self._tenant.store.orders.values())}

    def _save(self, body: Row) -> Row:
        """Save `elements` at a `path` of the API, as many as there are: no call, no limit."""
        entity = ENTITIES[body["path"].strip("/").lower()]
        if entity.writing is None:
            raise ValueError(f"{entity.name} can only be read")
        whole = partial(entity.whole, self._tenant)
        return {"rows": save_many(self._tenant, entity.writing, whole, body["elements"])}

    def _tickets(self, _body: Row) -> Row:
        """All tickets that were not deleted, whole, oldest first."""
        rows = self._tenant.store.tickets.values()
        return {"tickets": [ENTITIES["tickets"].whole(self._tenant, row) for row in rows]}

    def _close_ticket(self, body: Row) -> Row:
        """Close a ticket as a person does."""
        return edit_ticket(self._tenant, body["id"], {"status_id": closed_status(self._tenant)})

    def _delete_ticket(self, body: Row) -> Row:
        """Delete a ticket as a person does."""
        remove(self._tenant, ENTITIES["tickets"], body["id"])
        return {"id": body["id"]}

    def _actions(self, body: Row) -> Row:
        """The actions of a ticket, oldest first."""
        return {"actions": actions_of(self._tenant, body["ticket_id"])}

    def _integration_errors(self, _body: Row) -> Row:
        """The integration errors that the tenant shows, oldest first."""
        return {"errors": list(self._tenant.store.integration_errors.values())}

    def _turn_dial(self, body: Row) -> Row:
        """Set how webhooks are sent; what is not named stays."""
        store = self._tenant.store
        dial = WebhookDial.model_validate({**store.webhook_dial.model_dump(), **body})
        store.webhook_dial = dial
        return dial.model_dump()

    def _bind(self, body: Row) -> Row:
        """Let everything that ever happens be sent to `url`."""
        user = (body.get("username", ""), body.get("password", ""))
        return {"id": bind_everything(self._tenant, body["url"], *user)["id"]}

    def _deliveries(self, _body: Row) -> Row:
        """How many deliveries went which way, and how many are under way."""
        sent = self._tenant.store.sent
        kinds = ("sent", "acknowledged", "failed", "lost", "swallowed", "pending")
        return {kind: sent[kind] for kind in kinds}

    def _edit(self, name: str, row_id: int, body: Row) -> Reply:
        """Change a row by hand."""
        edit = _EDITS[name]
        if row_id not in edit.rows(self._tenant.store):
            return Reply(404, {"error": f"there is no {name} {row_id}"})
        wrong: dict[str, list[str]] = {}
        posted = typed(body, edit.fields, "", wrong)
        if wrong:
            return Reply(400, wrong)
        if _CHANGED in body:
            posted[_CHANGED] = body[_CHANGED]  # no field that is written: its clock was wrong
        return Reply(200, edit.save(self._tenant, row_id, posted))
