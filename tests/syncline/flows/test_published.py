"""Whatever is absent, written as text or nonsense: what can be read is rendered, to its amount."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.errors import Unmappable
from syncline.flows import orders, payments, subscriptions
from syncline.flows.flow import Needs, TargetIds
from syncline.flows.lines import lines_of
from syncline.flows.quantities import are_told
from syncline.highlevel import canonical
from syncline.highlevel.events import read_event
from syncline.mapping.parsing import load
from syncline.mapping.shipped import default_document
from syncline.money import minor_digits
from tests.canonical_orders import CURRENCIES
from tests.syncline.sandbox.published import published

DOCUMENT = load(default_document("detail"))
IDS_OF_CURRENCIES = {code: at for at, code in enumerate(CURRENCIES, 1)}
EXAMPLES = Path(__file__).parents[4] / "shared/apis/highlevel/examples"
ALWAYS = frozenset({"_id", "altId", "currency", "amount", "createdAt", "updatedAt"})
"""What no reader can do without, and the times that the schemas require."""

NOT_LEFT_OUT = ALWAYS | {"entityType", "entityId", "amountRefunded", "liveMode", "status"}
NONSENSE: tuple[Any, ...] = (
    "",
    "text",
    [],
    ["x"],
    {},
    {"x": 1},
    None,
    True,
    "1e400",
    "9999-12-31T00:00:00Z",
)
Path_ = tuple[str | int, ...]

COMMON = {
    "_id": "653f5e0cde5a1314e62a837c",
    "altId": "3SwdhCu3svxI8AKsPJt6",
    "altType": "location",
    "contactId": "XPLSw2SVagl12LMDeTmQ",
    "status": "succeeded",
    "liveMode": True,
    "createdAt": "2023-11-20T10:23:36.515Z",
    "updatedAt": "2024-01-23T09:57:04.846Z",
    "contactSnapshot": {"first_name": "Ada", "email": "ada@example.com", "company_name": "Ex"},
}
SOURCE = {"type": "funnel", "subType": "upsell", "id": "BDBMEghdIUaqMPEsK349", "name": "Spring"}
PAID = {
    "entityType": "order",
    "entityId": "61dd0fe9c077f73e67f78803",
    "entitySource": SOURCE,
    "subscriptionId": "sub_1",
    "paymentProvider": {"type": "stripe"},
}


@st.composite
def detailed_orders(draw: st.DrawFn) -> dict[str, Any]:
    """An order as its schema publishes it, its amount made up of more than it tells."""
    currency = draw(st.sampled_from(CURRENCIES))
    unit = Decimal(1).scaleb(-minor_digits(currency))
    items, subtotal = [], Decimal(0)
    for at in range(draw(st.integers(0, 3))):
        price, qty = draw(st.integers(0, 10**6)) * unit, draw(st.integers(1, 5))
        subtotal += price * qty
        rates = draw(st.lists(st.sampled_from([5, 7.5, 19, "10"]), max_size=2))
        items.append(
            {
                "_id": f"i{at}",
                "name": f"Item {at}",
                "qty": qty,
                "product": {
                    "_id": f"p{at}",
                    "name": "Thing",
                    "taxes": [
                        {"name": "VAT", "rate": rate, "calculation": "exclusive"} for rate in rates
                    ]
                    if draw(st.booleans())
                    else ["63770f5cecf298787c752075"] * len(rates),
                },
                "price": {"_id": f"q{at}", "amount": float(price), "currency": currency},
            }
        )
    untold = draw(st.integers(-(10**3), 10**4)) * unit
    return {
        **copy.deepcopy(COMMON),
        "currency": currency,
        "amount": str(subtotal + untold),
        "fulfillmentStatus": "unfulfilled",
        "amountSummary": {"subtotal": float(subtotal), "discount": 0},
        "source": dict(SOURCE),
        "items": items,
        "coupon": {"code": "FEST10"},
    }


def paths(value: Any, at: Path_ = ()) -> Iterator[Path_]:
    """Where anything stands in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in inner:
        yield (*at, key)
        if isinstance(one, (dict, list)):
            yield from paths(one, (*at, key))


@st.composite
def spoiled(draw: st.DrawFn, documents: st.SearchStrategy[dict[str, Any]]) -> dict[str, Any]:
    """A document of which some is absent, some is text, and some is nonsense."""
    document = draw(documents)
    found = [path for path in paths(document) if path[0] not in NOT_LEFT_OUT]
    for path in draw(st.lists(st.sampled_from(found), max_size=12, unique=True)):
        holder = _holder(document, path)
        if holder is None:
            continue
        change, last = draw(st.sampled_from(["absent", "text", "nonsense"])), path[-1]
        if change == "absent" and isinstance(holder, dict):
            del holder[last]
        elif change == "text" and not isinstance(holder[last], (dict, list)):
            holder[last] = str(holder[last]).lower()
        elif change == "nonsense":
            holder[last] = draw(st.sampled_from(NONSENSE))
    return document


def _holder(document: Any, path: Path_) -> Any:
    """What holds the end of a path; None where an earlier change took it away."""
    holder = document
    for key in path[:-1]:
        if not isinstance(holder, (dict, list)) or key not in _keys(holder):
            return None
        holder = holder[key]  # type: ignore[index]  # a key of it
    return holder if isinstance(holder, (dict, list)) and path[-1] in _keys(holder) else None


def _keys(holder: Any) -> Any:
    return holder if isinstance(holder, dict) else range(len(holder))


def ids_for(needed: list[Needs]) -> dict[Needs, TargetIds]:
    row = TargetIds(5, client_id=5, site_id=6, currency_id=None)
    return dict.fromkeys(needed, row)


