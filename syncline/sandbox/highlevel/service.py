"""The payments part of HighLevel's API, from its published documents, over a location's store."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from syncline.sandbox.config import Limit, SandboxConfig, Shape, Token
from syncline.sandbox.highlevel.account import Account
from syncline.sandbox.highlevel.checks import (
    RefusedCallError,
    bearer,
    broken_alt,
    check_location,
    check_scope,
    check_version,
    invalid,
    not_found,
    not_found_on_write,
    read_page,
    refuse,
)
from syncline.sandbox.highlevel.oauth import OAuth, check_alive
from syncline.sandbox.highlevel.providers import Providers, broken_provider
from syncline.sandbox.highlevel.rows import list_row, single
from syncline.sandbox.highlevel.shapes import shape_of
from syncline.sandbox.location.forms import uuid4_text
from syncline.sandbox.location.fulfillments import broken_fulfillment, make_fulfillment
from syncline.sandbox.location.store import Document, Store
from syncline.sandbox.wire.faults import Faults
from syncline.sandbox.wire.limits import Allowance
from syncline.sandbox.wire.service import Reply, Request

_NOUN = {"orders": "Order", "transactions": "Transaction", "subscriptions": "Subscription"}
_PROVIDERS = ["payments", "integrations", "provider", "whitelabel"]
_PAYMENT_STATUS = {
    "completed": "paid",
    "pending": "unpaid",
    "refunded": "refunded",
    "partially_refunded": "refunded",
}


@dataclass(frozen=True, slots=True)
class _Route:
    """Where a call leads: the operation's name, the scope it asks for, the kind and the id."""

    operation: str
    scope: str
    kind: str
    document_id: str | None = None
    fulfillments: bool = False


class HighLevelService:
    """One location's payments.

    Args:
        config: tokens, page cap, location.
        store: the location's data.
        faults: the dial that spoils answers; this service's answers have no order to spoil.
        now: the clock, aware UTC.
        account: what the service itself keeps; None is that of a location nobody has called.

    Attributes:
        oauth: the marketplace app's tokens.
        shapes: how many documents and rows were answered in each shape.
    """

    def __init__(
        self,
        config: SandboxConfig,
        store: Store,
        faults: Faults,
        now: Callable[[], datetime],
        account: Account | None = None,
    ) -> None:
        account = account or Account.of(config)
        self._config = config
        self._store = store
        self._faults = faults
        self._now = now
        self._traces = random.Random(f"traces {config.seed}")
        self._ids = account.ids
        self._providers = Providers(now, account)
        self.oauth = OAuth(config, now, account)
        self.shapes = Counter[Shape]()

    def handle(self, request: Request) -> Reply:
        """Answer one call."""
        try:
            if request.path.startswith("/oauth/"):
                return self.oauth.handle(request, self._trace_id())
            token = self._bearer(request)
            check_version(request)
            route = _route(request)
            if route is None:
                raise refuse(404, f"Cannot {request.method} {request.path}", "Not Found")
            check_scope(token, route.scope)
            parameters = _parameters(request)
            check_location(token, parameters)
            return self._answer(request, route, parameters)
        except RefusedCallError as refusal:
            return refusal.reply

    def operation(self, request: Request) -> str:
        """The operation's short name, such as `GET /payments/orders/{id}`."""
        route = _route(request)
        return route.operation if route else f"{request.method} {request.path}"

    def advance(self) -> None:
        """Nothing of this service becomes visible late."""

    def rate_limited(self, limit: Limit) -> Reply:  # noqa: ARG002
        """The refusal of a call too many; HighLevel publishes no body, so this one is a guess."""
        return Reply(429, {"statusCode": 429, "message": "Too Many Requests"})

    def broken(self) -> Reply:
        """The error of its own server, in the common shape."""
        return Reply(500, {"statusCode": 500, "message": "Internal Server Error"})

    def rate_headers(self, limit: Limit, allowance: Allowance) -> dict[str, str]:
        """The headers that every answer carries, lower case as they are on the wire."""
        return {
            "x-ratelimit-limit-daily": str(self._config.highlevel_daily),
            "x-ratelimit-daily-remaining": str(allowance.daily_remaining),
            "x-ratelimit-daily-reset": str(allowance.reset_ms),
            "x-ratelimit-interval-milliseconds": str(int(limit.seconds * 1000)),
            "x-ratelimit-max": str(limit.calls),
            "x-ratelimit-remaining": str(allowance.remaining),
        }

    def _bearer(self, request: Request) -> Token:
        """The token of a call, private or the app's; an agency's may do nothing in a location."""
        access = self.oauth.access(request.headers.get("authorization", "").partition(" ")[2])
        if access is None:
            return bearer(self._config, request)
        check_alive(access, self._now())
        if access.user_type == "Company":
            return access.token.model_copy(update={"scopes": ()})
        return access.token

    def _answer(self, request: Request, route: _Route, parameters: Mapping[str, Any]) -> Reply:
        messages = broken_alt(parameters)
        if route.kind == "providers":
            return self._provide(request, parameters, messages)
        if route.document_id is None:
            return self._list(route.kind, request.query, messages)
        if route.fulfillments and request.method == "POST":
            return self._fulfill(route.document_id, parameters, messages)
        if messages:
            raise invalid(messages, self._trace_id())
        document = getattr(self._store, route.kind).get(route.document_id)
        if document is None:
            raise not_found(_NOUN[route.kind])
        if route.fulfillments:
            made = self._store.fulfillments.get(route.document_id, [])
            return Reply(200, {"status": True, "data": made})
        self.shapes[shape_of(self._config, document["_id"])] += 1
        return Reply(200, single(self._store, document, self._trace_id()))

    def _list(self, kind: str, query: Mapping[str, str], messages: list[str]) -> Reply:
        page = read_page(query, self._config.page_cap, messages)
        if messages:
            raise invalid(messages, self._trace_id())
        documents: dict[str, Document] = getattr(self._store, kind)
        ids = self._store.timeline(kind).newest_first(page.start, page.end)
        tests = _filters(query)
        if tests:
            ids = [i for i in ids if all(test(documents[i]) for test in tests)]
        shown = ids[page.offset : page.offset + page.limit]
        rows = [list_row(self._store, kind, documents[i]) for i in shown]
        self.shapes.update(shape_of(self._config, i) for i in shown)
        return Reply(200, {"data": rows, "totalCount": len(ids)})

    def _fulfill(self, order_id: str, body: Mapping[str, Any], messages: list[str]) -> Reply:
        messages += broken_fulfillment(body)
        if messages:
            raise invalid(messages, self._trace_id())
        order = self._store.orders.get(order_id)
        if order is None:
            raise not_found_on_write("Order", self._trace_id())
        known = {item["price"]["_id"] for item in order["items"]}
        for item in body["items"]:
            if item["priceId"] not in known:
                raise refuse(400, f"Price not found for id: {item['priceId']}", "Bad Request")
        made = make_fulfillment(self._store, order, body, self._now(), self._ids)
        return Reply(200, {"status": True, "data": made})

    def _provide(
        self, request: Request, parameters: Mapping[str, Any], messages: list[str]
    ) -> Reply:
        if request.method == "GET":
            found = self._providers.listed(request.query, messages)
            if messages:
                raise invalid(messages, self._trace_id())
            return Reply(200, {"providers": found})
        messages += broken_provider(parameters)
        if messages:
            raise invalid(messages, self._trace_id())
        return Reply(200, self._providers.register(parameters))

    def _trace_id(self) -> str:
        return uuid4_text(self._traces)


