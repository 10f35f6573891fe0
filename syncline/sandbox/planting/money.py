"""Money planted into the emulated Halo as another tool would have made it, without our references.

Invoices of orders and of payments of no order, payments, credits, recurring invoices; some are
near-misses. The truth of it is told to whoever plants.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from syncline.sandbox.audit.money import is_due
from syncline.sandbox.audit.rows import exact
from syncline.sandbox.halo.money.invoices import save_invoice
from syncline.sandbox.halo.money.payments import save_payment
from syncline.sandbox.halo.money.recurring import save_recurring
from syncline.sandbox.halo.tenant.catalogue import CURRENCIES
from syncline.sandbox.halo.tenant.store import UNKNOWN_CLIENT, Row, stamp
from syncline.sandbox.halo.tenant.tenant import Tenant
from syncline.sandbox.location.forms import normalised
from syncline.sandbox.location.store import Document, Store, is_owed

MoneyNearMiss = Literal["amount", "twins", "date"]

_DAYS_OFF = 5
_QUIET = {"_dont_fire_automations": True, "_isimport": True}
_CODES = {str(row["code"]): int(row["id"]) for row in CURRENCIES.values()}


@dataclass(slots=True)
class MoneyTruth:
    """What was planted: the rows in Halo by order, transaction or subscription.

    Attributes:
        invoices: by order, or by transaction without one.
        payments: by transaction.
        credits: by transaction.
        subscriptions: by subscription.
        billing: the recurring invoices among them that make invoices by themselves.
        near_misses: `invoice`, `payment` or `credit` and the id → in what it is one.
    """

    invoices: dict[str, int] = field(default_factory=dict)
    payments: dict[str, int] = field(default_factory=dict)
    credits: dict[str, int] = field(default_factory=dict)
    subscriptions: dict[str, int] = field(default_factory=dict)
    billing: list[int] = field(default_factory=list)
    near_misses: dict[str, MoneyNearMiss] = field(default_factory=dict)


@dataclass(slots=True)
class MoneyPlanter:
    """Plants money beside the orders that were planted before.

    Attributes:
        store: both services' data.
        tenant: Halo's.
        users: the user of each e-mail address.
        share: the share of the orders, payments and subscriptions that Halo is to hold.
        near_misses: the share of those that are near-misses.
        billing: the share of the recurring invoices that make invoices by themselves.
        rng: fixes which.
    """

    store: Store
    tenant: Tenant
    users: Mapping[str, Row]
    share: float
    near_misses: float
    billing: float
    rng: random.Random
    _truth: MoneyTruth = field(init=False, default_factory=MoneyTruth)
    _seen: Counter[object] = field(init=False, default_factory=Counter)

    def plant(self, planted: Mapping[str, int]) -> MoneyTruth:
        """Plant it; `planted` is HighLevel's order → Halo's."""
        sold = [*self.store.orders.values(), *self._of_no_order()]
        self._seen = Counter(_looks(one) for one in sold)
        for order_id, halo_id in planted.items():
            if self.rng.random() < self.share:
                self._bill(self.store.orders[order_id], halo_id)
        for order_id, order in self.store.orders.items():
            # Some tools write the invoice alone; then only its number tells whose it is.
            if order_id not in planted and self.rng.random() < self.share / 2:
                self._bill(order, None)
        for transaction in self._of_no_order():
            if self.rng.random() < self.share and exact(transaction["amount"]):
                self._bill(transaction, None)
        for subscription in self.store.subscriptions.values():
            if self.rng.random() < self.share and is_owed(self.store, subscription):
                self._subscribe(subscription)
        return self._truth

    def _of_no_order(self) -> list[Document]:
        return [
            one
            for one in self.store.transactions.values()
            if "entityId" not in one and is_due(self.store, one)
        ]

    def _bill(self, document: Document, halo_order: int | None) -> None:
        """An invoice with its order, its number or both, and what was paid on it."""
        source = str(document["_id"])
        styles: list[Row] = [
            {"reference": f"WC-{source}"},
            {"thirdpartyinvoicenumber": source},
            {"thirdpartyinvoicenumber": f"R-{self.rng.randrange(10**6):06}", "notes_1": source},
        ]
        if halo_order is not None:
            styles += [{"salesorder_id": halo_order}] * 3
        elif "entityId" not in document and self._seen[_looks(document)] == 1 and _email(document):
            styles.append({"thirdpartyinvoicenumber": f"R-{self.rng.randrange(10**6):06}"})
        numbers = self.rng.choice(styles)
        if self._misses():
            self._bill_nearly(document, self.rng.choice(styles[:3]), halo_order)
            return
        invoice = self._invoice(document, _amount(document), **numbers)
        self._truth.invoices[source] = invoice
        paid = self._paid(document)
        for transaction in paid:
            if self.rng.random() < self.share:
                # Of several on one invoice, another may be taken for the near-miss.
                self._pay(transaction, invoice, alone=len(paid) == 1)

    def _bill_nearly(self, document: Document, numbers: Row, halo_order: int | None) -> None:
        source = str(document["_id"])
        if halo_order is not None:
            numbers = {**numbers, "salesorder_id": halo_order}
        if self.rng.random() < 0.5:
            self._truth.near_misses[f"invoice {source}"] = "twins"
            for _ in range(2):
                self._invoice(document, _amount(document), **numbers)
        else:
            self._truth.near_misses[f"invoice {source}"] = "amount"
            self._invoice(document, _amount(document) + _unit(document), **numbers)

    def _paid(self, document: Document) -> list[Document]:
        """The transactions that stand on a document's invoice."""
        every = [one for one in self.store.transactions.values() if is_due(self.store, one)]
        source = document["_id"]
        return [one for one in every if one.get("entityId", one["_id"]) == source]

    def _misses(self) -> bool:
        return self.rng.random() < self.near_misses

    def _pay(self, transaction: Document, invoice: int, *, alone: bool) -> None:
        source, amount = str(transaction["_id"]), _amount(transaction)
        charge = transaction["chargeId"]
        numbers: Row = self.rng.choice(
            ({"intent_id": charge}, {"thirdpartyid": charge}, {}, {"intent_id": f"pi_{source}"})
        )
        when = datetime.fromisoformat(transaction["createdAt"])
        nearly = alone and self._misses()
        if nearly:
            kind: MoneyNearMiss = self.rng.choice(("amount", "date"))
            self._truth.near_misses[f"payment {source}"] = kind
            numbers = {}
            if kind == "amount":
                amount += _unit(transaction)
            else:
                when += timedelta(days=_DAYS_OFF)
        paid = {"invoice_id": invoice, "amount": amount, "date": stamp(when), **numbers}
        row = int(save_payment(self.tenant, {**paid, "_isimport": True})["id"])
        if not nearly:
            self._truth.payments[source] = row
        back = exact(transaction.get("amountRefunded"))
        if back and self.rng.random() < self.share:
            self._give_back(transaction, back, invoice, nearly=alone and self._misses())

    def _give_back(
        self, transaction: Document, back: Decimal, invoice: int, *, nearly: bool
    ) -> None:
        source = str(transaction["_id"])
        amount = back + _unit(transaction) if nearly else back
        row = self._invoice(
            transaction,
            -amount,
            creditlinkedtoinvoiceid=invoice,
            mark_credit_as_used=True,
            client_id=self.tenant.store.invoices[invoice]["client_id"],
            sitenumber=self.tenant.store.invoices[invoice]["sitenumber"],
        )
        if nearly:
            self._truth.near_misses[f"credit {source}"] = "amount"
        else:
            self._truth.credits[source] = row

    def _subscribe(self, subscription: Document) -> None:
        source = str(subscription["_id"])
        bills = self.rng.random() < self.billing
        row = self._invoice(
            subscription,
            _amount(subscription),
            reference=f"Plan {source}",
            disabled=not bills,
            saves=save_recurring,
        )
        self._truth.subscriptions[source] = row
        if bills:
            self._truth.billing.append(row)

    def _invoice(
        self,
        document: Document,
        amount: Decimal,
        saves: Callable[[Tenant, Row], Row] = save_invoice,
        **fields: object,
    ) -> int:
        email = _email(document) or self._address_of(document)
        user = self.users.get(email)
        when = datetime.fromisoformat(document["createdAt"])
        row: Row = {
            "client_id": user["client_id"] if user else UNKNOWN_CLIENT,
            "currency_code": _CODES[document["currency"]],
            "invoice_date": stamp(when),
            "internal_note": "by another tool",
            "lines": [
                {"item_shortdescription": "As sold", "qty_order": Decimal(1), "unit_price": amount}
            ],
            **fields,
            **_QUIET,
        }
        return int(saves(self.tenant, row)["id"])

    def _address_of(self, document: Document) -> str:
        contact = self.store.contacts.get(document.get("contactId", ""), {})
        return normalised(contact.get("email")) or ""


def _email(document: Document) -> str:
    return normalised(document.get("contactSnapshot", {}).get("email")) or ""


def _looks(document: Document) -> object:
    """By what a document can be told without a number."""
    return document["currency"], _amount(document)


def _amount(document: Document) -> Decimal:
    return Decimal(str(document["amount"]))


def _unit(document: Document) -> Decimal:
    return Decimal(1).scaleb({"JPY": 0, "KWD": -3}.get(document["currency"], -2))
