from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

import pytest

from syncline.sandbox.halo.webhooks.notifications import events
from syncline.sandbox.process import SandboxProcess
from tests.receiving import until
from tests.syncline.sandbox.published import published
from tests.syncline.sandbox.tenant_calls import TenantCalls, order, tenant

URL = "https://hooks.example.com/x"
EMPTY = {"orders": 0, "transactions": 0, "subscriptions": 0}


def webhook(halo: TenantCalls, **fields: Any) -> dict[str, Any]:
    secrets = {"authentication_type": 1, "basic_username": "u", "basic_password": "p"}
    return halo.made("Webhook", {"name": "syncline", "url": URL, **secrets, **fields})


def number(halo: TenantCalls, name: str) -> int:
    rows = halo.get("Lookup", lookupid="64")
    return next(int(row["id"]) for row in rows if row["name"] == name)


def binding(webhook_id: str, eventno: int, **fields: Any) -> dict[str, Any]:
    kind = {"guid": None, "name": "syncline", "type": -2, "delivery_method": 6}
    return {**kind, "eventno": eventno, "webhook_id": webhook_id, **fields}


@pytest.mark.parametrize("profile", ["generous", "plain", "awkward"])
def test_the_events_stand_in_lookup_64_and_a_plain_tenant_has_none_that_fits(profile: str) -> None:
    halo = tenant(profile)
    rows = halo.get("Lookup", lookupid="64")
    names = [row["name"] for row in rows]
    assert 190 <= len(rows) <= 215
    assert len(set(names)) == len({row["id"] for row in rows}) == len(rows)
    assert {"id": 3, "name": "New Ticket Logged", "lookupid": 64} in rows
    fitting = {f"{one}{twin}" for one in ("New Sales Order", "New Invoice Payment",
               "Consignment Updated") for twin in ("", " - All")}  # fmt: skip
    assert fitting.isdisjoint(names) if profile == "plain" else fitting.issubset(names)
    assert halo.get("Lookup", lookupid="9") == []


def test_the_numbers_of_events_differ_from_tenant_to_tenant() -> None:
    sales = {
        profile: next(n for n, name in events(profile).items() if name == "New Sales Order - All")
        for profile in ("generous", "awkward")
    }
    assert sales["generous"] != sales["awkward"]


def test_a_webhook_never_gives_its_secrets_back_and_drops_its_events() -> None:
    halo = tenant()
    made = webhook(halo, events=[{"eventno": 3}])
    assert made["events"] == []
    shown = halo.get(f"Webhook/{made['id']}", includedetails="true")
    listed = halo.get("Webhook", type="0")
    for row in (made, shown, *listed):
        assert not {"basic_username", "basic_password"} & set(row)
        assert row["authentication_type"] == 1
    assert [row["id"] for row in listed] == [made["id"]]
    assert halo.get("Webhook", type="1") == []


def test_an_update_of_a_webhook_leaves_what_is_not_posted() -> None:
    halo = tenant()
    made = webhook(halo)
    again = halo.made("Webhook", {"id": made["id"], "active": False})
    assert (again["name"], again["url"], again["active"]) == ("syncline", URL, False)
    assert halo.halo.webhooks[made["id"]]["basic_password"] == "p"


@pytest.mark.parametrize(
    ("fields", "text"),
    [({"url": "nowhere"}, "valid URL"), ({"url": URL, "name": "syncline"}, "unique")],
)
def test_a_webhook_needs_an_url_and_a_name_of_its_own(fields: dict[str, str], text: str) -> None:
    halo = tenant()
    webhook(halo)
    reply = halo.post("Webhook", {"name": "other", **fields})
    assert reply.status == 400
    assert text in reply.body


def test_a_notification_binds_and_one_with_a_known_guid_overwrites() -> None:
    halo = tenant()
    made = webhook(halo)
    first = halo.made("Notification", binding(made["id"], number(halo, "New Invoice - All")))
    halo.made("Notification", binding(made["id"], 3, guid=first["guid"]))
    rows = halo.get("Notification", webhook_id=made["id"])
    assert [(row["guid"], row["eventno"]) for row in rows] == [(first["guid"], 3)]
    assert halo.get(f"Webhook/{made['id']}", includedetails="true")["events"] == rows
    assert halo.send("DELETE", f"/api/Notification/{first['id']}").status == 200
    assert halo.get("Notification") == []


@pytest.mark.parametrize("wrong", [{"eventno": 9999}, {"webhook_id": "x"}, {"delivery_method": 0}])
def test_a_notification_that_binds_nothing_is_refused(wrong: dict[str, Any]) -> None:
    halo = tenant()
    assert halo.post("Notification", binding(webhook(halo)["id"], 3) | wrong).status == 400


def test_a_removed_webhook_takes_its_bindings_along() -> None:
    halo = tenant()
    made = webhook(halo)
    halo.made("Notification", binding(made["id"], 3))
    assert halo.send("DELETE", f"/api/Webhook/{made['id']}").status == 200
    assert halo.get("Notification") == halo.get("Webhook") == []
    assert halo.send("GET", f"/api/Webhook/{made['id']}").status == 404


