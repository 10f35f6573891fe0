"""What a tenant is set up with: currencies, statuses, ticket types, priorities, table numbers.

Ids are the tenant's own, as on every Halo.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from syncline.sandbox.halo.tenant.store import Row

TICKET_TABLE, CLIENT_TABLE, SITE_TABLE, USER_TABLE, ACTION_TABLE = 1, 2, 3, 4, 7
INVOICE_TABLE, ORDER_TABLE = 995, 996
"""The numbers of the tables that an ExternalLink may name."""

BASE_CURRENCY = 1

_CURRENCIES: tuple[Row, ...] = (
    {"id": 1, "name": "US Dollar", "code": "USD", "symbol": "$", "conversion_rate": 1.0},
    {"id": 2, "name": "Pound Sterling", "code": "GBP", "symbol": "£", "conversion_rate": 0.79},
    {"id": 4, "name": "Euro", "code": "EUR", "symbol": "€", "conversion_rate": 0.92},
    {"id": 7, "name": "Yen", "code": "JPY", "symbol": "¥", "conversion_rate": 151.2},
    {"id": 9, "name": "Kuwaiti Dinar", "code": "KWD", "symbol": "KD", "conversion_rate": 0.31},
)
CURRENCIES: dict[int, Row] = {row["id"]: row for row in _CURRENCIES}

_ORDER_STATUSES: tuple[Row, ...] = (
    {"id": 1, "name": "New", "type": 3, "colour": "#4c9aff"},
    {"id": 2, "name": "In Progress", "type": 3, "colour": "#f5a623"},
    {"id": 9, "name": "Closed", "type": 3, "colour": "#7ed321"},
)
ORDER_STATUSES: dict[int, Row] = {row["id"]: row for row in _ORDER_STATUSES}
_UNITS = {"JPY": Decimal(1), "KWD": Decimal("0.001")}


def _statuses(first: int, *names: str) -> dict[int, Row]:
    colours = ("#4c9aff", "#f5a623", "#9b9b9b", "#7ed321")
    return {
        first + at: {"id": first + at, "name": name, "type": 0, "colour": colours[at]}
        for at, name in enumerate(names)
    }


def _type(type_id: int, name: str, initial_status: int, *required: str) -> Row:
    """A type; `technew` 2 stands for a field that an agent must fill in."""
    fields = [{"rtid": type_id, "fieldname": one, "technew": 2} for one in required]
    return {
        "id": type_id,
        "name": name,
        "use": "ticket",
        "initial_status": initial_status,
        "hasmandatorytechfields": bool(required),
        "fields": fields,
    }


_USUAL_STATUSES = _statuses(21, "New", "In Progress", "On Hold", "Closed")
_USUAL_TYPES = (_type(1, "Incident", 21), _type(3, "Service Request", 21), _type(4, "Alert", 21))
_OTHER_STATUSES = _statuses(41, "Logged", "Working On It", "Waiting", "Closed")
_OTHER_TYPES = (
    _type(31, "Fault", 41, "details"),
    _type(33, "Service Request", 41, "details", "category_1"),
)
TICKET_STATUSES_BY_PROFILE = {
    "generous": _USUAL_STATUSES,
    "plain": _USUAL_STATUSES,
    "awkward": _OTHER_STATUSES,
}
TICKET_TYPES_BY_PROFILE = {
    profile: {row["id"]: row for row in types}
    for profile, types in (
        ("generous", _USUAL_TYPES),
        ("plain", _USUAL_TYPES),
        ("awkward", _OTHER_TYPES),
    )
}

TICKET_TYPES: dict[int, Row] = {
    key: row for rows in TICKET_TYPES_BY_PROFILE.values() for key, row in rows.items()
}
STATUSES: dict[int, Row] = {**ORDER_STATUSES, **_USUAL_STATUSES, **_OTHER_STATUSES}
PRIORITIES: tuple[Row, ...] = tuple(
    {"id": f"5d0e9b1c-0000-4000-8000-00000000000{at}", "slaid": 1, "priorityid": at, "name": name}
    for at, name in enumerate(("Critical", "High", "Medium", "Low"), 1)
)


def rounded(amount: Decimal, currency_id: int) -> Decimal:
    """An amount in the currency's minor digits, half away from zero."""
    unit = _UNITS.get(CURRENCIES[currency_id]["code"], Decimal("0.01"))
    return amount.quantize(unit, ROUND_HALF_UP)
