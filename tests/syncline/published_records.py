"""Records of HighLevel, drawn from the schemas that it publishes, for whoever has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from hypothesis import strategies as st

from syncline.money import minor_digits
from tests.syncline.sandbox.published import Published, published

LOCATION = "3SwdhCu3svxI8AKsPJt6"
CURRENCIES = {"USD": 1, "EUR": 2, "JPY": 3, "KWD": 4}

Value = st.SearchStrategy[Any]

_DIGITS = "0123456789abcdef"
_IDS = st.text(_DIGITS, min_size=24, max_size=24)
_SHORT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)
_TIMES = st.integers(1_600_000_000_000, 1_800_000_000_000).map(
    lambda at: datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
)
_NUMBERS = st.decimals(-(10**6), 10**6, places=3)
_FREE_OBJECTS = st.dictionaries(st.sampled_from(("id", "name", "code", "type", "status")), _SHORT)
_DAYS = st.dates(date(2020, 1, 1), date(2030, 1, 1)).map(date.isoformat)
_BY_TYPE: dict[str, Value] = {
    "number": st.integers(-9, 10**6) | _NUMBERS | _NUMBERS.map(str),
    "boolean": st.booleans() | st.sampled_from(("true", "false")),
    "array": st.lists(_SHORT, max_size=2),
    "object": _FREE_OBJECTS,
}
_ALWAYS = frozenset({"_id", "altId", "altType", "currency", "amount"})
_CONTACTS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.text("abcXYZ019", min_size=20, max_size=20),
        "email": st.sampled_from(("ada@example.com", "anish+11@gohighlevel.com", "")),
        "first_name": _SHORT,
        "last_name": _SHORT,
        "company_name": _SHORT,
        "type": st.just("lead"),
    },
)


@dataclass(frozen=True)
class Drawn:
    """One record as both kinds of reading show it.

    Attributes:
        currency: its currency.
        amount: exactly what it is about.
        row: as a row of its list.
        alone: as it is read by its id.
    """

    currency: str
    amount: Decimal
    row: dict[str, Any]
    alone: dict[str, Any]


@cache
def records(row: str, alone: str) -> st.SearchStrategy[Drawn]:
    """Records of two schemas: of a row of the list, and of the single read; skips without them.

    Each optional field is present, absent or null; numbers and flags may be texts, as the
    schemas' own examples are. What both schemas have says the same in both.
    """
    highlevel = published("highlevel/payments.json")
    return st.one_of(
        [
            _in(code, _documents(highlevel, row, code), _documents(highlevel, alone, code))
            for code in sorted(CURRENCIES)
        ]
    )


def _in(currency: str, row: Value, alone: Value) -> st.SearchStrategy[Drawn]:
    unit = _unit(currency)
    said = st.fixed_dictionaries(
        {
            "_id": _IDS,
            "altId": st.just(LOCATION),
            "altType": st.just("location"),
            "currency": st.sampled_from((currency, currency.lower())),
            "amount": st.integers(0, 10**8),
            "as_text": st.booleans(),
            "entityType": st.sampled_from((None, "order", "order", "invoice")),
            "entityId": st.none() | _IDS,
        }
    )

    def drawn(parts: tuple[dict[str, Any], dict[str, Any], dict[str, Any]]) -> Drawn:
        common, *shown = parts
        common = dict(common)
        amount = common["amount"] * unit
        common["amount"] = str(amount) if common.pop("as_text") else _plain(amount)
        both = [
            {**one, **{key: common[key] for key in common if key in one or key in _ALWAYS}}
            for one in shown
        ]
        return Drawn(currency, amount, *both)

    return st.tuples(said, row, alone).map(drawn)


def _documents(highlevel: Published, name: str, currency: str) -> Value:
    """Values of a schema: each optional field present, absent or null."""
    schema = highlevel.schemas[name]
    required = set(schema.get("required", ()))
    values = {
        key: _value(highlevel, key, one, currency) for key, one in schema["properties"].items()
    }
    return st.fixed_dictionaries(
        {key: value for key, value in values.items() if key in required},
        optional={key: value | st.none() for key, value in values.items() if key not in required},
    )


def _value(highlevel: Published, key: str, schema: Mapping[str, Any], currency: str) -> Value:
    """Values of a property by what is published of it: its type, its values, its example."""
    values: Value
    reference = schema.get("$ref") or next((one["$ref"] for one in schema.get("allOf", ())), None)
    if key in _NAMED:
        values = _NAMED[key](_unit(currency))
    elif reference is not None:
        values = _documents(highlevel, reference.rpartition("/")[2], currency)
    elif "enum" in schema:
        values = st.sampled_from(schema["enum"])
    elif schema.get("type") in _BY_TYPE:
        values = _BY_TYPE[schema["type"]]
    else:
        values = _SHORT | st.just(str(schema.get("example", "")))
    return values


def _unit(currency: str) -> Decimal:
    return Decimal(1).scaleb(-minor_digits(currency))


def _plain(number: Decimal) -> Decimal | int:
    return int(number) if number == number.to_integral_value() else number


def _amounts(unit: Decimal) -> Value:
    numbers = st.integers(0, 10**7).map(lambda units: _plain(units * unit))
    return numbers | numbers.map(str)


def _items(unit: Decimal) -> Value:
    """Typed as texts, shown as objects; both are drawn."""
    tax = st.fixed_dictionaries(
        {"_id": _IDS}, optional={"rate": st.sampled_from((10, "8.25")), "name": _SHORT}
    )
    price = st.fixed_dictionaries(
        {}, optional={"_id": _IDS, "name": _SHORT, "amount": _amounts(unit)}
    )
    item = st.fixed_dictionaries(
        {},
        optional={
            "_id": _IDS,
            "name": _SHORT,
            "qty": st.sampled_from((1, 3, "2")),
            "price": price,
            "product": st.fixed_dictionaries(
                {"name": _SHORT}, optional={"taxes": st.lists(tax | _IDS, max_size=2)}
            ),
        },
    )
    return st.lists(item | _SHORT, max_size=3)


_NAMED: dict[str, Callable[[Decimal], Value]] = {
    "createdAt": lambda _: _TIMES,
    "updatedAt": lambda _: _TIMES,
    "fulfilledAt": lambda _: _TIMES,
    "canceledAt": lambda _: _TIMES,
    "startDate": lambda _: _DAYS,
    "endDate": lambda _: _DAYS,
    "contactSnapshot": lambda _: _CONTACTS,
    "contactEmail": lambda _: st.sampled_from(("ada@example.com", "nobody", "")),
    "status": lambda _: st.sampled_from(
        ("succeeded", "pending", "completed", "active", "failed", "refunded", "odd")
    ),
    "items": _items,
    "subtotal": _amounts,
    "discount": _amounts,
    "amountRefunded": _amounts,
}
