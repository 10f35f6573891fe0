"""Orders in canonical form: given ones, and any that adds up."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from syncline.money import minor_digits

CURRENCIES = ("USD", "EUR", "JPY", "KWD")


NO_REST = st.just(0)


def order(currency: str = "USD", **fields: Any) -> dict[str, Any]:
    return {"id": "o1", "currency": currency, "amount": "0", "items": [], **fields}


def item(unit_price: str, qty: str = "1", key: str = "p1", **more: Any) -> dict[str, Any]:
    return {"key": key, "name": f"Item {key}", "qty": qty, "unit_price": unit_price, **more}


@st.composite
def orders(draw: st.DrawFn, rest: st.SearchStrategy[int] = NO_REST) -> dict[str, Any]:
    currency = draw(st.sampled_from(CURRENCIES))
    unit = Decimal(1).scaleb(-minor_digits(currency))
    minor = st.integers(0, 10**7)
    items = [
        item(str(draw(minor) * unit), str(draw(st.integers(0, 9))), key=f"p{at}")
        for at in range(draw(st.integers(0, 6)))
    ]
    subtotal = sum((Decimal(one["unit_price"]) * int(one["qty"]) for one in items), Decimal(0))
    discount, tax, shipping = (draw(minor) * unit for _ in range(3))
    amount = subtotal - discount + tax + shipping + draw(rest) * unit
    return order(
        currency,
        items=items,
        discount=str(discount),
        tax=str(tax),
        shipping=str(shipping),
        amount=str(amount),
    )