def _route(request: Request) -> _Route | None:
    parts = request.path.strip("/").split("/")
    if parts == _PROVIDERS and request.method in ("GET", "POST"):
        scope = f"payments/integration.{'readonly' if request.method == 'GET' else 'write'}"
        return _Route(f"{request.method} /{'/'.join(_PROVIDERS)}", scope, "providers")
    if parts[0] != "payments" or len(parts) not in (2, 3, 4) or parts[1] not in _NOUN:
        return None
    kind = parts[1]
    read = f"payments/{kind}.readonly"
    match request.method, parts[2:]:
        case "GET", []:
            return _Route(f"GET /payments/{kind}", read, kind)
        case "GET", [document_id]:
            return _Route(f"GET /payments/{kind}/{{id}}", read, kind, document_id)
        case ("GET" | "POST") as method, [document_id, "fulfillments"] if kind == "orders":
            scope = read if method == "GET" else "payments/orders.write"
            operation = f"{method} /payments/orders/{{id}}/fulfillments"
            return _Route(operation, scope, kind, document_id, fulfillments=True)
        case _:
            return None


def _parameters(request: Request) -> Mapping[str, Any]:
    """Where altId and the rest stand: in the query of a GET, in the body of a POST."""
    if request.method == "GET":
        return request.query
    try:
        body = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise refuse(400, "Unexpected token in JSON", "Bad Request") from None
    if not isinstance(body, dict):
        raise refuse(400, "The body must be a JSON object", "Bad Request")
    return body


def _filters(query: Mapping[str, str]) -> list[Callable[[Document], bool]]:
    """The tests of the filters that are given; an unknown parameter is no filter."""
    return [_FILTERS[name](query[name]) for name in _FILTERS if query.get(name)]


def _is(*path: str) -> Callable[[str], Callable[[Document], bool]]:
    def wanting(wanted: str) -> Callable[[Document], bool]:
        def test(document: Document) -> bool:
            value: Any = document
            for key in path:
                value = value.get(key, {})
            return bool(value == wanted)

        return test

    return wanting


def _source_is(key: str) -> Callable[[str], Callable[[Document], bool]]:
    def wanting(wanted: str) -> Callable[[Document], bool]:
        def test(document: Document) -> bool:
            source: Document = document.get("entitySource") or document.get("source") or {}
            return bool(source.get(key) == wanted)

        return test

    return wanting


def _mode(wanted: str) -> Callable[[Document], bool]:
    return lambda document: bool(document["liveMode"] == (wanted == "live"))


def _paid(wanted: str) -> Callable[[Document], bool]:
    return lambda document: _PAYMENT_STATUS.get(document["status"]) == wanted


def _sold(wanted: str) -> Callable[[Document], bool]:
    """One of these products is in it; whether HighLevel means another kind of id is a guess."""
    products = set(wanted.split(","))
    return lambda document: any(
        item["product"]["_id"] in products for item in document.get("items", [])
    )


def _search(wanted: str) -> Callable[[Document], bool]:
    needle = wanted.lower()

    def test(document: Document) -> bool:
        contact = document.get("contactSnapshot", {})
        seen = (
            document["_id"],
            contact.get("full_name_lower_case", ""),
            contact.get("email", "").lower(),
        )
        return any(needle in text for text in seen)

    return test


_FILTERS: dict[str, Callable[[str], Callable[[Document], bool]]] = {
    "status": _is("status"),
    "contactId": _is("contactId"),
    "entityId": _is("entityId"),
    "subscriptionId": _is("subscriptionId"),
    "id": _is("_id"),
    "sourceId": _source_is("id"),
    "funnelProductIds": _sold,
    "entitySourceType": _source_is("type"),
    "entitySourceSubType": _source_is("subType"),
    "paymentMode": _mode,
    "paymentStatus": _paid,
    "search": _search,
}
