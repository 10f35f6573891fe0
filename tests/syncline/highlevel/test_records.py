from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syncline.errors import (
    Absent,
    BadCredentials,
    ForeignAnswer,
    MissingScope,
    UnknownName,
    Unreadable,
    WrongPlace,
)
from syncline.highlevel import canonical
from syncline.highlevel.client import HighLevelClient
from syncline.highlevel.pages import Page, PageRecord
from syncline.highlevel.paging import Certificate, Certified, Window, windows
from syncline.highlevel.records import (
    ORDERS,
    RECORDS,
    SUBSCRIPTIONS,
    TRANSACTIONS,
    OrderFilter,
    Records,
    Span,
    get_record,
    list_records,
)
from syncline.sandbox.process import SandboxProcess
from syncline.transport import Transport
from tests.syncline.highlevel.location import (
    LOCATION,
    TOKEN_FOR_ORDERS_ONLY,
    TOKEN_OF_ANOTHER_LOCATION,
    Scripted,
    client_of,
    permit,
)


@dataclass(frozen=True)
class Resource:
    count: int
    records: Records[Any, Any]
    from_list: Callable[[dict[str, Any]], dict[str, Any]]
    from_detail: Callable[[dict[str, Any]], dict[str, Any]]

    def list_page(self, client: HighLevelClient, span: Span, **only: Any) -> Page[Any]:
        return list_records(client, permit(), self.records, span, self.records.only(**only))

    def get(self, client: HighLevelClient, record_id: str) -> dict[str, Any]:
        return get_record(client, permit(), self.records, record_id)


THE_ORDERS = Resource(130, ORDERS, canonical.order_from_list, canonical.order_from_detail)
THE_TRANSACTIONS = Resource(
    60, TRANSACTIONS, canonical.transaction_from_list, canonical.transaction_from_detail
)
THE_SUBSCRIPTIONS = Resource(
    20, SUBSCRIPTIONS, canonical.subscription_from_list, canonical.subscription_from_detail
)


@pytest.fixture
def client(sandbox: SandboxProcess, transport: Transport) -> HighLevelClient:
    return client_of(transport, sandbox.highlevel_url)


def read_window(
    client: HighLevelClient, resource: Resource, window: Window
) -> list[PageRecord[Any]]:
    certificate, rows = Certificate(window, 50), []
    while not certificate.done:
        span = Span(certificate.limit, certificate.next_offset, window.first, window.last)
        page = resource.list_page(client, span)
        assert page.unreadable == []
        rows += [row for row in page.rows if window.holds(row.model.created_at)]
        certificate.add(certificate.next_offset, page.total_count, page.ids)
    assert isinstance(certificate.outcome(), Certified)
    return rows


@pytest.mark.parametrize("resource", [THE_ORDERS, THE_TRANSACTIONS, THE_SUBSCRIPTIONS])
def test_a_span_is_read_whole_and_both_facets_of_its_records_agree(
    client: HighLevelClient, resource: Resource
) -> None:
    today = datetime.now(UTC).date()
    spans = windows(today - timedelta(days=40), today, today=today)
    rows = [row for span in spans for row in read_window(client, resource, span)]
    assert len({row.id for row in rows}) == len(rows) == resource.count
    for row in rows[:20]:
        listed = resource.from_list(row.payload)
        single = resource.from_detail(resource.get(client, row.id))
        assert single["source"].items() >= listed["source"].items()
        agreed = (listed.keys() & single.keys()) - {"contact", "source"}
        assert {"id", "amount", "currency", "status", "created_at"} <= agreed
        assert {key: listed[key] for key in agreed} == {key: single[key] for key in agreed}


def test_filters_reach_the_server(server: Scripted, transport: Transport) -> None:
    server.body = b'{"data": [], "totalCount": 0}'
    page = list_records(
        client_of(transport, server.url),
        permit(),
        ORDERS,
        Span(7, 14, date(2026, 1, 2)),
        OrderFilter(payment_mode="live"),
    )
    assert (page.rows, page.total_count) == ([], 0)
    query = server.calls[0]["query"]
    wanted = {"limit": "7", "offset": "14", "startAt": "2026-01-02", "paymentMode": "live"}
    assert {key: query[key] for key in query.keys() - {"altId", "altType"}} == wanted


