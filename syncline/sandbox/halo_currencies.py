"""The tenant's currencies and statuses: ids are its own, as on every Halo."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from syncline.sandbox.halo_state import Row

BASE_CURRENCY = 1

_CURRENCIES: tuple[Row, ...] = (
    {"id": 1, "name": "US Dollar", "code": "USD", "symbol": "$", "conversion_rate": 1.0},
    {"id": 2, "name": "Pound Sterling", "code": "GBP", "symbol": "£", "conversion_rate": 0.79},
    {"id": 4, "name": "Euro", "code": "EUR", "symbol": "€", "conversion_rate": 0.92},
    {"id": 7, "name": "Yen", "code": "JPY", "symbol": "¥", "conversion_rate": 151.2},
    {"id": 9, "name": "Kuwaiti Dinar", "code": "KWD", "symbol": "KD", "conversion_rate": 0.31},
)
CURRENCIES: dict[int, Row] = {row["id"]: row for row in _CURRENCIES}

_STATUSES: tuple[Row, ...] = (
    {"id": 1, "name": "New", "type": 3, "colour": "#4c9aff"},
    {"id": 2, "name": "In Progress", "type": 3, "colour": "#f5a623"},
    {"id": 9, "name": "Closed", "type": 3, "colour": "#7ed321"},
)
STATUSES: dict[int, Row] = {row["id"]: row for row in _STATUSES}
_UNITS = {"JPY": Decimal(1), "KWD": Decimal("0.001")}


def rounded(amount: Decimal, currency_id: int) -> Decimal:
    """An amount in the currency's minor digits, half away from zero."""
    unit = _UNITS.get(CURRENCIES[currency_id]["code"], Decimal("0.01"))
    return amount.quantize(unit, ROUND_HALF_UP)
