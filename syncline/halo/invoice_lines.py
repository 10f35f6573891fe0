"""The lines of invoices, in the words that lines have all over syncline: those of sales orders.

Halo names the same things otherwise on an invoice; the two are translated here and nowhere else.
Source: schemas InvoiceDetail and OrderLine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_HALOS_NAME = {
    "name": "item_shortdescription",
    "quantity": "qty_order",
    "baseprice": "unit_price",
    "tax": "tax_amount",
    "net_total": "net_amount",
}
"""A sales order's name → an invoice's; further fields have one name on both."""

_OUR_NAME = {halos: ours for ours, halos in _HALOS_NAME.items()}


def to_halo(element: Mapping[str, Any]) -> dict[str, Any]:
    """An invoice to post, its lines in Halo's words."""
    return _translated(element, _HALOS_NAME)


def from_halo(row: Mapping[str, Any]) -> dict[str, Any]:
    """Halo's invoice with its lines in ours; what has no other name stays as it is.

    A row that is translated already stays the same.
    """
    return _translated(row, _OUR_NAME)


def _translated(invoice: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    lines = invoice.get("lines")
    if not isinstance(lines, list):
        return dict(invoice)
    return {**invoice, "lines": [_renamed(line, names) for line in lines]}


def _renamed(line: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(line, Mapping):
        return line
    # Halo's invoice lines know some of our names too, for something else: the translated one wins.
    kept = {key: value for key, value in line.items() if key not in names}
    return kept | {names[key]: value for key, value in line.items() if key in names}
