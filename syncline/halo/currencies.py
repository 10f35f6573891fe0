"""The currencies of a Halo tenant.

Source: /Currency, a short bare list without parameters.
"""

from __future__ import annotations

from collections.abc import Iterable

from syncline.halo.answers import listing
from syncline.halo.client import HaloClient
from syncline.halo.models import CurrencyRow
from syncline.transport import Permit

_ISO_LETTERS = 3


def list_currencies(client: HaloClient, permit: Permit) -> list[CurrencyRow]:
    """All currencies.

    Raises:
        Unreadable: the answer is no list of currencies.
    """
    return CurrencyRow.all_of(listing(client.get("/Currency", {}, permit).document).rows)


def currency_ids(rows: Iterable[CurrencyRow]) -> dict[str, int]:
    """ISO 4217 code → Halo's id; of two rows for one code, the older.

    The code stands in `code`, at some tenants in `name`.
    """
    ids: dict[str, int] = {}
    for row in sorted(rows, key=lambda row: row.id, reverse=True):
        for text in (row.name, row.code):
            code = text.strip().upper()
            if len(code) == _ISO_LETTERS and code.isascii() and code.isalpha():
                ids[code] = row.id
    return ids