EVERY_FILTER: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "/payments/orders": (
        {
            "status": "completed",
            "payment_status": "partially_paid",
            "payment_mode": "test",
            "contact_id": "c1",
            "source_id": "s1",
            "funnel_product_ids": ("p1", "p2"),
            "search": "Ada",
        },
        {
            "status": "completed",
            "paymentStatus": "partially_paid",
            "paymentMode": "test",
            "contactId": "c1",
            "sourceId": "s1",
            "funnelProductIds": "p1,p2",
            "search": "Ada",
        },
    ),
    "/payments/transactions": (
        {
            "payment_mode": "live",
            "entity_id": "o1",
            "contact_id": "c1",
            "subscription_id": "sub_1",
            "entity_source_type": "funnel",
            "entity_source_sub_type": "upsell",
            "search": "Ada",
        },
        {
            "paymentMode": "live",
            "entityId": "o1",
            "contactId": "c1",
            "subscriptionId": "sub_1",
            "entitySourceType": "funnel",
            "entitySourceSubType": "upsell",
            "search": "Ada",
        },
    ),
    "/payments/subscriptions": (
        {
            "payment_mode": "live",
            "entity_id": "o1",
            "contact_id": "c1",
            "id": "s1",
            "entity_source_type": "funnel",
            "search": "Ada",
            "get_payments_collected_count": True,
        },
        {
            "paymentMode": "live",
            "entityId": "o1",
            "contactId": "c1",
            "id": "s1",
            "entitySourceType": "funnel",
            "search": "Ada",
            "getPaymentsCollectedCount": "true",
        },
    ),
}
WINDOW = date(2026, 1, 2), date(2026, 1, 3)
SCHEMA = Path(__file__).parents[4] / "shared/apis/highlevel/payments.json"


@pytest.mark.parametrize("path", EVERY_FILTER)
def test_every_filter_is_sent_in_the_words_of_the_api_beside_the_location(
    server: Scripted, transport: Transport, path: str
) -> None:
    server.body = b'{"data": [], "totalCount": 0}'
    given, wanted = EVERY_FILTER[path]
    [records] = [one for one in RECORDS.values() if one.path == path]
    client = client_of(transport, server.url)
    list_records(client, permit(), records, Span(7, 14, *WINDOW), records.only(**given))
    (call,) = server.calls
    assert call["path"] == path
    assert call["query"] == {
        "altId": LOCATION,
        "altType": "location",
        "limit": "7",
        "offset": "14",
        "startAt": "2026-01-02",
        "endAt": "2026-01-03",
        **wanted,
    }


@pytest.mark.parametrize("path", EVERY_FILTER)
def test_every_filter_that_is_published_can_be_given(path: str) -> None:
    if not SCHEMA.exists():
        pytest.skip("the published schema is not beside this checkout")
    published = json.loads(SCHEMA.read_text())["paths"][path]["get"]["parameters"]
    names = {one["name"] for one in published if one["in"] == "query"}
    place, window = {"altId", "altType", "locationId"}, {"limit", "offset", "startAt", "endAt"}
    assert names - place - window == set(EVERY_FILTER[path][1])


def _value(row: dict[str, Any], *path: str) -> Any:
    for key in path:
        row = row[key]
    return row