@given(spoiled(detailed_orders()))
def test_an_order_that_can_be_read_is_rendered_to_its_amount(payload: dict[str, Any]) -> None:
    form = canonical.order_from_detail(payload)
    ids = ids_for(orders.needs(form, DOCUMENT))
    if any("unreadable_qty" in item for item in form.get("items", ())) and not are_told(form):
        with pytest.raises(Unmappable, match="is not readable: "):
            orders.render(form, DOCUMENT, ids, IDS_OF_CURRENCIES)
        return
    desired = orders.render(form, DOCUMENT, ids, IDS_OF_CURRENCIES)
    assert Decimal(desired.projection["total"]) == Decimal(payload["amount"])
    invoice = payments.render_invoice("order", form, DOCUMENT, ids, IDS_OF_CURRENCIES)
    assert Decimal(invoice.projection["total"]) == Decimal(payload["amount"])


TRANSACTION = {
    **COMMON,
    **PAID,
    "currency": "USD",
    "amount": "12.5",
    "chargeId": "ch_1",
    "amountRefunded": 1,
    "fulfilledAt": "2023-11-20T10:27:36.515Z",
    "invoiceId": "in_1",
    "receiptId": "r1",
}


@given(spoiled(st.builds(copy.deepcopy, st.just(TRANSACTION))))
def test_a_transaction_that_can_be_read_is_a_payment(payload: dict[str, Any]) -> None:
    form = canonical.transaction_from_detail(payload)
    invoice = Needs("payments", PAID["entityId"], "invoice")  # type: ignore[arg-type]
    ids = {invoice: TargetIds(9, client_id=5, currency_id=IDS_OF_CURRENCIES["USD"])}
    desired = payments.render_payment(form, DOCUMENT, ids, IDS_OF_CURRENCIES)
    assert desired.projection["amount"] == "12.50"


SUBSCRIPTION = {
    **COMMON,
    **PAID,
    "currency": "USD",
    "amount": 100,
    "schedule": {"rrule": {"intervalType": "monthly", "interval": 2, "dayOfWeek": "mo"}},
    "recurringProduct": {"name": "Sofa"},
    "coupon": {"code": "FREE"},
    "canceledAt": "2023-12-20T10:23:36.515Z",
}


@given(spoiled(st.builds(copy.deepcopy, st.just(SUBSCRIPTION))))
def test_a_subscription_that_can_be_read_is_shown(payload: dict[str, Any]) -> None:
    form = canonical.subscription_from_detail(payload)
    ids = ids_for(subscriptions.needs(form, DOCUMENT, None))
    desired = subscriptions.render(form, DOCUMENT, ids, IDS_OF_CURRENCIES)
    assert desired.projection["total"] == "100.00"


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("GetOrderResponseSchema", {**COMMON, "items": [], "coupon": {}, "source": SOURCE}),
        ("GetTxnResponseSchema", {k: v for k, v in TRANSACTION.items() if k != "fulfilledAt"}),
        ("GetSubscriptionResponseSchema", SUBSCRIPTION),
    ],
)
def test_what_is_drawn_is_what_is_published(name: str, document: dict[str, Any]) -> None:
    schema = published("highlevel/payments.json")
    assert set(document) <= set(schema.properties(name))
    required = set(schema.schemas[name]["required"])
    assert required - set(document) == set()
    assert required - ALWAYS <= {"altType", "status"}


PRINTED = {
    "type": "OrderCreate",
    "altId": "3SwdhCu3svxI8AKsPJt6",
    "altType": "location",
    "_id": "660ed43bfdf9fc05a0de7a40",
    "status": "pending",
    "taxSummary": [{"name": "10%", "calculation": "exclusive", "rate": 10, "amount": 12.1}],
    "currency": "USD",
    "amount": 150.1,
    "amountSummary": {"subtotal": 138, "discount": 0, "tax": 12.1, "shipping": 0},
    "createdAt": "2024-04-04T16:24:27.036Z",
    "updatedAt": "2024-04-04T16:24:31.297Z",
    "items": [
        {"name": "Tee", "qty": 1, "product": {"taxes": []}, "price": {"_id": "a", "amount": 17}},
        {
            "name": "Shirt",
            "qty": 1,
            "product": {"taxes": [{"rate": 10, "calculation": "exclusive"}]},
            "price": {"_id": "b", "amount": 121},
        },
    ],
}


def untold(event: dict[str, Any]) -> dict[str, Any]:
    """An event's order as a detail tells it: without its tax and its shipping."""
    summary = {key: event["amountSummary"][key] for key in ("subtotal", "discount")}
    return {**event, "taxSummary": None, "amountSummary": summary}


@pytest.mark.parametrize("name", ["made up", "OrderCreate", "OrderStatusUpdate"])
def test_a_printed_order_has_its_tax_on_the_item_that_bears_it(name: str) -> None:
    file = EXAMPLES / f"{name}.json"
    if name != "made up" and not file.exists():
        pytest.skip("the printed events are not beside this checkout")
    payload = PRINTED if name == "made up" else json.loads(file.read_text())
    event = read_event(json.dumps(payload).encode())
    assert event.type == payload["type"]
    assert event.location_id == payload["altId"]
    for told in (event.payload, untold(event.payload)):
        form = canonical.order_from_detail(told)
        assert [f"{line['tax']:f}" for line in lines_of(form, DOCUMENT.orders)] == ["0.00", "12.10"]
    nameless = read_event(json.dumps({k: v for k, v in payload.items() if k != "type"}).encode())
    assert nameless.type == "OrderStatusUpdate"
