"""The lines of orders and invoices, in the words that lines have all over syncline.

Halo names the same things otherwise on an invoice, and nobody has published under which names an
order's line takes its quantity and its tax. All of that is translated here and nowhere else.
Source: schemas InvoiceDetail and OrderLine; `quantity` and `tax` are what public modules show of
the lines of quotes; `qty_order` is an invoice's, and `total_tax` the only tax that OrderLine has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

Spelling = Literal["order", "quote", "shown"]
"""Under which names a tenant takes quantity and tax on an order's line."""

SPELLINGS: tuple[Spelling, ...] = get_args(Spelling)
"""All of them, the likeliest first; a round trip finds out which one a tenant takes."""

LinesOf = Literal["", "order", "invoice"]
"""Whose names the lines of a row have; "" where it has no lines of ours."""

_INVOICES = {
    "name": "item_shortdescription",
    "quantity": "qty_order",
    "baseprice": "unit_price",
    "tax": "tax_amount",
    "net_total": "net_amount",
}
"""A sales order's name → an invoice's; further fields have one name on both."""

_ORDERS: Mapping[Spelling, Mapping[str, str]] = {
    "order": {},
    "quote": {"quantity": "qty_order", "tax": "total_tax"},
    "shown": {"tax": "total_tax"},
}
_INSTEAD = {"quantity": ("qty_order",), "tax": ("total_tax", "tax_amount")}
"""Where an order's line may show something, if not under our name."""

_OURS = {halos: ours for ours, halos in _INVOICES.items()}


def to_halo(
    element: Mapping[str, Any], kind: LinesOf, spelling: Spelling = SPELLINGS[0]
) -> dict[str, Any]:
    """An element to post, its lines in the words that the tenant takes.

    Args:
        element: with lines in our words.
        kind: whose lines they are.
        spelling: under which names the tenant takes those of orders.
    """
    names = {"order": _ORDERS[spelling], "invoice": _INVOICES, "": {}}
    return _with_lines(element, lambda line: _renamed(line, names[kind]))


def from_halo(row: Mapping[str, Any], kind: LinesOf) -> dict[str, Any]:
    """Halo's row with its lines in our words; what has no other name stays as it is.

    Of an order, quantity and tax are found wherever the tenant shows them. What it does not show is
    not there; a row that is translated already stays the same.
    """
    if kind == "order":
        return _with_lines(row, _found)
    names = _OURS if kind == "invoice" else {}
    return _with_lines(row, lambda line: _renamed(line, names))


def _with_lines(
    row: Mapping[str, Any], told: Callable[[Mapping[str, Any]], Mapping[str, Any]]
) -> dict[str, Any]:
    lines = row.get("lines")
    if not isinstance(lines, list):
        return dict(row)
    said = [told(line) if isinstance(line, Mapping) else line for line in lines]
    return {**row, "lines": said}


def _found(line: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for ours, others in _INSTEAD.items():
        shown = (line[name] for name in (ours, *others) if line.get(name) is not None)
        told = next(shown, None)
        if told is not None:
            found[ours] = told
    return {**line, **found}


def _renamed(line: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    # Halo's invoice lines know some of our names too, for something else: the translated one wins.
    kept = {key: value for key, value in line.items() if key not in names}
    return kept | {names[key]: value for key, value in line.items() if key in names}
