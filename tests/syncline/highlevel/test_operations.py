from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from syncline.errors import (
    Absent,
    BadCredentials,
    MissingScope,
    UnknownName,
    Unreadable,
    WrongPlace,
)
from syncline.highlevel import canonical
from syncline.highlevel.client import HighLevelClient
from syncline.highlevel.models import Page, Row
from syncline.highlevel.orders import get_order, list_orders
from syncline.highlevel.paging import Certificate, Certified, Window, windows
from syncline.highlevel.subscriptions import get_subscription, list_subscriptions
from syncline.highlevel.transactions import get_transaction, list_transactions
from syncline.sandbox.process import SandboxProcess
from syncline.transport import Transport
from tests.syncline.highlevel.location import (
    TOKEN_FOR_ORDERS_ONLY,
    TOKEN_OF_ANOTHER_LOCATION,
    Scripted,
    client_of,
    permit,
)


@dataclass(frozen=True, slots=True)
class Resource:
    count: int
    list_page: Callable[..., Page[Any]]
    get: Callable[..., dict[str, Any]]
    from_list: Callable[[dict[str, Any]], dict[str, Any]]
    from_detail: Callable[[dict[str, Any]], dict[str, Any]]


ORDERS = Resource(
    130, list_orders, get_order, canonical.order_from_list, canonical.order_from_detail
)
TRANSACTIONS = Resource(
    60,
    list_transactions,
    get_transaction,
    canonical.transaction_from_list,
    canonical.transaction_from_detail,
)
SUBSCRIPTIONS = Resource(
    20,
    list_subscriptions,
    get_subscription,
    canonical.subscription_from_list,
    canonical.subscription_from_detail,
)


@pytest.fixture
def client(sandbox: SandboxProcess, transport: Transport) -> HighLevelClient:
    return client_of(transport, sandbox.highlevel_url)


def read_window(client: HighLevelClient, resource: Resource, window: Window) -> list[Row[Any]]:
    certificate, rows = Certificate(window, 50), []
    while not certificate.done:
        page = resource.list_page(
            client,
            permit(),
            limit=certificate.limit,
            offset=certificate.next_offset,
            start_at=window.first,
            end_at=window.last,
        )
        assert page.unreadable == []
        rows += [row for row in page.rows if window.holds(row.model.created_at)]
        certificate.add(certificate.next_offset, page.total_count, page.ids)
    assert isinstance(certificate.verdict(), Certified)
    return rows


@pytest.mark.parametrize("resource", [ORDERS, TRANSACTIONS, SUBSCRIPTIONS])
def test_a_span_is_read_whole_and_both_facets_of_its_records_agree(
    client: HighLevelClient, resource: Resource
) -> None:
    today = datetime.now(UTC).date()
    spans = windows(today - timedelta(days=40), today, today=today)
    rows = [row for span in spans for row in read_window(client, resource, span)]
    assert len({row.id for row in rows}) == len(rows) == resource.count
    for row in rows[:20]:
        listed = resource.from_list(row.payload)
        single = resource.from_detail(resource.get(client, permit(), row.id))
        assert single["source"].items() >= listed["source"].items()
        agreed = (listed.keys() & single.keys()) - {"contact", "source"}
        assert {"id", "amount", "currency", "status", "created_at"} <= agreed
        assert {key: listed[key] for key in agreed} == {key: single[key] for key in agreed}


def test_filters_reach_the_server(server: Scripted, transport: Transport) -> None:
    server.body = b'{"data": [], "totalCount": 0}'
    page = list_orders(
        client_of(transport, server.url),
        permit(),
        limit=7,
        offset=14,
        start_at=date(2026, 1, 2),
        payment_mode="live",
    )
    assert (page.rows, page.total_count) == ([], 0)
    query = server.calls[0]["query"]
    wanted = {"limit": "7", "offset": "14", "startAt": "2026-01-02", "paymentMode": "live"}
    assert {key: query[key] for key in query.keys() - {"altId", "altType"}} == wanted


def test_an_unknown_order_is_absent(client: HighLevelClient) -> None:
    with pytest.raises(Absent):
        get_order(client, permit(), "653f5e0cde5a1314e62a837c")


def test_what_cannot_be_an_id_is_never_sent(server: Scripted, transport: Transport) -> None:
    for wrong in ("", "../transactions", "a b", "x" * 100):
        with pytest.raises(UnknownName, match="Copy the id from HighLevel"):
            get_order(client_of(transport, server.url), permit(), wrong)
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
    with pytest.raises(kind) as error:
        list_transactions(
            client_of(transport, sandbox.highlevel_url, token), permit(), limit=1, offset=0
        )
    assert token not in str(error.value)


@pytest.mark.parametrize(
    "body",
    [b'{"_id": "other", "createdAt": "2026-01-01T00:00:00Z"}', b'{"_id": "o1"}', b'{"data": []}'],
)
def test_an_answer_that_is_not_the_order_asked_for_is_unreadable(
    server: Scripted, transport: Transport, body: bytes
) -> None:
    server.body = body
    with pytest.raises(Unreadable) as error:
        get_order(client_of(transport, server.url), permit("call-3"), "o1")
    assert error.value.call_id == "call-3"


def test_a_list_that_is_no_page_is_unreadable(server: Scripted, transport: Transport) -> None:
    server.body = b'{"orders": []}'
    with pytest.raises(Unreadable) as error:
        list_orders(client_of(transport, server.url), permit("call-4"), limit=1, offset=0)
    assert error.value.call_id == "call-4"
