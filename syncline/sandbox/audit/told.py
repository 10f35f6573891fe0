"""What HighLevel tells of a document, so that nobody is asked for what nobody was told.

All of it is taken from what the API shows of the document, in its list and alone. Enough is told to
demand a row where id, place, currency and amount can be read; what a row must hold beyond these is
demanded as far as it is told as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.highlevel.rows import present_row, single
from syncline.sandbox.location.forms import digits_of
from syncline.sandbox.location.store import Document, Store

_MOST = Decimal(10) ** 12
"""No amount is above it: what claims to be cannot be read."""


@dataclass(frozen=True, slots=True)
class Told:
    """What of one document is told.

    Attributes:
        row: enough to demand its row at all.
        status: what state it is in.
        refund: how much of it went back.
        tax: how much of its amount is tax.
        items: what it consists of, as it is told; None where it is not.
        email: the customer's address; None where none is told.
    """

    row: bool
    status: bool
    refund: bool
    tax: bool
    items: list[Document] | None
    email: str | None


class Telling:
    """Reads what the location shows of its documents.

    Args:
        store: the location's data.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        # A location without a dial tells everything of everything.
        self._everything = not store.config.nonsense and store.config.highlevel_shape == "rich"
        self._known: dict[str, Told] = {}

    def of(self, kind: str, document: Document) -> Told:
        """What is told of a document of `orders`, `transactions` or `subscriptions`."""
        if self._everything:
            email = document.get("contactSnapshot", {}).get("email") or self._contact(document)
            return Told(True, True, True, True, document.get("items", []), email)
        known = self._known.get(document["_id"])
        if known is None:
            known = self._known[document["_id"]] = self._told(kind, document)
        return known

    def is_decidable(self, kind: str, document: Document) -> bool:
        """Whether enough is told of a document, and of the order that it hangs on."""
        told = self.of(kind, document)
        order = self._store.orders.get(document.get("entityId", ""))
        of_order = order is None or self.of("orders", order).row
        return told.row and of_order and (kind != "transactions" or told.status)

    def _told(self, kind: str, document: Document) -> Told:
        row, alone = present_row(self._store, kind, document), single(self._store, document, "")
        views = (alone, row)
        return Told(
            row=_is_placed(self._store.config, document, views),
            status=any(one.get("status") == document["status"] for one in views),
            refund="amountRefunded" not in document
            or any(_number(one.get("amountRefunded")) is not None for one in views),
            tax=_tells_tax(document, alone),
            items=alone["items"] if _tells_items(alone) else None,
            email=_email(alone, row),
        )

    def enough(self, kind: str, documents: Iterable[Document]) -> list[Document]:
        """Those of which enough is told to demand a row."""
        return [one for one in documents if self.is_decidable(kind, one)]

    def _contact(self, document: Document) -> str | None:
        email: str | None = self._store.contacts.get(document.get("contactId", ""), {}).get("email")
        return email


def _is_placed(config: SandboxConfig, document: Document, views: tuple[Document, ...]) -> bool:
    return all(
        one.get("_id") == document["_id"]
        and one.get("altId") == config.location
        and one.get("currency") == document["currency"]
        and _number(one.get("amount")) == Decimal(document["amount"])
        for one in views
    )


def _tells_tax(order: Document, alone: Document) -> bool:
    """Whether the tax stands there, is nothing, or follows from the rates of the items."""
    summary = alone.get("amountSummary")
    if not isinstance(summary, dict):
        return False
    if "tax" in (order.get("amountSummary") or {}) and _number(summary.get("tax")) is not None:
        return True
    net, discount = _number(summary.get("subtotal")), _number(summary.get("discount", 0))
    amount = _number(alone.get("amount"))
    if net is None or discount is None or amount is None:
        return False
    rest = amount - net + discount
    return not rest or _rates_explain(order, alone, rest, net - discount)


def _rates_explain(order: Document, alone: Document, rest: Decimal, left: Decimal) -> bool:
    """Whether the items' rates make up what is left, to half a minor unit each."""
    if not _tells_items(alone) or rest != Decimal(order["amountSummary"].get("tax", 0)):
        return False
    net, tax, parts = Decimal(0), Decimal(0), 0
    for item in alone["items"]:
        price = Decimal(str(item["price"]["amount"])) * Decimal(str(item["qty"]))
        net += price
        for rate in item["product"].get("taxes") or ():
            if not isinstance(rate, dict):
                return False
            tax += price * Decimal(str(rate["rate"])) / 100
            parts += 1
    unit = Decimal(1).scaleb(-digits_of(str(alone["currency"])))
    return bool(net) and abs(tax * left / net - rest) <= unit * max(parts, 1) / 2


def _tells_items(alone: Document) -> bool:
    items = alone.get("items")
    return isinstance(items, list) and all(
        isinstance(item, dict)
        and isinstance(item.get("name"), str)
        and isinstance(item.get("price"), dict)
        and _number(item["price"].get("amount")) is not None
        and _number(item.get("qty")) is not None
        for item in items
    )


def _email(alone: Document, row: Document) -> str | None:
    contact = alone.get("contactSnapshot")
    told = contact.get("email") if isinstance(contact, dict) else None
    return next((one for one in (told, row.get("contactEmail")) if isinstance(one, str)), None)


def _number(value: Any) -> Decimal | None:
    """A number, or a text that is one; None for what nobody can read as an amount."""
    if isinstance(value, bool) or not isinstance(value, int | str | float | Decimal):
        return None
    try:
        number = Decimal(value if isinstance(value, Decimal) else str(value))
    except (InvalidOperation, ValueError):
        return None
    return number if number.is_finite() and abs(number) < _MOST else None
