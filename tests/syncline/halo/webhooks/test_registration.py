from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from syncline import jsontext
from syncline.errors import Absent, Doubtful, MissingScope
from syncline.halo.client import HaloClient
from syncline.halo.entities.resources import WEBHOOK, WEBHOOK_EVENT
from syncline.halo.entities.rows import delete_row, next_page, read_row, save_row
from syncline.halo.models import LookupRow, NotificationRow
from syncline.halo.webhooks import registration as webhooks
from syncline.halo.webhooks.bindable import BindableEvent
from syncline.halo.webhooks.registration import fitting_events, webhook_body
from syncline.transport import Permit
from tests.syncline.halo.conftest import HaloServer

UUID = "0b7c1d9e-8f2a-4c3b-9d4e-5f6a7b8c9d0e"


def test_a_webhook_is_json_by_post_with_basic_credentials(
    server: HaloServer, client: HaloClient, permit: Permit
) -> None:
    server.on("POST /api/Webhook", lambda _: (201, [{"id": UUID, "name": "syncline acme"}]))
    body = webhook_body(
        "syncline acme", "https://s.example/x", "u", SecretStr("p"), webhook_id=None
    )
    assert save_row(client, permit, WEBHOOK, body).id == UUID
    [sent] = jsontext.loads(server.calls[-1].body)
    assert "id" not in sent
    assert "events" not in sent
    assert (sent["type"], sent["method"], sent["authentication_type"]) == (0, 0, 1)
    assert (sent["basic_username"], sent["basic_password"]) == ("u", "p")
    again = webhook_body(
        "syncline acme", "https://s.example/x", "u", SecretStr("p"), webhook_id=UUID
    )
    assert again == {**body, "id": UUID}


@pytest.mark.parametrize("wrapped", [True, False])
def test_webhooks_are_listed_whether_the_list_is_bare_or_not(
    server: HaloServer, client: HaloClient, permit: Permit, wrapped: bool
) -> None:
    rows = [{"id": UUID, "url": "https://s", "active": True, "type": 0}, {"id": "r", "type": 1}]
    server.on("GET /api/Webhook", lambda _: (200, {"webhooks": rows} if wrapped else rows))
    [row] = webhooks.list_webhooks(client, permit, lambda _: True)
    assert (row.id, row.url, row.active) == (UUID, "https://s", True)


def test_a_webhook_is_read_with_its_details(
    server: HaloServer, client: HaloClient, permit: Permit
) -> None:
    server.on(f"GET /api/Webhook/{UUID}", lambda _: (200, {"id": UUID, "content_type": "x"}))
    row = read_row(client, permit, WEBHOOK, UUID)
    assert (row.content_type, row.active, row.basic_username) == ("x", None, "")
    assert server.calls[-1].query == {"includedetails": "true"}


def test_an_application_without_the_right_is_told(
    server: HaloServer, client: HaloClient, permit: Permit
) -> None:
    server.on("GET /api/Webhook", lambda _: (403, {"Message": "No."}))
    with pytest.raises(MissingScope):
        webhooks.list_webhooks(client, permit, lambda _: True)


def test_an_event_is_bound_with_a_null_guid_so_that_no_row_is_overwritten(
    server: HaloServer, client: HaloClient, permit: Permit
) -> None:
    server.on("POST /api/Notification", lambda _: (201, {"id": 4, "guid": "g", "eventno": 501}))
    event = BindableEvent(501, "New Sales Order - All", "salesorder")
    row = webhooks.bind_event(client, permit, UUID, event, "syncline acme: New Sales Order - All")
    assert (row.id, row.guid) == (4, "g")
    [sent] = jsontext.loads(server.calls[-1].body)
    assert sent == {
        "guid": None,
        "name": "syncline acme: New Sales Order - All",
        "eventno": 501,
        "webhook_id": UUID,
        "type": -2,
        "delivery_method": 6,
    }


