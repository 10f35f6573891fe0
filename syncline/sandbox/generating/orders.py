"""A location's data, made from a seed: contacts, orders, and what belongs to them.

The data holds what real data holds and code trips over: shared and missing e-mail addresses,
several currencies, taxes that round, rows in test mode, statuses nobody documented.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.generating.payments import Payments
from syncline.sandbox.generating.renewals import add_renewals
from syncline.sandbox.generating.subscriptions import add_subscriptions
from syncline.sandbox.location.forms import alphanumeric, digits_of, number, object_id, stamp
from syncline.sandbox.location.store import Document, Store, quirks_of

_FIRST = (
    "Ada", "Zoë", "Łukasz", "María José", "Seán", "Jürgen", "Chloé", "Ngọc", "Björk", "Omar",
    "Grace", "Linus", "花子", "Иван", "Priya", "Noah", 'Dwayne "Rock"', "Anne-Marie", "Kofi", "Yu",
)  # fmt: skip
_LAST = (
    "O'Brien", "Müller", "Sørensen", "García López", "D'Angelo", "Nguyễn", "Smith", "Okafor",
    "Ærø", "van der Berg", "山田", "Петров", "Haddad", "Kowalska", "Ng", "Fitz-Gerald", "Iñárritu",
)  # fmt: skip
_COMPANY = (
    "Müller & Söhne GmbH", "Blue Heron Supply", "O'Neill Plumbing", 'The "Best" Bakery',
    "山田商店", "Café Ångström", "Acme <Tools> Ltd", "Northwind; Traders", "Łódź Logistics",
)  # fmt: skip
_PRODUCT = (
    ("Starter kit", "PHYSICAL"), ("Onboarding call", "SERVICE"), ("Ceramic mug, 0.3 l", "PHYSICAL"),
    ("Field jacket “Fjäll”", "PHYSICAL"), ("Support plan", "SERVICE"), ("E-book", "DIGITAL"),
    ("Cable 5 m", "PHYSICAL"), ("Licence (1 seat)", "DIGITAL"), ("Installation", "SERVICE"),
    ("Bolt M8 ⌀ 40", "PHYSICAL"), ("Gift card", "DIGITAL"), ("Desk lamp", "PHYSICAL"),
)  # fmt: skip
_PLACE = (
    ("US", "Austin", "TX", "78701"), ("DE", "Köln", "", "50667"), ("GB", "Leeds", "", "LS1 4AP"),
    ("JP", "大阪市", "大阪府", "530-0001"), ("FR", "Besançon", "", "25000"),
)  # fmt: skip
_SOURCE = (
    ("funnel", "one_step_order_form", "Spring funnel"),
    ("website", "store", "Main store"),
    ("payment_link", "payments_dashboard", "Deposit link"),
    ("invoice", None, "Invoice"),
    ("point_of_sale", "tap_to_pay", "Counter"),
)
_TAX_RATES = {"USD": ("8.25", "6.875"), "EUR": ("19", "7"), "GBP": ("20",), "JPY": ("10", "8")}
STATUSES = ("completed",) * 16 + ("pending",) * 2 + ("refunded", "partially_refunded")
UNKNOWN_STATUS = "awaiting_release"
"""A status that no document names: a reader must live with it."""


@dataclass(frozen=True, slots=True)
class Product:
    """One thing that the location sells, with its price in every currency, in minor units."""

    document: Document
    price_ids: dict[str, str]
    prices: dict[str, int]


@dataclass(slots=True)
class Generator:
    """Makes the documents of one location; the same config and `now` give the same ones."""

    config: SandboxConfig
    now: datetime
    store: Store = field(init=False)
    rng: random.Random = field(init=False)
    products: list[Product] = field(init=False)

    def __post_init__(self) -> None:
        self.store = Store(self.config)
        self.rng = random.Random(f"data {self.config.seed}")
        self.products = [self._product(name, kind) for name, kind in _PRODUCT]

    def fill(self) -> Store:
        """Make all contacts, orders, transactions and subscriptions."""
        for index in range(self.config.customers):
            contact = self._contact(index)
            self.store.contacts[contact["id"]] = contact
        self.add_orders(self.config.orders)
        self.add_transactions(self.config.transactions)
        add_subscriptions(self.store, self.rng, self.config.subscriptions, self.now)
        add_renewals(self.store, self.config.renewals, self.now)
        return self.store

    def add_orders(self, count: int, *, now: datetime | None = None) -> list[str]:
        """Make further orders: spread over the configured days, or all created at `now`."""
        contacts = list(self.store.contacts.values())
        made = []
        for _ in range(count):
            order = self._order(self.rng.choice(contacts), now or self._moment())
            self.store.add("orders", order, quirks_of(self.rng))
            made.append(order["_id"])
        return made

    def order(self, now: datetime) -> Document:
        """An order as they are here, created at `now`, that is in no list."""
        return self._order(self.rng.choice(list(self.store.contacts.values())), now)

    def add_transactions(
        self, count: int, *, order_ids: Iterable[str] = (), now: datetime | None = None
    ) -> list[str]:
        """Make further transactions: in the days of their orders, or all created at `now`.

        Args:
            count: how many.
            order_ids: the orders that they pay, each once before any a second time; none is all.
            now: aware UTC; None puts each shortly after its order.

        Raises:
            KeyError: if a named order does not exist.
        """
        orders = [self.store.orders[order_id] for order_id in order_ids]
        payments = Payments(self.store, self.rng, self.now, orders, created=now)
        made = []
        for _ in range(count):
            transaction = payments.next()
            self.store.add("transactions", transaction, quirks_of(self.rng))
            made.append(transaction["_id"])
        return made

    def _moment(self) -> datetime:
        """A time in the configured days, to the millisecond as the API tells it."""
        back = self.rng.randrange(self.config.days * 86_400_000)
        return self.now - timedelta(milliseconds=back)

    def _contact(self, index: int) -> Document:
        rng = self.rng
        first, last = rng.choice(_FIRST), rng.choice(_LAST)
        country, city, state, postal_code = rng.choice(_PLACE)
        contact = {
            "id": alphanumeric(rng),
            "locationId": self.config.location,
            "firstName": first,
            "lastName": last,
            "name": f"{first} {last}",
            "email": self._email(index),
            "phone": f"+1555{index:07}",
            "type": rng.choice(("lead", "customer")),
            "address1": f"{rng.randrange(1, 400)} Main Street",
            "city": city,
            "state": state,
            "postalCode": postal_code,
            "country": country,
            "dateAdded": stamp(self.now - timedelta(days=self.config.days + rng.randrange(300))),
        }
        if rng.random() < 0.3:
            contact["companyName"] = f"{rng.choice(_COMPANY)} {index}"
        if self.config.namesakes:
            contact |= {"firstName": "John", "lastName": "Smith", "name": "John Smith"}
            contact.pop("companyName", None)
        return contact

    def _email(self, index: int) -> str | None:
        """An address of its own; some share one in another case and some have none."""
        if index % 17 == 16:
            return None
        if index % 13 == 12:
            others = [c["email"] for c in self.store.contacts.values() if c["email"]]
            return str(self.rng.choice(others)).upper()
        return f"buyer.{self.config.seed}.{index}@example.com"

    def _product(self, name: str, kind: str) -> Product:
        rng, now = self.rng, stamp(self.now - timedelta(days=400))
        document = {
            "_id": object_id(rng, self.now - timedelta(days=400)),
            "locationId": self.config.location,
            "name": name,
            "description": f"{name}, as shown",
            "productType": kind,
            "availableInStore": True,
            "taxes": [],
            "variants": [],
            "createdAt": now,
            "updatedAt": now,
        }
        cents = rng.randrange(99, 25_000)
        prices = {code: _rescaled(cents, code) for code in self.config.currencies}
        return Product(document, {code: object_id(rng, self.now) for code in prices}, prices)

    def _order(self, contact: Document, created: datetime) -> Document:
        rng, index = self.rng, len(self.store.orders)
        currency = self._currency(index)
        chosen = rng.sample(self.products, rng.randrange(1, 6))
        items = [self._item(product, currency) for product in chosen]
        live = rng.random() >= 0.06
        kind, sub_type, source_name = rng.choice(_SOURCE)
        updated = min(self.now, created + timedelta(seconds=rng.randrange(86_400)))
        order: Document = {
            "_id": object_id(rng, created),
            "altId": self.config.location,
            "altType": "location",
            "contactId": contact["id"],
            "currency": currency,
            "status": UNKNOWN_STATUS if index % 97 == 41 else rng.choice(STATUSES),
            "fulfillmentStatus": rng.choice(("unfulfilled",) * 8 + ("fulfilled",)),
            "liveMode": live,
            "markAsTest": not live,
            "createdAt": stamp(created),
            "updatedAt": stamp(max(created, updated)),
            "contactSnapshot": snapshot(contact),
            "source": {
                "type": kind,
                **({"subType": sub_type} if sub_type else {}),
                "id": object_id(rng, created),
                "name": source_name,
            },
            "items": items,
            "trackingId": f"trk-{rng.getrandbits(64):016x}",
            "automaticTaxesCalculated": False,
        }
        self._sum_up(order, currency)
        return order

    def _currency(self, index: int) -> str:
        """Mostly the first; each other one for certain now and then."""
        others = self.config.currencies[1:]
        return (
            others[index // 6 % len(others)]
            if others and index % 6 == 5
            else (self.config.currencies[0])
        )

    def _item(self, product: Product, currency: str) -> Document:
        price_id = product.price_ids[currency]
        return {
            "_id": object_id(self.rng, self.now),
            "locationId": self.config.location,
            "name": product.document["name"],
            "qty": self.rng.choice((1, 1, 1, 2, 3, 5)),
            "product": dict(product.document),
            "price": {
                "_id": price_id,
                "name": "Standard",
                "type": "one_time",
                "currency": currency,
                "amount": _major(product.prices[currency], currency),
                "variantOptionIds": [],
                "product": product.document["_id"],
            },
        }

    def _sum_up(self, order: Document, currency: str) -> None:
        """Discount, taxes, shipping and the amount, exact in minor units."""
        rng, unit = self.rng, Decimal(1).scaleb(-digits_of(currency))
        subtotal = sum(
            (Decimal(item["price"]["amount"]) * item["qty"] for item in order["items"]), Decimal(0)
        )
        discount = Decimal(0)
        if rng.random() < 0.25:
            share = Decimal(rng.choice((5, 10, 15, 33))) / 100
            discount = (subtotal * share).quantize(unit, ROUND_HALF_UP)
            order["coupon"] = {"_id": object_id(rng, self.now), "code": "FEST10"}
        base = subtotal - discount
        if self.config.highlevel_shape == "rich":
            taxes = self._taxes(base, currency, unit)
        else:
            taxes = self._taxes_by_item(order["items"], base / subtotal, currency, unit)
        shipping = Decimal(rng.choice((5, 12))) - unit if rng.random() < 0.2 else Decimal(0)
        tax = sum((Decimal(entry["amount"]) for entry in taxes), Decimal(0))
        order["taxSummary"] = taxes
        order["amountSummary"] = {
            "subtotal": number(subtotal),
            "discount": number(discount),
            "tax": number(tax),
            **({"shipping": number(shipping)} if shipping else {}),
        }
        order["amount"] = number(subtotal - discount + tax + shipping)

    def _taxes(self, base: Decimal, currency: str, unit: Decimal) -> list[Document]:
        rng = self.rng
        if rng.random() < 0.5:
            return []
        rates = _TAX_RATES.get(currency, ("5",))
        return [
            {
                "_id": object_id(rng, self.now),
                "name": f"Tax {rate} %",
                "calculation": "exclusive",
                "rate": number(Decimal(rate)),
                "amount": number((base * Decimal(rate) / 100).quantize(unit, ROUND_HALF_UP)),
            }
            for rate in rng.sample(rates, 1 if rng.random() < 0.8 else len(rates))
        ]

    def _taxes_by_item(
        self, items: list[Document], left: Decimal, currency: str, unit: Decimal
    ) -> list[Document]:
        """Taxes that each product has or has not, as the printed events show them.

        Args:
            items: of the order; their products get their taxes.
            left: the part of the items' prices that a discount leaves.
            currency: the order's.
            unit: the smallest amount in it.
        """
        rng = self.rng
        summed: dict[str, Document] = {}
        for item in items:
            taxed = rng.random() < 0.6
            rates = _TAX_RATES.get(currency, ("5",))
            rate = rng.choice(rates) if taxed else None
            item["product"]["taxes"] = [] if rate is None else [_tax(rate)]
            if rate is None:
                continue
            tax = summed.setdefault(rate, {**_tax(rate), "amount": Decimal(0)})
            net = Decimal(item["price"]["amount"]) * item["qty"] * left
            tax["amount"] += net * Decimal(rate) / 100
        return [
            {**tax, "amount": number(tax["amount"].quantize(unit, ROUND_HALF_UP))}
            for tax in summed.values()
        ]


def _tax(rate: str) -> Document:
    return {
        "_id": f"63770f5cecf29878{Decimal(rate) * 1000:08.0f}",
        "name": f"Tax {rate} %",
        "calculation": "exclusive",
        "rate": number(Decimal(rate)),
    }


def snapshot(contact: Document) -> Document:
    """A contact as a single read shows it: snake_case, with lower-case copies of the names."""
    shown: dict[str, Any] = {
        "id": contact["id"],
        "location_id": contact["locationId"],
        "first_name": contact["firstName"],
        "last_name": contact["lastName"],
        "first_name_lower_case": contact["firstName"].lower(),
        "last_name_lower_case": contact["lastName"].lower(),
        "full_name_lower_case": contact["name"].lower(),
        "email": contact["email"],
        "phone": contact["phone"],
        "company_name": contact.get("companyName"),
        "type": contact["type"],
        "address1": contact["address1"],
        "city": contact["city"],
        "state": contact["state"],
        "postal_code": contact["postalCode"],
        "country": contact["country"],
        "date_added": contact["dateAdded"],
    }
    return {key: value for key, value in shown.items() if value is not None}


def _rescaled(cents: int, currency: str) -> int:
    """A price in minor units of about the same worth in figures: 19.99 is 1999 yen."""
    return cents if digits_of(currency) != 3 else cents * 10 + 5


def _major(minor: int, currency: str) -> Decimal | int:
    return number(Decimal(minor).scaleb(-digits_of(currency)))