@pytest.mark.parametrize(
    ("resource", "keyword", "path"),
    [
        (THE_ORDERS, "contact_id", ("contactId",)),
        (THE_ORDERS, "source_id", ("source", "id")),
        (THE_TRANSACTIONS, "entity_id", ("entityId",)),
        (THE_TRANSACTIONS, "entity_source_type", ("entitySource", "type")),
        (THE_TRANSACTIONS, "entity_source_sub_type", ("entitySource", "subType")),
        (THE_SUBSCRIPTIONS, "id", ("_id",)),
        (THE_SUBSCRIPTIONS, "entity_source_type", ("entitySource", "type")),
    ],
)
def test_a_filter_gives_the_records_that_it_names_and_no_others(
    client: HighLevelClient, resource: Resource, keyword: str, path: tuple[str, ...]
) -> None:
    every = resource.list_page(client, Span(100)).rows
    single = resource.get(client, every[0].id)
    wanted = _value(single, *path)
    found = resource.list_page(client, Span(100), **{keyword: wanted})
    assert every[0].id in found.ids
    for row in found.rows[:5]:
        assert _value(resource.get(client, row.id), *path) == wanted


def test_orders_of_a_product_are_found(client: HighLevelClient) -> None:
    [row] = list_records(client, permit(), ORDERS, Span(1)).rows
    product = get_record(client, permit(), ORDERS, row.id)["items"][0]["product"]["_id"]
    of_product = OrderFilter(funnel_product_ids=("no", product))
    found = list_records(client, permit(), ORDERS, Span(100), of_product)
    assert row.id in found.ids
    assert not list_records(
        client, permit(), ORDERS, Span(1), OrderFilter(funnel_product_ids=("no",))
    ).ids


def test_an_unknown_order_is_absent(client: HighLevelClient) -> None:
    with pytest.raises(Absent):
        get_record(client, permit(), ORDERS, "653f5e0cde5a1314e62a837c")


def test_what_cannot_be_an_id_is_never_sent(server: Scripted, transport: Transport) -> None:
    for wrong in ("", "../transactions", "a b", "x" * 100):
        with pytest.raises(UnknownName, match="Copy the id from HighLevel"):
            get_record(client_of(transport, server.url), permit(), ORDERS, wrong)
    assert server.calls == []


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        ("pit-unknown", BadCredentials),
        (TOKEN_OF_ANOTHER_LOCATION, WrongPlace),
        (TOKEN_FOR_ORDERS_ONLY, MissingScope),
    ],
)
def test_a_wrong_token_is_told_apart(
    sandbox: SandboxProcess, transport: Transport, token: str, kind: type[Exception]
) -> None:
    client = client_of(transport, sandbox.highlevel_url, token)
    with pytest.raises(kind) as error:
        list_records(client, permit(), TRANSACTIONS, Span(1))
    assert token not in str(error.value)


@pytest.mark.parametrize(
    "body",
    [b'{"_id": "other"}', b'{"_id": "o1", "altId": "elsewhere"}', b'{"_id": null}'],
)
def test_an_answer_that_is_not_the_order_asked_for_is_unreadable(
    server: Scripted, transport: Transport, body: bytes
) -> None:
    server.body = body
    with pytest.raises(Unreadable) as error:
        get_record(client_of(transport, server.url), permit("call-3"), ORDERS, "o1")
    assert error.value.call_id == "call-3"


@pytest.mark.parametrize(
    "body",
    [b"{}", b'{"ok": true}', b'{"login": "https://sso.example.com"}', b'{"message": "No."}'],
)
def test_an_object_that_has_nothing_of_what_was_asked_for_is_somebody_elses(
    server: Scripted, transport: Transport, body: bytes
) -> None:
    server.body = body
    client = client_of(transport, server.url)
    for read in (
        lambda: get_record(client, permit("call-5"), ORDERS, "o1"),
        lambda: list_records(client, permit("call-5"), ORDERS, Span(1)),
    ):
        with pytest.raises(ForeignAnswer) as error:
            read()
        assert (error.value.call_id, error.value.status) == ("call-5", 200)
        assert error.value.answered_by is not None


def test_a_list_that_is_no_page_is_unreadable(server: Scripted, transport: Transport) -> None:
    server.body = b'{"data": {}}'
    with pytest.raises(Unreadable) as error:
        list_records(client_of(transport, server.url), permit("call-4"), ORDERS, Span(1))
    assert error.value.call_id == "call-4"
