"""What a test may do to the tenant behind its API's back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from syncline.sandbox.addresses import by_email, normalised
from syncline.sandbox.halo_customers import save_client, save_user
from syncline.sandbox.halo_fields import INVOICE, ORDER, PAYMENT, Convert, typed
from syncline.sandbox.halo_invoices import edit_invoice
from syncline.sandbox.halo_orders import edit_order
from syncline.sandbox.halo_payments import edit_payment
from syncline.sandbox.halo_recurring import edit_recurring
from syncline.sandbox.halo_state import HaloStore, Row
from syncline.sandbox.halo_tenant import Tenant
from syncline.sandbox.wire import Reply, Request


@dataclass(frozen=True, slots=True)
class _Edit:
    """How a person changes a row in Halo's own screens."""

    rows: Callable[[HaloStore], dict[int, Row]]
    fields: Mapping[str, Convert]
    save: Callable[[Tenant, int, Row], Row]


_EDITS = {
    "order": _Edit(lambda store: store.orders, ORDER, edit_order),
    "invoice": _Edit(lambda store: store.invoices, INVOICE, edit_invoice),
    "payment": _Edit(lambda store: store.payments, PAYMENT, edit_payment),
    "recurring": _Edit(lambda store: store.recurring_invoices, INVOICE, edit_recurring),
}


class Admin:
    """The hooks under `/admin/halo/`."""

    def __init__(self, tenant: Tenant, contacts: Mapping[str, Mapping[str, Any]]) -> None:
        self._tenant = tenant
        self._contacts = contacts
        self._hooks: dict[str, Callable[[Row], Row]] = {
            "refuse": self._refuse,
            "refuse_money": self._refuse_money,
            "seed_customers": self._seed_customers,
            "expire_tokens": self._expire_tokens,
            "convert_at": self._convert_at,
        }

    def handle(self, request: Request) -> Reply:
        """Do one hook.

        `refuse`, `refuse_money`, `seed_customers`, `expire_tokens`, `convert_at`, or an edit by
        hand of `order/<id>`, `invoice/<id>`, `payment/<id>`, `recurring/<id>`.
        """
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
        user = {"name": person, "emailaddress": email, "site_id": client["main_site_id"]}
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

    def _edit(self, name: str, row_id: int, body: Row) -> Reply:
        """Change a row by hand."""
        edit = _EDITS[name]
        if row_id not in edit.rows(self._tenant.store):
            return Reply(404, {"error": f"there is no {name} {row_id}"})
        wrong: dict[str, list[str]] = {}
        posted = typed(body, edit.fields, "", wrong)
        if wrong:
            return Reply(400, wrong)
        return Reply(200, edit.save(self._tenant, row_id, posted))
