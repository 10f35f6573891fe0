"""Both emulated APIs held against the published schemas, with every deviation named and its reason.

A deviation that is listed and not found fails as one that is found and not listed does, so the
lists stay true.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from syncline.sandbox.config import LOCATION
from syncline.sandbox.halo.entities import ENTITIES
from syncline.sandbox.halo.reporting import custom_tables as halo_custom_tables
from syncline.sandbox.halo.reporting import dashboards as halo_dashboards
from syncline.sandbox.halo.reporting import reports as halo_reports
from syncline.sandbox.halo.resources import fields as halo_fields
from tests.syncline.sandbox.location import new_location, shared_location
from tests.syncline.sandbox.published import Published, published
from tests.syncline.sandbox.tenant_calls import TenantCalls, order, tenant

Deviations = Mapping[str, str]
"""What departs from the schema, and why it does."""

_LENIENT = "the published examples write numbers as text, so some rows do"
_FORWARD = "a field that no schema names yet: readers must pass over it"
_STATUS = "typed as an object, its own example is a string"

_QUIRKS = {
    "amount: str for number": _LENIENT,
    "loyaltyTier: unknown": _FORWARD,
    "routing: unknown": _FORWARD,
}
_STATUS_QUIRKS = {**_QUIRKS, "status: str for object": _STATUS}
_SUMMED = "seen in events, and needed to tell what the amount consists of"

LISTS: dict[str, tuple[str, Deviations]] = {
    "orders": (
        "ListOrdersResponseDto",
        {
            **_QUIRKS,
            "discount: str for number": _LENIENT,
            "subtotal: str for number": _LENIENT,
            "totalProducts: str for number": _LENIENT,
        },
    ),
    "transactions": (
        "ListTxnsResponseDto",
        {**_STATUS_QUIRKS, "amountRefunded: str for number": _LENIENT},
    ),
    "subscriptions": ("ListSubscriptionResponseDto", _STATUS_QUIRKS),
}
SINGLES: dict[str, tuple[str, Deviations]] = {
    "orders": (
        "GetOrderResponseSchema",
        {
            **_QUIRKS,
            "amountSummary.discount: str for number": _LENIENT,
            "amountSummary.subtotal: str for number": _LENIENT,
            "amountSummary.shipping: unknown": _SUMMED,
            "amountSummary.tax: unknown": _SUMMED,
            "taxSummary: unknown": _SUMMED,
            "items[]: dict for string": "typed as texts, the example and the events show objects",
        },
    ),
    "transactions": (
        "GetTxnResponseSchema",
        {**_STATUS_QUIRKS, "amountRefunded: str for number": _LENIENT},
    ),
    "subscriptions": (
        "GetSubscriptionResponseSchema",
        {**_STATUS_QUIRKS, "altType: str for object": _STATUS},
    ),
}


@pytest.fixture
def highlevel() -> Published:
    return published("highlevel/payments.json")


@pytest.fixture
def halo() -> Published:
    return published("halo/halo.json")


@pytest.mark.parametrize("kind", LISTS)
def test_every_row_of_a_highlevel_list_has_the_published_form(
    highlevel: Published, kind: str
) -> None:
    location, (schema, deviations) = shared_location(), LISTS[kind]
    found: set[str] = set()
    for offset in range(0, len(getattr(location.store, kind)), 100):
        page = location.get(f"/payments/{kind}", limit="100", offset=str(offset))
        found |= highlevel.misfits(page, schema)
    assert found == {f"data[].{deviation}" for deviation in deviations}


@pytest.mark.parametrize("kind", SINGLES)
def test_every_single_read_of_highlevel_has_the_published_form(
    highlevel: Published, kind: str
) -> None:
    location, (schema, deviations) = shared_location(), SINGLES[kind]
    found: set[str] = set()
    for document_id in getattr(location.store, kind):
        found |= highlevel.misfits(location.get(f"/payments/{kind}/{document_id}"), schema)
    assert found == set(deviations)


def test_fulfillments_are_asked_for_and_answered_in_the_published_form(
    highlevel: Published,
) -> None:
    location = new_location()
    order_id, sold = next(iter(location.store.orders.items()))
    tracking = {"trackingNumber": "4001", "shippingCarrier": "FedEx", "trackingUrl": "https://x"}
    body = {
        "altId": LOCATION,
        "altType": "location",
        "trackings": [tracking],
        "items": [{"priceId": one["price"]["_id"], "qty": one["qty"]} for one in sold["items"]],
        "notifyCustomer": False,
    }
    path = f"/payments/orders/{order_id}/fulfillments"
    made = location.call("POST", path, body=body).body
    assert highlevel.misfits(body, "CreateFulfillmentDto") == set()
    assert highlevel.misfits(made, "CreateFulfillmentResponseDto") == set()
    assert highlevel.misfits(location.get(path), "ListFulfillmentResponseDto") == set()


def test_providers_are_asked_for_and_answered_in_the_published_form(highlevel: Published) -> None:
    location = new_location()
    path = "/payments/integrations/provider/whitelabel"
    body = {
        "altId": LOCATION,
        "altType": "location",
        "uniqueName": "acme-pay",
        "title": "Acme Pay",
        "provider": "nmi",
        "description": "Payments by Acme",
        "imageUrl": "https://acme.example/logo.png",
    }
    made = location.call("POST", path, body=body).body
    assert highlevel.misfits(body, "CreateWhiteLabelIntegrationProviderDto") == set()
    assert highlevel.misfits(made, "CreateWhitelabelIntegrationResponseDto") == set()
    # Typed as one object though described as a list, so its elements are held against it.
    listed = location.get(path)
    assert set(listed) == {"providers"}
    for one in listed["providers"]:
        assert highlevel.misfits(one, "IntegrationProviderSchema") == set()


_NEWER = "in the newer published schema only"
_DATABASE = "the database's own column, shown by every reader of lines"
_ORDER_LINES = {
    "lines[].quantity: unknown": "left out of the schema, yet what every client writes",
    "lines[].tax: unknown": "left out of the schema, yet what every client writes",
    "lines[].seq: unknown": _DATABASE,
}
ROWS: dict[str, tuple[str, Deviations]] = {
    "SalesOrder": ("OrderHead", {"change_seq: unknown": _NEWER, **_ORDER_LINES}),
    "Consignment": ("ConsignmentHeader", {}),
    "Client": ("Area", {}),
    "Site": ("Site", {}),
    "Users": ("Users", {}),
    "ExternalLink": ("ExternalLink_List", {}),
    "Currency": ("Currency", {}),
    "Status": ("TStatus", {}),
    "Invoice": ("InvoiceHeader", {}),
    "InvoicePayment": ("InvoicePayment_List", {}),
    "RecurringInvoice": ("InvoiceHeader", {}),
    "Tickets": ("Faults", {}),
    "TicketType": ("RequestType", {}),
    "IntegrationError": ("IntegrationError", {}),
    "Report": ("AnalyzerProfile", {}),
    "DashboardLinks": ("DashboardLinks", {}),
    "CustomTable": ("CustomTable", {}),
}

LINK = {"third_party_id": "HL-x", "third_party_type": "syncline", "third_party_desc": "Order x"}
SILENT = {"_dont_fire_automations": True, "_isimport": True}


def _filled() -> tuple[TenantCalls, list[tuple[str, dict[str, Any]]]]:
    """A tenant with a row of every entity, and what its writes answered."""
    calls = tenant()
    client, user = calls.customer()
    answers: list[tuple[str, dict[str, Any]]] = [("Client", client), ("Users", user)]

    def make(path: str, body: dict[str, Any]) -> int:
        row = calls.made(path, body)
        answers.append((path, row))
        made: int = row["id"]
        return made

    linked = {"client_id": client["id"], "new_external_link": LINK, **SILENT}
    # The total is overruled, so that the answer warns.
    line = {"item_shortdescription": "Mug", "qty_order": 1, "unit_price": 3, "total_price": 99}
    sale = {"thirdpartyinvoicenumber": "HL-x", "lines": [line], **linked}
    schedule = {"disabled": True, "startdate": "2026-03-01", "period": 1, "period_type": 2}
    make("Site", {"name": "Yard", "client_id": client["id"], **SILENT})
    ordered = calls.halo.orders[make("SalesOrder", order("HL-x", **linked))]
    sent = [{"salesorder_line": ordered["lines"][0]["id"], "quantity": 1}]
    make("Consignment", {"salesorder_id": ordered["id"], "lines": sent})
    sold = make("Invoice", sale)
    back = {"lines": [{**line, "qty_order": -1}], "creditlinkedtoinvoiceid": sold}
    make("Invoice", {**sale, **back, "mark_credit_as_used": True})
    make("InvoicePayment", {"invoice_id": sold, "amount": 3, "intent_id": "HL-x", **SILENT})
    make("RecurringInvoice", {**sale, **schedule})
    make("Tickets", {"summary": "s", "details": "d", **linked})
    make("IntegrationError", {"module_id": 7, "error": "e"})
    report_id = make("Report", {"name": "Sales", "sql": "SELECT 1 AS one", "charttype": 1})
    widget = {"i": "one", "title": "One", "type": 1, "report_id": report_id, "x": 0, "y": 0}
    make("DashboardLinks", {"name": "Mine", "widgets": [{**widget, "w": 6, "h": 2}]})
    make("CustomTable", {"name": "mine", "columns": 2, "note": "n"})
    return calls, answers


def test_every_entity_of_halo_is_held_against_its_schema() -> None:
    assert {name.lower() for name in ROWS} == set(ENTITIES)


def test_halo_answers_a_write_in_the_published_form(halo: Published) -> None:
    _, answers = _filled()
    for path, row in answers:
        schema, deviations = ROWS[path]
        assert halo.misfits(row, schema) == set(deviations), path


@pytest.mark.parametrize("path", ROWS)
def test_halo_answers_a_read_in_the_published_form(halo: Published, path: str) -> None:
    calls, _ = _filled()
    schema, deviations = ROWS[path]
    listed = calls.get(path, includecredits="true")
    rows = listed if isinstance(listed, list) else listed[str(ENTITIES[path.lower()].list_key)]
    assert rows
    flat = {one for one in deviations if "[]" not in one}
    whole: set[str] = set()
    for row in rows:
        assert halo.misfits(row, schema) <= flat
        whole |= halo.misfits(calls.get(f"{path}/{row['id']}", includedetails="true"), schema)
    assert whole == set(deviations)


def test_a_list_of_tickets_shows_only_what_is_published_for_it(halo: Published) -> None:
    calls, _ = _filled()
    for row in calls.get("Tickets")["tickets"]:
        assert halo.misfits(row, "Faults_List") == set()


def test_actions_and_priorities_of_halo_have_the_published_form(halo: Published) -> None:
    calls, _ = _filled()
    ticket_id = next(iter(calls.halo.tickets))
    action = {"ticket_id": ticket_id, "note": "n", "new_status": 22, "new_external_link": LINK}
    assert halo.misfits(calls.made("Actions", action), "Actions") == set()
    listed = calls.get("Actions", ticket_id=str(ticket_id))["actions"]
    assert [halo.misfits(one, "Actions") for one in listed] == [set()]
    assert {one for row in calls.get("Priority") for one in halo.misfits(row, "Policy")} == set()


def test_a_report_of_halo_is_answered_in_the_published_form(halo: Published) -> None:
    calls, _ = _filled()
    asked = {"sql": "select OHid, OHusername from ORDERHEAD", "_loadreportonly": True}
    assert halo.misfits(asked, "AnalyzerProfile") == set()
    assert halo.misfits(calls.post("Report", asked).body[0], "AnalyzerProfile") == set()


_INT_AS_NUMBER = "published as a double, yet an id"
BODIES: dict[str, tuple[Mapping[str, halo_fields.Convert], str, Deviations]] = {
    "order": (
        halo_fields.ORDER,
        "OrderHead",
        {
            "change_seq: unknown": _NEWER,
            "_dont_fire_automations: unknown": _NEWER,
            "_forcethirdpartysync: unknown": _NEWER,
        },
    ),
    "order line": (
        halo_fields.LINE,
        "OrderLine",
        {
            "quantity: unknown": _ORDER_LINES["lines[].quantity: unknown"],
            "tax: unknown": _ORDER_LINES["lines[].tax: unknown"],
            "qty_order: unknown": "a second spelling, for a tenant that does not take quantity",
            "mark_as_complete: unknown": _NEWER,
            "new_external_link: unknown": _NEWER,
            "nominal_code_id: unknown": _NEWER,
        },
    ),
    "invoice": (halo_fields.INVOICE, "InvoiceHeader", {}),
    "invoice line": (halo_fields.INVOICE_LINE, "InvoiceDetail", {}),
    "payment": (halo_fields.PAYMENT, "InvoicePayment_List", {}),
    "consignment": (halo_fields.CONSIGNMENT, "ConsignmentHeader", {}),
    "consignment line": (halo_fields.CONSIGNMENT_LINE, "ConsignmentDetail", {}),
    "webhook": (halo_fields.WEBHOOK, "Webhook", {}),
    "webhook mapping": (halo_fields.WEBHOOK_MAPPING, "WebhookMapping", {}),
    "notification": (halo_fields.NOTIFICATION, "UnameNotification", {}),
    "client": (
        halo_fields.CLIENT,
        "Area",
        {"isopportunity: boolean for integer": "a flag by its name and use"},
    ),
    "site": (halo_fields.SITE, "Site", {"client_id: integer for number": _INT_AS_NUMBER}),
    "user": (halo_fields.USERS, "Users", {"site_id: integer for number": _INT_AS_NUMBER}),
    "link": (halo_fields.LINK, "ExternalLink_List", {}),
    "ticket": (halo_fields.TICKET, "Faults", {}),
    "action": (halo_fields.ACTION, "Actions", {}),
    "integration error": (halo_fields.INTEGRATION_ERROR, "IntegrationError", {}),
    "report": (halo_reports.STORED, "AnalyzerProfile", {}),
    "dashboard": (halo_dashboards.DASHBOARD, "DashboardLinks", {}),
    "widget": (halo_dashboards.WIDGET, "Widget", {}),
    "custom table": (
        halo_custom_tables.TABLE,
        "CustomTable",
        {"_add_rows: unknown": "how rows go in, as seen live by others"},
    ),
}

_SAMPLES: tuple[tuple[str, Any], ...] = (
    ("object", {}),
    ("array", []),
    ("boolean", True),
    ("integer", 1),
)


@pytest.mark.parametrize("body", BODIES)
def test_every_field_that_halo_takes_is_published_with_its_type(halo: Published, body: str) -> None:
    fields, schema, deviations = BODIES[body]
    properties = halo.properties(schema)
    found = set()
    for name, convert in fields.items():
        if name not in properties:
            found.add(f"{name}: unknown")
        elif (taken := _taken(convert)) != (wanted := properties[name].get("type", "object")):
            found.add(f"{name}: {taken} for {wanted}")
    assert found == set(deviations)


def _taken(convert: Callable[[Any], Any]) -> str:
    """What a conversion lets through, told by trying: numbers and texts take several things."""
    for name, sample in _SAMPLES:
        try:
            taken = convert(sample)
        except halo_fields.MisfitError:
            continue
        if name != "integer":
            return name
        return {"int": "integer", "Decimal": "number"}.get(type(taken).__name__, "string")
    raise AssertionError(f"{convert} takes nothing")