def test_bindings_of_other_webhooks_are_left_out_where_the_filter_is_ignored(
    server: HaloServer, client: HaloClient, permit: Permit
) -> None:
    rows = [
        {"id": 1, "webhook_id": UUID.upper(), "eventno": 5},
        {"id": 2, "webhook_id": "another", "eventno": 6},
        {"id": 3, "webhook_id": None, "eventno": 7},
    ]
    server.on("GET /api/Notification", lambda _: (200, rows))
    assert [row.eventno for row in webhooks.list_bindings(client, permit, UUID)] == [5]


@pytest.mark.parametrize(
    ("row", "path"), [({"id": 4, "guid": "g"}, "4"), ({"id": None, "guid": "g"}, "g")]
)
def test_a_binding_is_removed_by_whatever_id_it_has(
    server: HaloServer, client: HaloClient, permit: Permit, row: dict[str, Any], path: str
) -> None:
    server.on(f"DELETE /api/Notification/{path}", lambda _: (200, {}))
    webhooks.delete_binding(client, permit, NotificationRow.of(row))
    with pytest.raises(Absent):
        delete_row(client, permit, WEBHOOK, UUID)


@pytest.mark.parametrize("answer", [[], [{"id": UUID}, {"id": UUID}], {"name": "no id"}])
def test_a_save_whose_answer_is_not_one_row_is_doubtful(
    server: HaloServer, client: HaloClient, permit: Permit, answer: Any
) -> None:
    server.on("POST /api/Webhook", lambda _: (200, answer))
    with pytest.raises(Doubtful):
        save_row(client, permit, WEBHOOK, {"name": "x"})


def test_the_events_of_a_tenant_come_from_lookup_64(
    server: HaloServer, client: HaloClient, permit: Permit
) -> None:
    server.on("GET /api/Lookup", lambda _: (200, [{"id": 3, "name": "New Ticket Logged"}]))
    [row] = webhooks.list_bindable_events(client, permit)
    assert (row.id, row.name) == (3, "New Ticket Logged")
    assert server.calls[-1].query == {"lookupid": "64"}


def test_the_log_is_read_newest_first_and_for_one_webhook(
    server: HaloServer, client: HaloClient, permit: Permit
) -> None:
    entry = {
        "id": "e1",
        "webhook_id": UUID,
        "timestamp": "2026-03-01T10:00:00",
        "responsestatus": "500",
        "requestbody": None,
        "error": True,
    }
    server.on("GET /api/WebhookEvent", lambda _: (200, {"record_count": 1, "events": [entry]}))
    walk = webhooks.log_walk(UUID)
    [row] = next_page(client, permit, WEBHOOK_EVENT, walk)
    assert (row.id, row.responsestatus, row.requestbody, row.error) == ("e1", 500, "", True)
    query = server.calls[-1].query
    assert (query["webhook_id"], query["orderdesc"], query["page_no"]) == (UUID, "true", "1")
    assert walk.complete
    assert next_page(client, permit, WEBHOOK_EVENT, walk) == []


def _chosen(*names: str) -> list[str]:
    rows = [LookupRow.of({"id": at, "name": name}) for at, name in enumerate(names, 100)]
    return [event.name for event in fitting_events(rows)]


def test_events_are_chosen_by_name_and_of_twins_the_one_for_all() -> None:
    assert _chosen(
        "New Ticket Logged",
        "New Sales Order",
        "New Sales Order - All",
        "Sales Order Updated - All",
        "Sales Order Updated - Assigned",
        "Invoice Payment Received (All)",
        "Invoice Payment Received",
        "Consignment Created",
        "Purchase Order Created - All",
        "Invoice Created - All",
        "Invoice Payment Reminder Sent",
        "Sales Order Approved",
        "Quotation Updated",
    ) == [
        "New Sales Order - All",
        "Sales Order Updated - All",
        "Invoice Payment Received (All)",
        "Consignment Created",
    ]


def test_an_event_that_fires_for_assigned_agents_only_does_not_fit() -> None:
    assert _chosen("Sales Order Updated - Assigned to me", "Consignment Created (Team)") == []


@given(st.lists(st.text(max_size=30), max_size=8))
def test_any_names_can_be_chosen_from(names: list[str]) -> None:
    chosen = _chosen(*names)
    assert len(chosen) <= len(names)
