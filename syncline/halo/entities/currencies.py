"""The currencies of a Halo tenant, by their ISO 4217 codes."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from syncline.halo.models import CurrencyRow

_ISO_LETTERS = 3


def currency_ids(rows: Iterable[CurrencyRow]) -> dict[str, int]:
    """ISO 4217 code → Halo's id; of two rows for one code, the older.

    The code stands in `code`, at some tenants in `name`.
    """
    return {code: row.id for code, row in _by_code(rows).items()}


def currency_rates(rows: Iterable[CurrencyRow]) -> dict[str, Decimal]:
    """ISO 4217 code → its conversion rate as Halo gives it, of the row that `currency_ids` takes.

    A currency of which Halo gives no rate is left out.
    """
    return {
        code: row.conversion_rate
        for code, row in _by_code(rows).items()
        if row.conversion_rate is not None
    }


def _by_code(rows: Iterable[CurrencyRow]) -> dict[str, CurrencyRow]:
    found: dict[str, CurrencyRow] = {}
    for row in sorted(rows, key=lambda row: row.id, reverse=True):
        for text in (row.name, row.code):
            code = text.strip().upper()
            if len(code) == _ISO_LETTERS and code.isascii() and code.isalpha():
                found[code] = row
    return found
