"""The lines of orders and invoices, in the words that lines have all over syncline.

Halo names the same things otherwise on an invoice, and nobody has published under which names an
order's line takes its quantity and its tax. All of that is translated here and nowhere else.
Source: schemas InvoiceDetail and OrderLine; `quantity` and `tax` are what public modules show of
the lines of quotes; `qty_order` is an invoice's, and `total_tax` the only tax that OrderLine has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

Spelling = Literal["order", "quote", "shown"]
"""Under which names a tenant takes quantity and tax on an order's line."""

SPELLINGS: tuple[Spelling, ...] = get_args(Spelling)
"""All of them, the likeliest first; a round trip finds out which one a tenant takes."""

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


def invoice_to_halo(element: Mapping[str, Any]) -> dict[str, Any]:
    """An invoice to post, its lines in Halo's words."""
    return _translated(element, _INVOICES)


def order_to_halo(element: Mapping[str, Any], spelling: Spelling) -> dict[str, Any]:
    """An order to post, its lines under the names that the tenant takes."""
    return _translated(element, _ORDERS[spelling])


def invoice_from_halo(row: Mapping[str, Any]) -> dict[str, Any]:
    """Halo's invoice with its lines in ours; what has no other name stays as it is.

    A row that is translated already stays the same.
    """
    return _translated(row, _OURS)


def order_from_halo(row: Mapping[str, Any]) -> dict[str, Any]:
    """Halo's order, its lines with quantity and tax under our names wherever the tenant shows them.

    What it does not show is not there; a row that is translated already stays the same.
    """
    lines = row.get("lines")
    if not isinstance(lines, list):
        return dict(row)
    return {**row, "lines": [_found(line) for line in lines]}


def _found(line: Any) -> Any:
    if not isinstance(line, Mapping):
        return line
    found = {}
    for ours, others in _INSTEAD.items():
        shown = (line[name] for name in (ours, *others) if line.get(name) is not None)
        told = next(shown, None)
        if told is not None:
            found[ours] = told
    return {**line, **found}


def _translated(row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    lines = row.get("lines")
    if not isinstance(lines, list):
        return dict(row)
    return {**row, "lines": [_renamed(line, names) for line in lines]}


def _renamed(line: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(line, Mapping):
        return line
    # Halo's invoice lines know some of our names too, for something else: the translated one wins.
    kept = {key: value for key, value in line.items() if key not in names}
    return kept | {names[key]: value for key, value in line.items() if key in names}
