"""The lines of a sales order: they sum to the order's amount to the last minor unit, or it parks.

It parks only where HighLevel contradicts itself. What it does not say stands in a line of its own,
the untold difference: a detail that is read by id tells no tax and no shipping.

Halo computes a line's net as quantity by base price, rounded to the currency's digits, and its
total as net plus tax; the order's totals are the sums. So only these three numbers are sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from math import floor
from typing import Any

from syncline.errors import Unmappable
from syncline.flows.flow import reference_of
from syncline.flows.quantities import are_told, quantities
from syncline.mapping.options import OrderOptions
from syncline.money import Money, allocate, decimal, minor_digits, quantize, total

UNTOLD = "Untold difference"
"""The name of the line for what HighLevel does not tell; certificates list the orders with one."""

PRICE_DIGITS = 5
"""Halo keeps prices as DECIMAL(18,5)."""

_DISCOUNT = "HL-discount"
_SHIPPING = "HL-shipping"
_ADJUSTMENT = "HL-adjustment"
_UNTOLD = "HL-untold"

EXTRAS = frozenset({_DISCOUNT, _SHIPPING, _ADJUSTMENT, _UNTOLD})
"""References of lines that we write beside those of the items; nothing can be shipped of them."""

_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line before it is written.

    Attributes:
        weight: its share in a tax of which nothing else is known.
        rates: of the taxes on its product, in per cent; none is no tax, or none that is told.
    """

    reference: str
    name: str
    quantity: Decimal
    price: Decimal
    net: Money
    weight: Decimal = Decimal(0)
    rates: tuple[Decimal, ...] = ()


def lines_of(canonical: Mapping[str, Any], options: OrderOptions) -> list[dict[str, Any]]:
    """The lines of an order as Halo takes them, in the order in which they are to stand.

    Raises:
        Unmappable: if an item is in another currency, a quantity is not readable, or all is told
            and the lines do not sum to the order's amount within the options' limit.
    """
    currency = canonical["currency"]
    amount = Money.of(canonical.get("amount"), currency, "total")
    if options.lines == "summary":
        name = f"Order {reference_of(canonical['id'])}"
        return [_written(_single("HL-order", name, amount), Money.of(0, currency))]
    tax = _amount(canonical, "tax", currency)
    lines = _detail_lines(canonical, currency)
    rest = amount - total((line.net for line in lines), currency) - tax
    if rest.amount and canonical.get("tax") is None and _by_rates(lines, rest, canonical):
        tax, rest = rest, Money.of(0, currency)
    if rest.amount:
        lines.append(_rest_line(canonical, amount, rest, options))
    # A tax on nothing still has to stand somewhere.
    if not lines and tax.amount:
        lines = [_single(_ADJUSTMENT, "Adjustment", Money.of(0, currency))]
    shares = _by_rates(lines, tax, canonical) or _by_weights(lines, tax)
    return [_written(line, share) for line, share in zip(lines, shares, strict=True)]


def item_reference(item: Mapping[str, Any]) -> str:
    """The reference that the line of an item carries in Halo."""
    return f"HL-{item.get('key') or item.get('price_id') or item.get('name') or 'Item'}"


