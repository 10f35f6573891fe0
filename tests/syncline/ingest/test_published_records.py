"""Whatever the published schemas allow is read and delivered exactly, or parked with a reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncline import jsontext
from syncline.errors import Unmappable
from syncline.flows import customers, orders, payments, subscriptions
from syncline.flows.flow import Desired, Needs, TargetIds
from syncline.flows.lines import net_of
from syncline.highlevel import canonical
from syncline.highlevel.merging import merge
from syncline.mapping.parsing import load
from syncline.mapping.shipped import default_document
from tests.syncline.published_records import CURRENCIES, Drawn, records

NOBODYS: dict[str, dict[str, Any]] = {
    "customers": {"without_email": "default-client", "default_client": 1}
}
DETAIL = load(default_document("detail", NOBODYS))
SUMMARY = load(default_document("summary", NOBODYS))

# Drawn from a schema, an example is large, and a small one is no smaller than it must be.
many = settings(
    max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


class Everything(Mapping[Needs, TargetIds]):
    """Ids of whatever a flow needs: all of it stands in Halo."""

    def __getitem__(self, needs: Needs) -> TargetIds:
        return TargetIds(900, client_id=5, site_id=6, currency_id=self.currency)

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __init__(self, currency: str) -> None:
        self.currency = CURRENCIES[currency]


def merged(
    drawn: Drawn,
    from_list: Callable[[Mapping[str, Any]], canonical.Partial],
    from_detail: Callable[[Mapping[str, Any]], canonical.Partial],
) -> dict[str, Any]:
    """The record as both readings tell it; each alone tells its amount exactly."""
    forms = {"list": from_list(drawn.row), "detail": from_detail(drawn.alone)}
    for form in forms.values():
        assert form["id"] == drawn.row["_id"]
        assert form["currency"] == drawn.currency
        assert Decimal(form["amount"]) == drawn.amount
    facets = {name: (_moment(form), form) for name, form in forms.items()}
    record = merge(facets)
    assert jsontext.loads(jsontext.dumps(record)) == record
    return record


def _moment(form: Mapping[str, Any]) -> datetime | None:
    told = form.get("updated_at")
    return datetime.fromisoformat(told) if told else None


def rendered(render: Callable[[], Desired]) -> dict[str, Any] | None:
    """What is to be created, or None where it parks, with a reason that says what to do."""
    try:
        return render().for_create()
    except Unmappable as error:
        parked = error
    assert parked.field
    assert len(parked.what) > 10
    return None


def total_of(body: Mapping[str, Any], currency: str) -> Decimal:
    """What Halo will reckon of the lines."""
    nets = (net_of(line, currency) + Decimal(str(line["tax"])) for line in body["lines"])
    return sum(nets, Decimal(0))


@many
@given(data=st.data())
def test_an_order_as_published_is_delivered_to_the_cent(data: st.DataObject) -> None:
    drawn = data.draw(records("OrderResponseSchema", "GetOrderResponseSchema"))
    record = merged(drawn, canonical.order_from_list, canonical.order_from_detail)
    ids = Everything(drawn.currency)
    for document in (DETAIL, SUMMARY):
        customers.needs_of(record.get("contact"), document)
        body = rendered(lambda: orders.render(record, document, ids, CURRENCIES))  # noqa: B023
        assert body is not None or _contradicts_itself(record)
        if body is not None:
            assert total_of(body, drawn.currency) == drawn.amount
            assert body["currency_code"] == CURRENCIES[drawn.currency]


def _contradicts_itself(record: Mapping[str, Any]) -> bool:
    """Whether all parts of an order are told, so that they can be held against its amount."""
    return None not in (record.get(name) for name in ("discount", "tax", "shipping"))


@many
@given(data=st.data())
def test_a_transaction_as_published_is_delivered_to_the_cent(data: st.DataObject) -> None:
    drawn = data.draw(records("TxnResponseSchema", "GetTxnResponseSchema"))
    record = merged(drawn, canonical.transaction_from_list, canonical.transaction_from_detail)
    ids = Everything(drawn.currency)
    payment = rendered(lambda: payments.render_payment(record, DETAIL, ids, CURRENCIES))
    invoice = rendered(
        lambda: payments.render_invoice("transaction", record, DETAIL, ids, CURRENCIES)
    )
    if payment is None or invoice is None:
        return  # of a status that nobody has sorted yet: asked
    came_in = drawn.amount if payments.has_come_in(record, DETAIL) else 0
    assert Decimal(payment["amount"]) == came_in
    # What pays for an order stands on the order's invoice, and has none of its own.
    sold = 0 if payments.order_of(record) else came_in
    assert total_of(invoice, drawn.currency) == sold


@many
@given(data=st.data())
def test_a_subscription_as_published_is_delivered_to_the_cent(data: st.DataObject) -> None:
    drawn = data.draw(records("SubscriptionResponseSchema", "GetSubscriptionResponseSchema"))
    record = merged(drawn, canonical.subscription_from_list, canonical.subscription_from_detail)
    ids = Everything(drawn.currency)
    body = rendered(lambda: subscriptions.render(record, DETAIL, ids, CURRENCIES))
    assert body is not None
    assert total_of(body, drawn.currency) == drawn.amount
    assert body["disabled"] is True
