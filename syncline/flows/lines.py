"""The lines of a sales order: they sum to the order's amount to the last minor unit, or it parks.

Halo computes a line's net as quantity by base price, rounded to the currency's digits, and its
total as net plus tax; the order's totals are the sums. So only these three numbers are sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from syncline.errors import Unmappable
from syncline.flows.flow import reference_of
from syncline.mapping.options import OrderOptions
from syncline.money import Money, allocate, decimal, minor_digits, quantize, total

PRICE_DIGITS = 5
"""Halo keeps prices as DECIMAL(18,5)."""

_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line before it is written; `weight` is its share in the order's tax."""

    reference: str
    name: str
    quantity: Decimal
    price: Decimal
    net: Money
    weight: Decimal = Decimal(0)


def lines_of(canonical: Mapping[str, Any], options: OrderOptions) -> list[dict[str, Any]]:
    """The lines of an order as Halo takes them, in the order in which they are to stand.

    Raises:
        Unmappable: if the detail is not there, an item is in another currency or has no price, or
            the lines do not sum to the order's amount within the options' limit.
    """
    currency = canonical["currency"]
    amount = Money.of(canonical.get("amount"), currency, "total")
    if options.lines == "summary":
        name = f"Order {reference_of(canonical['id'])}"
        return [_written(_single("HL-order", name, amount), Money.of(0, currency))]
    tax = _amount(canonical, "tax", currency)
    lines = _detail_lines(canonical, currency)
    lines += _adjustment(lines, tax, amount, options)
    # A tax on nothing still has to stand somewhere.
    if not lines and tax.amount:
        lines = [_single("HL-adjustment", "Adjustment", Money.of(0, currency))]
    shares = _shares(lines, tax)
    return [_written(line, share) for line, share in zip(lines, shares, strict=True)]


def single_line(reference: str, name: str, amount: Money, tax: Money) -> dict[str, Any]:
    """One line for a whole amount, in which the tax is contained."""
    return _written(_single(reference, name, amount - tax), tax)


def onto(
    wanted: Sequence[Mapping[str, Any]],
    existing: Sequence[Mapping[str, Any]],
    *,
    merges: bool,
) -> list[dict[str, Any]]:
    """The lines to post to an order that has lines: each takes the id of the one that it was.

    Args:
        wanted: what `lines_of` gave.
        existing: the lines of Halo's row.
        merges: whether this tenant keeps lines that are left out; they are then taken to nothing.
    """
    left = [line for line in existing if line.get("id") is not None]
    posted: list[dict[str, Any]] = [dict(line) for line in wanted]
    for key in ("item_external_reference", "name"):
        for line in posted:
            if "id" in line:
                continue
            twin = next((one for one in left if one.get(key) and one[key] == line[key]), None)
            if twin is not None:
                line["id"] = twin["id"]
                left.remove(twin)
    if merges:
        posted += [
            {"id": line["id"], "quantity": 0, "baseprice": 0, "tax": 0}
            for line in left
            if not is_nothing(line)
        ]
    return posted


def net_of(line: Mapping[str, Any], currency: str) -> Decimal:
    """A line's net as Halo computes it, in major units; as it says itself if it hides its quantity.

    Raises:
        Unmappable: if its numbers are none.
    """
    if line.get("quantity") is None:
        return quantize(_number(line, "net_total"), currency)
    return quantize(_number(line, "quantity") * _number(line, "baseprice"), currency)


def quantity_of(line: Mapping[str, Any], currency: str) -> Decimal | None:
    """How many a line is of: as it says, else the whole number that its net and price tell.

    None where neither tells it.

    Raises:
        Unmappable: if its numbers are none.
    """
    if line.get("quantity") is not None:
        return _number(line, "quantity")
    net, price = _number(line, "net_total"), _number(line, "baseprice")
    if not price:
        return None
    nearest = (net / price).to_integral_value()
    tells = quantize(nearest * price, currency) == quantize(net, currency)
    return nearest if tells else None


