"""Transactions, made from a seed for the orders that are there.

They hold what real money does: deposits and rests, attempts that fail first, double charges,
refunds in whole and in part, payments of nothing, payments of no order.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal

from syncline.sandbox.location.forms import digits_of, number, object_id, stamp
from syncline.sandbox.location.store import PAID_STATUSES, Document, Store


@dataclass(slots=True)
class Payments:
    """The transactions to come of some orders.

    Every order is paid in turn; after that come the rests of those paid in part, further attempts,
    double charges, and payments of no order.

    Attributes:
        now: the end of the generated days, aware UTC.
        orders: those to pay; none is all of the store.
        created: when all of them are made; None puts each shortly after its order.
    """

    store: Store
    rng: random.Random
    now: datetime
    orders: list[Document] = field(default_factory=list)
    created: datetime | None = None
    _unpaid: deque[Document] = field(init=False)
    _part_paid: deque[Document] = field(init=False, default_factory=deque)
    _paid: dict[str, Decimal] = field(init=False)

    def __post_init__(self) -> None:
        self.orders = self.orders or list(self.store.orders.values())
        self._paid = paid_by_order(self.store.transactions.values())
        tried = {entry.get("entityId") for entry in self.store.transactions.values()}
        self._unpaid = deque(order for order in self.orders if order["_id"] not in tried)
        self._part_paid.extend(order for order in self.orders if order["_id"] in self._paid)

    def next(self) -> Document:
        """One more transaction; it is not in the store yet."""
        if self._unpaid:
            transaction = self._first(self._unpaid.popleft())
        elif not self.orders or self.rng.random() < 0.08:
            transaction = self._bare()
        elif self.rng.random() < 0.6 and (order := self._lacking()) is not None:
            transaction = self._rest_payment(order)
        else:
            transaction = self._attempt(self.rng.choice(self.orders))
        self._refund_some(transaction)
        return transaction

    def _first(self, order: Document) -> Document:
        """Mostly the payment of the whole; a deposit, a failure, too much or nothing otherwise."""
        rng, whole = self.rng, Decimal(order["amount"])
        draw = rng.random()
        if order["status"] == "pending" and draw < 0.8:
            return self._transaction(order, "pending", whole)
        amount, status = whole, "succeeded"
        if draw < 0.14:
            amount = _part(whole, order["currency"], rng.choice((2, 3, 4)))
        elif draw < 0.18:
            status = "failed"
        elif draw < 0.20:
            amount = whole + _part(whole, order["currency"], 10)
        elif draw < 0.22:
            amount = Decimal(0)
        elif draw < 0.27:
            status = "captured"
        transaction = self._transaction(order, status, amount)
        if rng.random() < 0.03:
            transaction["mergedFromContactId"] = order["contactId"][::-1]
        return transaction

    def _rest_payment(self, order: Document) -> Document:
        """What an order lacks, or half of it."""
        rest = self._rest(order)
        if self.rng.random() < 0.2:
            rest = _part(rest, order["currency"], 2) or rest
        return self._transaction(order, "succeeded", rest)

    def _attempt(self, order: Document) -> Document:
        """One that brings nothing in, or now and then a second charge of the whole."""
        draw = self.rng.random()
        status = "failed" if draw < 0.5 else "pending" if draw < 0.93 else "succeeded"
        return self._transaction(order, status, Decimal(order["amount"]))

    def _lacking(self) -> Document | None:
        """The next order that is paid in part; one charged twice meanwhile lacks nothing."""
        while self._part_paid:
            order = self._part_paid.popleft()
            if self._rest(order) > 0:
                return order
        return None

    def _rest(self, order: Document) -> Decimal:
        return Decimal(order["amount"]) - self._paid.get(order["_id"], Decimal(0))

    def _transaction(self, order: Document, status: str, amount: Decimal) -> Document:
        rng = self.rng
        moment = datetime.fromisoformat(order["createdAt"])
        created = self.created or moment + timedelta(seconds=rng.randrange(1, 30))
        if status in PAID_STATUSES:
            self._paid[order["_id"]] = self._paid.get(order["_id"], Decimal(0)) + amount
            # One deposit in seven is never followed by the rest.
            if amount and self._rest(order) > 0 and rng.random() < 6 / 7:
                self._part_paid.append(order)
        return {
            **self._made(created, order["currency"], amount, status),
            "contactId": order["contactId"],
            "contactSnapshot": order["contactSnapshot"],
            "liveMode": order["liveMode"],
            "markAsTest": order["markAsTest"],
            "updatedAt": stamp(created + timedelta(seconds=rng.randrange(5))),
            "entityType": "order",
            "entityId": order["_id"],
            "entitySource": dict(order["source"]),
            "receiptId": object_id(rng, created),
        }

    def _bare(self) -> Document:
        """A payment that belongs to no order, such as one taken by hand."""
        rng, config = self.rng, self.store.config
        contacts = list(self.store.contacts.values())
        silent = [contact for contact in contacts if not contact["email"]]
        contact = rng.choice(silent if silent and rng.random() < 0.25 else contacts)
        back = timedelta(seconds=rng.randrange(config.days * 86_400))
        created = self.created or self.now - back
        currency = rng.choice(config.currencies)
        amount = Decimal(rng.randrange(100, 50_000)).scaleb(-digits_of(currency))
        live = rng.random() >= 0.06
        return {
            **self._made(created, currency, amount, "succeeded"),
            "contactId": contact["id"],
            "liveMode": live,
            "markAsTest": not live,
            "updatedAt": stamp(created),
            "entitySource": {"type": "manual", "id": object_id(rng, created), "name": "Manual"},
        }

    def _made(self, created: datetime, currency: str, amount: Decimal, status: str) -> Document:
        """What every transaction has."""
        charge = f"ch_{self.rng.getrandbits(80):020x}"
        return {
            "_id": object_id(self.rng, created),
            "altType": "location",
            "altId": self.store.config.location,
            "currency": currency,
            "amount": number(amount),
            "status": status,
            "createdAt": stamp(created),
            "chargeId": charge,
            "chargeSnapshot": _charge(charge, self.rng),
            "paymentProvider": provider(self.rng),
            "isParent": False,
            "qboSynced": False,
        }

    def _refund_some(self, transaction: Document) -> None:
        """Give back as the order's status says, and a part of a few others."""
        amount = Decimal(transaction["amount"])
        if transaction["status"] != "succeeded" or not amount:
            return
        order = self.store.orders.get(transaction.get("entityId", ""), {})
        wholly, partly = (order.get("status") == s for s in ("refunded", "partially_refunded"))
        back = amount
        if not wholly:
            if not partly and self.rng.random() >= 0.04:
                return
            back = _part(amount, transaction["currency"], 3)
        if not back:
            return
        transaction["amountRefunded"] = number(back)
        if self.rng.random() < 0.5:
            transaction["status"] = "refunded" if back == amount else "partially_refunded"
        given_back = datetime.fromisoformat(transaction["createdAt"]) + timedelta(hours=20)
        transaction["updatedAt"] = max(transaction["updatedAt"], stamp(min(self.now, given_back)))


def paid_by_order(transactions: Iterable[Document]) -> dict[str, Decimal]:
    """Order id to what came in for it, refunds not taken off."""
    paid: dict[str, Decimal] = {}
    for transaction in transactions:
        if "entityId" in transaction and transaction["status"] in PAID_STATUSES:
            before = paid.get(transaction["entityId"], Decimal(0))
            paid[transaction["entityId"]] = before + Decimal(transaction["amount"])
    return paid


def provider(rng: random.Random) -> Document:
    """The payment provider's account, one of many."""
    account = f"acct_{rng.getrandbits(48):012x}"
    return {"type": "stripe", "connectedAccount": {"accountId": account}}


def _part(amount: Decimal, currency: str, parts: int) -> Decimal:
    """About one of so many parts, in the currency's minor digits."""
    return (amount / parts).quantize(Decimal(1).scaleb(-digits_of(currency)), ROUND_DOWN)


def _charge(charge: str, rng: random.Random) -> Document:
    card = {"brand": rng.choice(("visa", "mastercard")), "last4": f"{rng.randrange(10_000):04}"}
    return {"id": charge, "object": "charge", "payment_method_details": {"card": card}}