def written_lines(
    canonical: Mapping[str, Any], options: OrderOptions
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The lines that we write for an order: those of its items, and those beside them.

    Both are empty where one line stands for the whole order, or no lines can be written.
    """
    if options.lines == "summary" or not canonical.get("currency"):
        return [], []
    try:
        lines = lines_of(canonical, options)
    except Unmappable:
        return [], []
    items = {item_reference(item) for item in canonical.get("items") or ()}
    of_items = [line for line in lines if line["item_external_reference"] in items]
    return of_items, [line for line in lines if line not in of_items]


def tax_of(canonical: Mapping[str, Any], options: OrderOptions) -> Decimal:
    """The tax in an order, in major units: as it is told, or as its lines have it by rates.

    Raises:
        Unmappable: as `lines_of` does.
    """
    if canonical.get("tax") is not None:
        return _amount(canonical, "tax", canonical["currency"]).amount
    return sum((line["tax"] for line in lines_of(canonical, options)), Decimal(0))


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
    items = canonical.get("items") or ()
    lines = [
        _item_line(item, quantity, currency)
        for item, quantity in zip(items, quantities(canonical), strict=True)
    ]
    discount = _amount(canonical, "discount", currency)
    shipping = _amount(canonical, "shipping", currency)
    if discount.amount:
        lines.append(_single(_DISCOUNT, "Discount", -discount))
    if shipping.amount:
        lines.append(_single(_SHIPPING, "Shipping", shipping))
    return [line for line in lines if line.quantity]


def _item_line(item: Mapping[str, Any], quantity: Decimal, currency: str) -> _Line:
    name = str(item.get("name") or item.get("key") or "Item")
    if item.get("currency", currency) != currency:
        raise Unmappable(
            f"The item {name} is in {item['currency']}, its order in {currency}.",
            field="lines",
            remedy="Correct the price's currency in HighLevel, then retry.",
        )
    price = decimal(item.get("unit_price") or 0, "lines.baseprice").quantize(
        _ONE.scaleb(-PRICE_DIGITS), rounding=ROUND_HALF_UP
    )
    net = Money(quantize(quantity * price, currency), currency)
    rates = tuple(
        decimal(tax["rate"], "lines.tax") for tax in item.get("taxes") or () if "rate" in tax
    )
    weight = max(net.amount, Decimal(0))
    return _Line(
        item_reference(item), name, quantity, price, net, weight, tuple(filter(None, rates))
    )


def _rest_line(
    canonical: Mapping[str, Any], amount: Money, rest: Money, options: OrderOptions
) -> _Line:
    """The line for what is not explained, if that is little enough, or is not told at all."""
    if options.adjustment == "line" and abs(rest.amount) <= options.adjustment_limit:
        return _single(_ADJUSTMENT, "Adjustment", rest)
    if not _is_all_told(canonical):
        return _single(_UNTOLD, UNTOLD, rest)
    raise Unmappable(
        f"The lines sum to {amount - rest}, but the order's amount is {amount}.",
        field="lines",
        remedy="Compare items, discount, tax and shipping in HighLevel; or raise "
        'adjustment_limit, or set lines = "summary", in the mapping. Then retry.',
    )


def _is_all_told(canonical: Mapping[str, Any]) -> bool:
    """Whether HighLevel says of everything what it comes to, so that it contradicts itself."""
    items = canonical.get("items") or ()
    sums = (canonical.get(name) for name in ("discount", "tax", "shipping"))
    prices = (item.get("unit_price") for item in items)
    return bool(items) and None not in (*sums, *prices) and are_told(canonical)


def _by_rates(lines: Sequence[_Line], tax: Money, canonical: Mapping[str, Any]) -> list[Money]:
    """Each line's tax by the rates of its product, if these explain the tax; else nothing.

    They do if they come to it within half a minor unit for each line and rate, with the discount
    taken off the items in proportion, or without. What rounding leaves goes to the largest.
    """
    rated = [line for line in lines if line.rates and line.weight]
    if not rated:
        return []
    most_off = Fraction(_unit(tax)) / 2 * sum(len(line.rates) for line in rated)
    net = sum(line.weight for line in lines)
    discount = _amount(canonical, "discount", tax.currency).amount
    for paid in dict.fromkeys((Fraction(net - discount) / Fraction(net), Fraction(1))):
        raw = [Fraction(line.weight) * Fraction(sum(line.rates)) / 100 * paid for line in lines]
        if abs(sum(raw) - Fraction(tax.amount)) <= most_off:
            return _rounded(raw, tax)
    return []


def _rounded(raw: Sequence[Fraction], tax: Money) -> list[Money]:
    unit = _unit(tax)
    shares = [
        Money(floor(one / Fraction(unit) + Fraction(1, 2)) * unit, tax.currency) for one in raw
    ]
    largest = max(range(len(raw)), key=lambda at: raw[at])
    shares[largest] += tax - total(shares, tax.currency)
    if shares[largest].amount < 0:  # more cents were rounded up than the largest tax has
        return allocate(tax, [Decimal(one.numerator) / one.denominator for one in raw])
    return shares


def _by_weights(lines: Sequence[_Line], tax: Money) -> list[Money]:
    """Each line's tax in proportion to the items' nets; with nothing to spread on, all on one."""
    weights = [line.weight for line in lines]
    if not any(weights):
        bearer = next((line for line in lines if line.reference == _ADJUSTMENT), None)
        bearer = bearer or next(iter(lines), None)
        weights = [_ONE if line is bearer else Decimal(0) for line in lines]
    return allocate(tax, weights)


def _unit(amount: Money) -> Decimal:
    return _ONE.scaleb(-minor_digits(amount.currency))


def _single(reference: str, name: str, amount: Money) -> _Line:
    return _Line(reference, name, _ONE, amount.amount, amount)


def _amount(canonical: Mapping[str, Any], key: str, currency: str) -> Money:
    """A part of the amount, rounded: only the amount itself must be exact, the rest is a line."""
    value = canonical.get(key)
    return Money(quantize(decimal(0 if value is None else value, key), currency, key), currency)


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
