"""How many of each item were ordered: as told, else as the amounts of the order decide it.

A quantity that is not told counts as one, and what that leaves unexplained of the amount is told as
such. One that stands there and is no number is never made up: goods would be sold and sent by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from syncline.errors import Unmappable
from syncline.money import decimal, quantize

FIELD = "lines.quantity"

_ONE = Decimal(1)
_PARTS = ("amount", "discount", "tax", "shipping")


def quantities(order: Mapping[str, Any]) -> list[Decimal]:
    """The quantity of each item of an order, in their order.

    Raises:
        Unmappable: one stands there and is none, and the amounts do not decide it.
    """
    items = order.get("items") or ()
    told = [_told(item) for item in items]
    if None not in told:
        return [one for one in told if one is not None]
    decided = _decided(order, items, told)
    return [
        _undecided(item) if one is None else one for item, one in zip(items, decided, strict=True)
    ]


def are_told(order: Mapping[str, Any]) -> bool:
    """Whether the quantities of all items are told, or decided by the amounts."""
    items = order.get("items") or ()
    return None not in _decided(order, items, [_told(item) for item in items])


def _told(item: Mapping[str, Any]) -> Decimal | None:
    return None if item.get("qty") is None else decimal(item["qty"], FIELD)


def _undecided(item: Mapping[str, Any]) -> Decimal:
    """One, of which nobody says how many.

    Raises:
        Unmappable: somebody says so, and it is no number.
    """
    said = item.get("unreadable_qty")
    if said is None:
        return _ONE
    name = item.get("name") or item.get("key") or "Item"
    raise Unmappable(
        f"The quantity of the item {name} is not readable: {said!r:.80}. The amounts of the order "
        "do not decide it.",
        field=FIELD,
        remedy='Correct it in HighLevel, or set lines = "summary" in the mapping. Then retry.',
    )


def _decided(
    order: Mapping[str, Any],
    items: Sequence[Mapping[str, Any]],
    told: Sequence[Decimal | None],
) -> list[Decimal | None]:
    """The quantities with those that only one number can be, by what the items come to.

    That is a single unknown one if it is a whole number; several if they come to what one of each
    does, since any other would be dearer.
    """
    prices = [_price(item) for item in items]
    goods, unknown = _goods(order), [at for at, one in enumerate(told) if one is None]
    if not unknown or goods is None or None in prices:
        return list(told)
    currency = str(order["currency"])
    known = [one for one in prices if one is not None]
    rest = goods - sum(
        quantize(one * price, currency)
        for one, price in zip(told, known, strict=True)
        if one is not None
    )
    sought = [known[at] for at in unknown]
    found = _single(sought[0], rest, currency) if len(unknown) == 1 else _each(sought, rest)
    return [found if one is None else one for one in told]


def _single(price: Decimal, rest: Decimal, currency: str) -> Decimal | None:
    """The whole number of pieces that comes to an amount; None where none or several do."""
    if price <= 0 or rest <= 0:
        return None
    nearest = (rest / price).to_integral_value()
    fits = [
        one
        for one in (nearest - 1, nearest, nearest + 1)
        if one > 0 and quantize(one * price, currency) == rest
    ]
    return fits[0] if len(fits) == 1 else None


def _each(prices: Sequence[Decimal], rest: Decimal) -> Decimal | None:
    return _ONE if min(prices) > 0 and sum(prices) == rest else None


def _price(item: Mapping[str, Any]) -> Decimal | None:
    told = item.get("unit_price")
    return None if told is None else decimal(told, "lines.baseprice")


def _goods(order: Mapping[str, Any]) -> Decimal | None:
    """What the items come to, if that is told, and not in two ways that differ."""
    currency = order.get("currency")
    parts = [order.get(name) for name in _PARTS]
    told = set()
    if order.get("subtotal") is not None:
        told.add(decimal(order["subtotal"], "subtotal"))
    if None not in parts:
        amount, discount, tax, shipping = (
            decimal(one, name) for one, name in zip(parts, _PARTS, strict=True)
        )
        told.add(amount + discount - tax - shipping)
    return told.pop() if currency and len(told) == 1 else None