@pytest.mark.parametrize("path", ["Webhook", "Notification", "WebhookEvent"])
def test_webhooks_are_for_administrators_and_may_be_withheld(path: str) -> None:
    halo = tenant(webhooks_allowed=False)
    assert halo.send("GET", f"/api/{path}").status == 403
    halo = tenant(scope="all:standard")
    assert halo.send("GET", f"/api/{path}").status == 403
    assert len(halo.get("Lookup", lookupid="64")) > 190
    halo.token = halo.ask_token(scope="admin").body["access_token"]
    assert halo.send("GET", f"/api/{path}").status == 200


def test_webhooks_are_answered_in_the_published_form() -> None:
    halo, schemas = tenant(), published("halo/halo.json")
    made = webhook(halo, mappings=[{"key": "id"}])
    bound = halo.made("Notification", binding(made["id"], 3))
    assert schemas.misfits(halo.get(f"Webhook/{made['id']}"), "Webhook") == set()
    assert schemas.misfits(bound, "UnameNotification") == set()
    assert schemas.misfits(halo.get("Lookup", lookupid="64")[0], "Lookup") == set()


@pytest.mark.parametrize(
    ("granted", "asked", "given"),
    [
        ("all", "all", "all"),
        ("edit:sales read:customers", "all", "edit:sales read:customers"),
        ("edit:sales", "read:sales edit:invoices", "read:sales"),
        ("all:standard", "edit:items read:reporting admin", "edit:items"),
        ("read:sales", "edit:sales", ""),
        ("edit:sales read:reporting", "all:standard", "edit:sales"),
    ],
)
def test_a_token_says_what_was_granted_of_what_was_asked(
    granted: str, asked: str, given: str
) -> None:
    halo = tenant(halo_scopes=granted)
    assert halo.ask_token(scope=asked).body["scope"] == given
    assert halo.ask_token(scope="edit:nothing").body == {"error": "invalid_scope"}


class Receiver:
    """An HTTP server that keeps every body, and answers as it is told."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.users: set[str] = set()
        self.status = 200
        lock, outer = Lock(), self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                kind, _, value = self.headers.get("authorization", "").partition(" ")
                with lock:
                    outer.bodies.append(json.loads(body))
                    outer.users.add(base64.b64decode(value).decode() if kind else "")
                self.send_response(outer.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Keep the tests' output as it is."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.server.shutdown()
    server.server.server_close()


@pytest.fixture
def quiet(sandbox: SandboxProcess) -> SandboxProcess:
    """A sandbox without data, but for one sales order of two mugs in Halo."""
    sandbox.reset(**EMPTY)
    api(sandbox, "SalesOrder", order("HL-1", 1, lines=[{"name": "Mug", "quantity": 2}]))
    return sandbox


def api(sandbox: SandboxProcess, path: str, *elements: dict[str, Any], **query: str) -> Any:
    import httpx  # noqa: PLC0415

    config = sandbox.get("/config")
    form = {key: config[f"halo_{key}"] for key in ("client_id", "client_secret")}
    form |= {"grant_type": "client_credentials", "scope": "all"}
    with httpx.Client(base_url=sandbox.halo_url, trust_env=False) as client:
        token = client.post("/auth/token", data=form).json()["access_token"]
        client.headers["authorization"] = f"Bearer {token}"
        place = f"/api/{path}"
        reply = client.post(place, json=elements) if elements else client.get(place, params=query)
    assert reply.is_success, reply.text
    return reply.json()


def settled(sandbox: SandboxProcess) -> dict[str, int]:
    """The deliveries' counts, once none is under way."""
    return once(sandbox, lambda counts: not counts["pending"])


def once(sandbox: SandboxProcess, fits: Callable[[dict[str, int]], bool]) -> dict[str, int]:
    """The deliveries' counts, as soon as they are so."""
    until(lambda: fits(sandbox.halo_deliveries()))
    return sandbox.halo_deliveries()


def test_each_write_is_told_once_with_the_webhooks_user_and_password(
    quiet: SandboxProcess, receiver: Receiver
) -> None:
    quiet.send_halo_events_to(receiver.url, "u", "p", payload="custom")
    made = quiet.consign(5001, note="Tracking: 1Z9")
    api(quiet, "SalesOrder", {"id": 5001, "note": "x"})
    counts = settled(quiet)
    assert (counts["sent"], counts["acknowledged"], counts["failed"]) == (3, 3, 0)
    told = sorted((body["event"], body["entity"], body["id"]) for body in receiver.bodies)
    assert told == [
        ("New Consignment - All", "consignment", made),
        ("Sales Order Updated - All", "salesorder", 5001),
        ("Sales Order Updated - All", "salesorder", 5001),
    ]
    assert receiver.users == {"u:p"}


