"""The bodies of the emulated HighLevel's events."""

from __future__ import annotations

import json
import re
from uuid import UUID

import pytest

from syncline.sandbox.config import LOCATION, SandboxConfig
from syncline.sandbox.generating.orders import Generator
from syncline.sandbox.highlevel.events.writer import TYPES, EventWriter, order_fields
from tests.syncline.sandbox.location import NOW, SMALL
from tests.syncline.sandbox.published import published


@pytest.fixture(scope="module")
def writer() -> EventWriter:
    config = SandboxConfig(**SMALL)
    generator = Generator(config, NOW)
    generator.fill()
    return EventWriter(config, generator, lambda: NOW)


@pytest.mark.parametrize("kind", TYPES)
def test_every_documented_event_is_one_flat_object_in_its_envelope(
    writer: EventWriter, kind: str
) -> None:
    event = writer.sample(kind, "AnotherLocation00000")
    body = json.loads(event.body)
    keys = list(body)
    assert keys[0] == "type"
    assert keys[-2:] == ["timestamp", "webhookId"]
    assert body["type"] == ("SMS" if kind == "ProviderOutboundMessage" else kind)
    assert body["appId"] == body["versionId"] == writer.config.app_id
    assert UUID(body["webhookId"]).version == 4
    assert body["webhookId"] == event.webhook_id
    about = body["id"] if kind.startswith("Location") else body["locationId"]
    assert about == "AnotherLocation00000"
    assert "data" not in body


def test_there_are_58_types_and_none_of_a_transaction_subscription_or_fulfillment() -> None:
    assert len(set(TYPES)) == len(TYPES) == 58
    assert not [t for t in TYPES if re.search("Transaction|Subscription|Fulfil|Payment", t)]


def test_a_body_is_written_as_javascript_writes_it(writer: EventWriter) -> None:
    order = {**writer.generator.order(NOW)}
    order |= {"amount": 1700, "contactSnapshot": {**order["contactSnapshot"], "first_name": "Zoë"}}
    body = writer.of_order("OrderCreate", order).body.decode()
    assert '"amount":1700,' in body
    assert '"firstName":"Zoë"' in body
    assert not re.search(r"\d\.0[,}]", body)
    assert json.dumps(json.loads(body), separators=(",", ":"), ensure_ascii=False) == body


def test_an_order_is_whole_and_its_contact_in_camel_case(writer: EventWriter) -> None:
    order = next(iter(writer.generator.store.orders.values()))
    shown = order_fields(order)
    assert list(shown)[:6] == [
        "_id",
        "altId",
        "altType",
        "status",
        "taxSummary",
        "fulfillmentStatus",
    ]
    assert set(shown["amountSummary"]) == {"subtotal", "discount", "tax", "shipping"}
    assert shown["contactSnapshot"]["locationId"] == LOCATION
    assert not [key for key in shown["contactSnapshot"] if "_" in key]
    assert [item["qty"] for item in shown["items"]] == [item["qty"] for item in order["items"]]
    assert all("variantOptionIds" in item["price"] for item in shown["items"])
    assert not {"markAsTest", "trackingId", "coupon"} & set(shown)


def test_an_order_has_the_published_fields_and_the_taxes_that_only_events_tell(
    writer: EventWriter,
) -> None:
    schema = set(published("highlevel/payments.json").properties("GetOrderResponseSchema"))
    order = order_fields(next(iter(writer.generator.store.orders.values())))
    assert set(order) - schema == {"taxSummary"}


def test_a_sample_of_an_order_is_in_no_list(writer: EventWriter) -> None:
    before = set(writer.generator.store.orders)
    body = json.loads(writer.sample("OrderStatusUpdate", LOCATION).body)
    assert body["_id"] not in before
    assert set(writer.generator.store.orders) == before


@pytest.mark.parametrize(
    ("kind", "status", "due"),
    [
        ("InvoicePaid", "paid", 0),
        ("InvoiceVoid", "void", 1),
        ("InvoicePartiallyPaid", "partially_paid", 0.6),
    ],
)
def test_an_invoice_says_what_came_in(
    writer: EventWriter, kind: str, status: str, due: float
) -> None:
    body = json.loads(writer.sample(kind, LOCATION).body)
    assert body["status"] == status
    assert body["amountPaid"] + body["amountDue"] == pytest.approx(body["total"])
    assert body["amountDue"] == pytest.approx(body["total"] * due, abs=0.01)
    assert isinstance(body["invoiceNumber"], str)
