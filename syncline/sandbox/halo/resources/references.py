"""How the emulated Halo keeps the references that are posted: as they came, or otherwise.

A tenant's columns may be short, its fields in upper case, and accounting may give its own numbers.
"""

from __future__ import annotations

from collections.abc import Callable

from syncline.sandbox.halo.tenant.store import HaloStore, Row

FIELDS = ("po_number", "thirdpartyinvoicenumber", "intent_id", "thirdpartyid", "ref")
_SHORT = 20

KEPT: dict[str, Callable[[HaloStore, str], str]] = {
    "as sent": lambda _, text: text,
    "upper": lambda _, text: text.upper(),
    "cut": lambda _, text: text[:_SHORT],
    "dropped": lambda *_: "",
    "renumbered": lambda store, _: f"ACC-{store.next_id('accounting')}",
}
"""(the tenant's rows, a reference) → what is kept of it, by the name of the way."""


def kept(store: HaloStore, row: Row) -> Row:
    """An element as the tenant takes it."""
    return {
        name: KEPT[store.references_kept[name]](store, value)
        if name in store.references_kept and isinstance(value, str) and value
        else value
        for name, value in row.items()
    }
