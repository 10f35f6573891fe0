"""A location whose sales and money stand in Halo as they should, each row with our reference."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from syncline.sandbox.audit.money import is_due
from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.generating.orders import Generator
from syncline.sandbox.halo.money.invoices import save_invoice
from syncline.sandbox.halo.money.payments import save_payment
from syncline.sandbox.halo.money.recurring import save_recurring
from syncline.sandbox.halo.sales.consignments import save_consignment
from syncline.sandbox.halo.sales.orders import save_order
from syncline.sandbox.halo.service import HaloService
from syncline.sandbox.halo.tenant.catalogue import CURRENCIES
from syncline.sandbox.halo.tenant.store import UNKNOWN_CLIENT
from syncline.sandbox.halo.tenant.tenant import Tenant
from syncline.sandbox.location.forms import normalised
from syncline.sandbox.location.store import Document, Store
from tests.syncline.sandbox.tenant_calls import TenantCalls

_CODES = {row["code"]: row["id"] for row in CURRENCIES.values()}
_QUIET = {"_dont_fire_automations": True, "_isimport": True}


def held(profile: str = "generous", **config: Any) -> TenantCalls:
    """The tenant with everything in it; every third order is consigned whole."""
    settings = SandboxConfig.model_validate({"profile": profile, "details": False, **config})
    calls = TenantCalls(settings)
    calls.store = Generator(settings, calls.at).fill()
    calls.service = HaloService(settings, calls.store, None, lambda: calls.at)
    calls.token = calls.ask_token().body["access_token"]
    calls.admin("seed_customers")
    _Writer(calls.service.tenant, calls.store).write()
    return calls


class _Writer:
    def __init__(self, tenant: Tenant, store: Store) -> None:
        self._tenant = tenant
        self._store = store
        users = tenant.store.users.values()
        self._clients = {normalised(user["emailaddress"]): user["client_id"] for user in users}
        self._invoices: dict[str, int] = {}

    def write(self) -> None:
        store = self._store
        for at, order in enumerate(store.orders.values()):
            self._sell(order, shipped=at % 3 == 0)
        for transaction in store.transactions.values():
            if is_due(store, transaction):
                self._pay(transaction)
        for key, subscription in store.subscriptions.items():
            body = self._bill(subscription, key, _exact(subscription["amount"]))
            save_recurring(self._tenant, body | {"disabled": True})

    def _sell(self, order: Document, *, shipped: bool) -> None:
        order_id, price = order["_id"], _exact(order["amount"])
        lines = [{"name": f"Order {order_id}", "quantity": Decimal(1), "baseprice": price}]
        body = self._base(order) | {"po_number": f"HL-{order_id}", "lines": lines}
        row = save_order(self._tenant, body)
        if shipped:
            sent = [{"salesorder_line": row["lines"][0]["id"], "quantity": Decimal(1)}]
            save_consignment(self._tenant, {"salesorder_id": row["id"], "lines": sent})

    def _pay(self, transaction: Document) -> None:
        key, tenant = transaction["_id"], self._tenant
        sale = self._store.orders.get(transaction.get("entityId", ""), transaction)
        if sale["_id"] not in self._invoices:
            body = self._bill(sale, sale["_id"], _exact(sale["amount"]))
            self._invoices[sale["_id"]] = save_invoice(tenant, body)["id"]
        invoice_id = self._invoices[sale["_id"]]
        paid = {"invoice_id": invoice_id, "intent_id": f"HL-{key}", "thirdpartyid": f"HL-{key}"}
        save_payment(tenant, paid | {"amount": _exact(transaction["amount"]), "_isimport": True})
        back = _exact(transaction.get("amountRefunded", 0))
        if back:
            body = self._bill(sale, f"{key}-R{back}", -back)
            used = {"creditlinkedtoinvoiceid": invoice_id, "mark_credit_as_used": True}
            save_invoice(tenant, body | used)

    def _bill(self, of: Document, name: str, amount: Decimal) -> dict[str, Any]:
        line = {"qty_order": Decimal(1), "unit_price": amount}
        return self._base(of) | {"thirdpartyinvoicenumber": f"HL-{name}", "lines": [line]}

    def _base(self, of: Document) -> dict[str, Any]:
        contact = of.get("contactSnapshot") or self._store.contacts.get(of.get("contactId", ""), {})
        client = self._clients.get(normalised(contact.get("email")), UNKNOWN_CLIENT)
        return {"client_id": client, "currency_code": _CODES[of["currency"]], **_QUIET}


def _exact(value: Any) -> Decimal:
    return Decimal(str(value))