def test_payments_and_invoices_are_told_of(quiet: SandboxProcess, receiver: Receiver) -> None:
    quiet.send_halo_events_to(receiver.url, payload="event")
    line = {"qty_order": 1, "unit_price": 5}
    bill = api(quiet, "Invoice", {"client_id": 1, "lines": [line]})[0]
    quiet.pay_in_halo(bill["id"], "5.00")
    settled(quiet)
    assert {body["event"] for body in receiver.bodies} == {
        "New Invoice - All",
        "New Invoice Payment - All",
        "Invoice Updated - All",
    }
    assert all("invoice" not in body and body["object_id"] for body in receiver.bodies)


@pytest.mark.parametrize(("payload", "lines"), [("small", False), ("full", True)])
def test_an_objects_payload_holds_the_row(
    quiet: SandboxProcess, receiver: Receiver, payload: str, lines: bool
) -> None:
    quiet.send_halo_events_to(receiver.url, payload=payload)
    quiet.edit_halo_order(5001, note="by hand")
    settled(quiet)
    (body,) = receiver.bodies
    assert (body["object_id"], body["salesorder"]["note"]) == (5001, "by hand")
    assert ("lines" in body["salesorder"]) is ("client" in body) is lines


def test_a_batch_is_an_array_of_occurrences(quiet: SandboxProcess, receiver: Receiver) -> None:
    quiet.send_halo_events_to(receiver.url, payload="custom", batch=50)
    quiet.consign(5001)
    settled(quiet)
    (body,) = receiver.bodies
    assert [one["entity"] for one in body] == ["consignment", "salesorder"]


def test_every_attempt_stands_in_the_log_and_none_is_repeated(
    quiet: SandboxProcess, receiver: Receiver
) -> None:
    hook = quiet.send_halo_events_to(receiver.url, payload="custom")
    receiver.status = 503
    quiet.edit_halo_order(5001, note="1")
    settled(quiet)
    receiver.status = 204
    quiet.edit_halo_order(5001, note="2")
    settled(quiet)
    asked = {"pageinate": "true", "page_no": "1", "order": "timestamp", "orderdesc": "true"}
    page = api(quiet, "WebhookEvent", webhook_id=hook, **asked)
    rows = page["webhookevents"]
    assert [row["responsestatus"] for row in rows] == [204, 503]
    assert [row["error"] for row in rows] == [False, True]
    assert [json.loads(row["requestbody"]) for row in rows] == receiver.bodies[::-1]
    assert page["record_count"] == len(receiver.bodies) == 2
    schemas = published("halo/halo.json")
    assert [schemas.misfits(row, "WebhookEvent") for row in rows] == [set(), set()]
    assert api(quiet, f"WebhookEvent/{rows[0]['id']}") == rows[0]


def test_what_is_lost_is_logged_as_failed_and_what_is_swallowed_is_not(
    quiet: SandboxProcess, receiver: Receiver
) -> None:
    quiet.send_halo_events_to(receiver.url, loss=1.0)
    quiet.edit_halo_order(5001, note="1")
    assert settled(quiet)["lost"] == 1
    quiet.turn_halo_webhooks(loss=0.0, swallowed=1.0, lightweight_logs=True)
    quiet.edit_halo_order(5001, note="2")
    assert settled(quiet)["swallowed"] == 1
    rows = api(quiet, "WebhookEvent")["webhookevents"]
    assert [(row["error"], row["responsestatus"]) for row in rows] == [(True, 0), (False, 200)]
    assert (rows[0]["requestbody"] is None, rows[1]["requestbody"]) == (False, None)
    assert receiver.bodies == []


def test_deliveries_are_doubled_and_delayed_by_the_dial(
    quiet: SandboxProcess, receiver: Receiver
) -> None:
    quiet.send_halo_events_to(receiver.url, duplicates=1.0, disorder=1.0, delay=0.05)
    quiet.edit_halo_order(5001, note="1")
    assert settled(quiet)["acknowledged"] == 2
    assert len({body["id"] for body in receiver.bodies}) == 1


def test_writes_by_the_api_are_told_only_while_the_dial_says_so(
    quiet: SandboxProcess, receiver: Receiver
) -> None:
    quiet.send_halo_events_to(receiver.url, payload="custom", on_api_writes=False)
    api(quiet, "SalesOrder", {"id": 5001, "note": "api"})
    quiet.edit_halo_order(5001, note="hand")
    assert settled(quiet)["sent"] == 1


def test_only_the_twin_for_all_fires(quiet: SandboxProcess, receiver: Receiver) -> None:
    hook = api(quiet, "Webhook", {"name": "w", "url": receiver.url})[0]["id"]
    names = {row["name"]: row["id"] for row in api(quiet, "Lookup", lookupid="64")}
    api(quiet, "Notification", binding(hook, names["Sales Order Updated"]))
    quiet.edit_halo_order(5001, note="1")
    assert settled(quiet)["sent"] == 0
    api(quiet, "Notification", binding(hook, names["Sales Order Updated - All"]))
    quiet.edit_halo_order(5001, note="2")
    assert settled(quiet)["sent"] == 1