def is_nothing(line: Mapping[str, Any]) -> bool:
    """Whether a line was taken back to nothing: no quantity, no amount.

    Raises:
        Unmappable: if its numbers are none.
    """
    amounts = ("net_total", "tax") if line.get("quantity") is None else ("quantity", "tax")
    return not any(_number(line, key) for key in amounts)


def _number(line: Mapping[str, Any], key: str) -> Decimal:
    return decimal(line.get(key) or 0, f"lines.{key}")


def _detail_lines(canonical: Mapping[str, Any], currency: str) -> list[_Line]:
    items = canonical.get("items")
    if items is None:
        raise Unmappable(
            f"Order {canonical['id']} has no items: HighLevel gave none in its detail.",
            field="lines",
            remedy='Set lines = "summary" in the mapping, or add the items, then retry.',
        )
    lines = [_item_line(item, currency) for item in items]
    discount = _amount(canonical, "discount", currency)
    shipping = _amount(canonical, "shipping", currency)
    if discount.amount:
        lines.append(_single("HL-discount", "Discount", -discount))
    if shipping.amount:
        lines.append(_single("HL-shipping", "Shipping", shipping))
    return [line for line in lines if line.quantity]


def _item_line(item: Mapping[str, Any], currency: str) -> _Line:
    name = str(item.get("name") or item.get("key") or "Item")
    if item.get("currency", currency) != currency:
        raise Unmappable(
            f"The item {name} is in {item['currency']}, its order in {currency}.",
            field="lines",
            remedy="Correct the price's currency in HighLevel, then retry.",
        )
    if item.get("unit_price") is None:
        raise Unmappable(f"The item {name} has no price.", field="lines")
    quantity = decimal(item.get("qty", 1), "lines.quantity")
    price = decimal(item["unit_price"], "lines.baseprice").quantize(
        _ONE.scaleb(-PRICE_DIGITS), rounding=ROUND_HALF_UP
    )
    net = Money(quantize(quantity * price, currency), currency)
    reference = f"HL-{item.get('key') or item.get('price_id') or name}"
    return _Line(reference, name, quantity, price, net, weight=max(net.amount, Decimal(0)))


def _adjustment(
    lines: Sequence[_Line], tax: Money, amount: Money, options: OrderOptions
) -> list[_Line]:
    """The line for what the items do not explain, if that is little enough."""
    explained = total((line.net for line in lines), amount.currency) + tax
    rest = amount - explained
    if not rest.amount:
        return []
    if options.adjustment == "park" or abs(rest.amount) > options.adjustment_limit:
        raise Unmappable(
            f"The lines sum to {explained}, but the order's amount is {amount}.",
            field="lines",
            remedy="Compare items, discount, tax and shipping in HighLevel; or raise "
            'adjustment_limit, or set lines = "summary", in the mapping. Then retry.',
        )
    return [_single("HL-adjustment", "Adjustment", rest)]


def _shares(lines: Sequence[_Line], tax: Money) -> list[Money]:
    """Each line's tax: in proportion to the items' nets; with nothing to spread on, all on one."""
    weights = [line.weight for line in lines]
    if not any(weights):
        bearer = next((line for line in lines if line.reference == "HL-adjustment"), None)
        bearer = bearer or next(iter(lines), None)
        weights = [_ONE if line is bearer else Decimal(0) for line in lines]
    return allocate(tax, weights)


def _single(reference: str, name: str, amount: Money) -> _Line:
    return _Line(reference, name, _ONE, amount.amount, amount)


def _amount(canonical: Mapping[str, Any], key: str, currency: str) -> Money:
    value = canonical.get(key)
    return Money.of(0 if value is None else value, currency, key)


def _written(line: _Line, tax: Money) -> dict[str, Any]:
    # Money goes out with its currency's digits; a finer unit price keeps those it needs.
    digits = max(minor_digits(tax.currency), -int(_exponent(line.price)))
    return {
        "name": line.name,
        "item_external_reference": line.reference,
        "quantity": line.quantity,
        "baseprice": line.price.quantize(_ONE.scaleb(-digits)),
        "tax": tax.amount,
    }


def _exponent(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0
