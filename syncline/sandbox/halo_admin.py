"""What a test may do to the tenant behind its API's back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from syncline.sandbox.addresses import by_email, normalised
from syncline.sandbox.halo_customers import save_client, save_user
from syncline.sandbox.halo_fields import ORDER, typed
from syncline.sandbox.halo_orders import edit_order
from syncline.sandbox.halo_state import Row
from syncline.sandbox.halo_tenant import Tenant
from syncline.sandbox.wire import Reply, Request


class Admin:
    """The hooks under `/admin/halo/`."""

    def __init__(self, tenant: Tenant, contacts: Mapping[str, Mapping[str, Any]]) -> None:
        self._tenant = tenant
        self._contacts = contacts
        self._hooks: dict[str, Callable[[Row], Row]] = {
            "refuse": self._refuse,
            "seed_customers": self._seed_customers,
            "expire_tokens": self._expire_tokens,
        }

    def handle(self, request: Request) -> Reply:
        """Do one of `refuse`, `seed_customers`, `order/<id>`, `expire_tokens`."""
        path = request.path.rpartition("halo/")[2].strip("/")
        body = json.loads(request.body or b"{}", parse_float=Decimal)
        if path in self._hooks:
            return Reply(200, self._hooks[path](body))
        name, _, row_id = path.partition("/")
        if name == "order" and row_id.isdecimal():
            return self._order(int(row_id), body)
        return Reply(404, {"error": f"there is no hook {path!r}"})

    def _refuse(self, body: Row) -> Row:
        """Refuse every order with one of these `po_numbers` with the given `text`."""
        text = str(body.get("text") or "This Purchase Order Number cannot be used.")
        self._tenant.store.refused_po_numbers = dict.fromkeys(body["po_numbers"], text)
        return {"refused": len(body["po_numbers"])}

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

    def _expire_tokens(self, _body: Row) -> Row:
        """Let every token that was issued run out now."""
        tokens = self._tenant.store.tokens.values()
        for token in tokens:
            token.expires_at = self._tenant.now()
        return {"expired": len(tokens)}

    def _order(self, order_id: int, body: Row) -> Reply:
        """Change an order by hand."""
        if order_id not in self._tenant.store.orders:
            return Reply(404, {"error": f"there is no order {order_id}"})
        wrong: dict[str, list[str]] = {}
        posted = typed(body, ORDER, "", wrong)
        if wrong:
            return Reply(400, wrong)
        return Reply(200, edit_order(self._tenant, order_id, posted))
