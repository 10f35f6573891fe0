from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import SecretStr

from syncline.highlevel.client import HighLevelClient, PrivateToken
from syncline.transport import Permit, Transport

LOCATION = "Sq8mV3kTzW0yRb5NpLc1"
TOKEN = "pit-5a1d0c7e-2f7b-4a35-9c56-0d1e8f42b9a7"
TOKEN_OF_ANOTHER_LOCATION = "pit-b27c9e14-63d8-4f0a-8b91-7e5502d4c3f6"
TOKEN_FOR_ORDERS_ONLY = "pit-e0f3a6b8-914c-4d27-a5de-38c7b16d2054"

ORDER_ROW: dict[str, Any] = {
    "_id": "653f5e0cde5a1314e62a837c",
    "contactId": "XPLSw2SVagl12LMDeTmQ",
    "contactName": "James Bond",
    "contactEmail": " James.Bond@Example.com",
    "currency": "usd",
    "amount": "100.5",
    "subtotal": 110,
    "discount": "9.5",
    "status": "completed",
    "liveMode": "false",
    "sourceType": "funnel",
    "sourceSubType": "one_step_order_form",
    "sourceName": "onestep",
    "sourceId": "kDj7BHej9Zyyq3QakJmz",
    "couponCode": "FEST10",
    "fulfillmentStatus": "unfulfilled",
    "createdAt": "2023-11-20T10:23:36.515Z",
    "updatedAt": "2024-01-23T09:57:04.846Z",
}


def permit(call_id: str = "call-1", seconds: float = 20) -> Permit:
    return Permit(call_id, "token", time.monotonic() + seconds, timedelta(seconds=seconds))


def client_of(transport: Transport, base_url: str, token: str = TOKEN) -> HighLevelClient:
    return HighLevelClient(
        transport, base_url=base_url, location_id=LOCATION, tokens=PrivateToken(SecretStr(token))
    )


@dataclass
class Scripted:
    """A real HTTP server that gives one answer to everything (None: cuts) and remembers calls."""

    status: int = 200
    body: bytes | None = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    url: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def scripted() -> Iterator[Scripted]:
    script = Scripted()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            size = int(self.headers.get("content-length", "0"))
            parts = urlsplit(self.path)
            script.calls.append(
                {
                    "method": self.command,
                    "path": parts.path,
                    "query": dict(parse_qsl(parts.query)),
                    "headers": {name.lower(): value for name, value in self.headers.items()},
                    "body": self.rfile.read(size),
                }
            )
            if script.body is None:
                self.close_connection = True
                return
            self.send_response(script.status)
            for name, value in script.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(script.body)))
            self.end_headers()
            self.wfile.write(script.body)

        do_GET = do_POST = answer  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        script.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield script
        server.shutdown()
        thread.join()


TIMES = {"createdAt": "2023-11-20T10:23:36.515Z", "updatedAt": "2024-01-23T09:57:04.846Z"}
DETAIL: dict[str, Any] = {
    "_id": ORDER_ROW["_id"],
    "contactId": ORDER_ROW["contactId"],
    "currency": "USD",
    "amount": Decimal("100.5"),
    "status": "completed",
    "liveMode": False,
    "contactSnapshot": {
        "first_name": "James",
        "last_name": "Bond",
        "email": "JAMES.BOND@example.com",
        "phone": "+441234567",
        "company_name": "Universal Exports",
    },
    "amountSummary": {"subtotal": "110", "discount": 20, "tax": 5.5, "shipping": 5},
    "source": {"type": "funnel", "subType": "upsell", "id": "f1", "name": "Spring"},
    "coupon": {"code": "FEST10"},
    "items": [
        {"_id": "i1", "name": "Mug", "qty": 2, "price": {"_id": "p1", "amount": "50"}},
        {
            "_id": "i2",
            "qty": "1",
            "product": {"_id": "d1", "name": "Lid"},
            "price": {"_id": "p1", "amount": 10, "currency": "usd", "sku": "LID-1"},
        },
        {"product": {"_id": "d2", "name": "Gift"}},
    ],
    **TIMES,
}
