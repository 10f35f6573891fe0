"""The emulated HighLevel's events: signatures, retries, and what the dial does to them."""

from __future__ import annotations

import random
import socket
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from syncline.sandbox.config import LOCATION, TOKEN, SandboxConfig
from syncline.sandbox.highlevel.events.outbox import Answer, Dial
from syncline.sandbox.highlevel.events.signing import SigningKeys
from syncline.sandbox.process import SandboxProcess
from tests.syncline.sandbox.location import SMALL
from tests.syncline.sandbox.signed_arrivals import signed_by_ed25519, signed_by_rsa
from tests.syncline.sandbox.taking_in import Arrival, TakingIn, deliveries, taking_in


@pytest.fixture
def running(sandbox_process: SandboxProcess) -> Iterator[SandboxProcess]:
    sandbox_process.reset(**SMALL)
    yield sandbox_process
    sandbox_process.reset(**SMALL)


@pytest.fixture
def receiver() -> Iterator[TakingIn]:
    with taking_in() as receiver:
        yield receiver


# Signatures and policies


@pytest.mark.parametrize("body", [b"", b"{}", '{"name":"Zoë"}'.encode()])
def test_both_signatures_are_over_the_raw_bytes(body: bytes) -> None:
    keys = SigningKeys()
    pems, arrival = keys.public(), Arrival(keys.headers(body, "both"), body)
    other = Arrival(arrival.headers, body + b" ")
    assert signed_by_ed25519(pems["ed25519"], arrival)
    assert signed_by_rsa(pems["rsa"], arrival)
    assert not signed_by_ed25519(pems["ed25519"], other)
    assert not signed_by_rsa(pems["rsa"], other)
    assert len(b64decode(arrival.headers["x-ghl-signature"])) == 64


def test_a_signature_that_is_switched_off_is_absent_or_says_so() -> None:
    keys = SigningKeys()
    assert set(keys.headers(b"{}", "ed25519")) == {"x-ghl-signature"}
    assert keys.headers(b"{}", "rsa")["x-ghl-signature"] == "N/A"


def test_the_modern_key_is_the_same_in_every_sandbox_and_the_legacy_one_is_not() -> None:
    one, other = SigningKeys().public(), SigningKeys().public()
    assert one["ed25519"] == other["ed25519"]
    assert one["rsa"] != other["rsa"]


@pytest.mark.parametrize(
    ("status", "newer", "older"),
    [(200, False, False), (204, False, False), (302, True, False), (400, True, False),
     (429, True, True), (500, True, False), (None, True, False)],
)  # fmt: skip
def test_the_newer_policy_retries_all_but_2xx_and_the_older_only_429(
    status: int | None, *, newer: bool, older: bool
) -> None:
    answer = Answer(status, None if status else "ConnectError", 0.1)
    assert Dial(policy="non2xx-12").tries_again(answer) == newer
    assert Dial(policy="429-only-6").tries_again(answer) == older


def test_twelve_retries_double_their_waits_and_six_are_even() -> None:
    rng = random.Random(1)
    doubling = Dial(retry_after=2)
    waits = [doubling.wait(retry, rng) for retry in range(1, doubling.retries + 1)]
    assert len(waits) == 12
    assert all(2**at <= wait / 2 <= 1.25 * 2**at for at, wait in enumerate(waits))
    even = Dial(policy="429-only-6")
    waits = [even.wait(retry, rng) for retry in range(1, even.retries + 1)]
    assert len(waits) == 6
    assert all(600 <= wait <= 750 for wait in waits)


def test_a_dial_that_cannot_be_is_refused() -> None:
    for wrong in ({"loss": 1.5}, {"policy": "always"}, {"retry_after": 0}, {"speed": 1}):
        with pytest.raises(ValidationError):
            Dial.model_validate(wrong)


# What a running sandbox sends


def test_a_new_order_and_a_new_status_send_the_whole_order_signed(
    running: SandboxProcess, receiver: TakingIn
) -> None:
    running.send_highlevel_events_to(receiver.url)
    (made,) = running.add_orders(1)
    (first,) = receiver.wait(1)
    running.change_orders(ids=[made])
    second = receiver.wait(2)[1]
    assert [one.document["type"] for one in (first, second)] == ["OrderCreate", "OrderStatusUpdate"]
    stored = running.get(f"/state/orders/{made}")
    assert second.document["_id"] == made
    assert second.document["status"] == stored["status"] != first.document["status"]
    assert second.document["updatedAt"] == stored["updatedAt"] > first.document["updatedAt"]
    assert second.document["amount"] == stored["amount"]
    keys = running.highlevel_keys()
    assert signed_by_ed25519(keys["ed25519"], first)
    assert signed_by_rsa(keys["rsa"], first)
    told = deliveries(running)
    assert (told["sent"], told["acknowledged"], told["answers"]) == (2, 2, {"200": 2})
    ids = {one.document["webhookId"] for one in (first, second)}
    assert set(told["acknowledged_ids"]) == ids


def test_an_amount_a_payment_and_a_fulfillment_send_nothing(
    running: SandboxProcess, receiver: TakingIn
) -> None:
    running.send_highlevel_events_to(receiver.url)
    (order,) = running.change_orders(1, fields="amount")
    running.add_transactions(2)
    running.fulfill_by_hand(order)
    running.remove_orders([order])
    assert deliveries(running)["sent"] == 0


def test_without_a_receiver_nothing_is_sent(running: SandboxProcess, receiver: TakingIn) -> None:
    running.add_orders(1)
    running.send_highlevel_events_to(receiver.url)
    running.send_highlevel_events_to(None)
    running.add_orders(1)
    assert running.highlevel_deliveries()["sent"] == 0


def test_a_retry_carries_the_same_bytes(running: SandboxProcess, receiver: TakingIn) -> None:
    receiver.first.extend([500, 429])
    running.send_highlevel_events_to(receiver.url, retry_after=0.001)
    running.add_orders(1)
    bodies = [one.body for one in receiver.wait(3)]
    assert len(set(bodies)) == 1
    told = deliveries(running)
    assert (told["sent"], told["acknowledged"], told["retried"]) == (1, 1, 2)
    assert told["answers"] == {"500": 1, "429": 1, "200": 1}


@pytest.mark.parametrize(("policy", "attempts"), [("non2xx-12", 13), ("429-only-6", 7)])
def test_an_event_is_given_up_after_the_last_retry(
    running: SandboxProcess, receiver: TakingIn, policy: str, attempts: int
) -> None:
    receiver.then = 429
    running.send_highlevel_events_to(receiver.url, policy=policy, retry_after=0.0001)
    running.add_orders(1)
    told = deliveries(running)
    assert (told["given_up"], told["retried"]) == (1, attempts - 1)
    assert told["answers"] == {"429": attempts}
    assert len(receiver.arrived) == attempts


def test_the_older_policy_gives_up_at_once_on_a_500(
    running: SandboxProcess, receiver: TakingIn
) -> None:
    receiver.then = 500
    running.send_highlevel_events_to(receiver.url, policy="429-only-6", retry_after=0.0001)
    running.add_orders(2)
    told = deliveries(running)
    assert (told["given_up"], told["retried"]) == (2, 0)


def test_a_receiver_that_is_away_gets_the_event_when_it_is_back(
    running: SandboxProcess, receiver: TakingIn
) -> None:
    running.send_highlevel_events_to("http://127.0.0.1:1/", retry_after=0.02)
    running.add_orders(1)
    deliveries(running, lambda told: told["retried"] > 0)
    running.send_highlevel_events_to(receiver.url, retry_after=0.02)
    receiver.wait(1)
    told = deliveries(running)
    assert told["acknowledged"] == 1
    assert told["answers"]["ConnectError"] >= 1


def test_duplicates_carry_the_same_id_and_count_once(
    running: SandboxProcess, receiver: TakingIn
) -> None:
    running.send_highlevel_events_to(receiver.url, duplicates=1, held=0.01)
    running.add_orders(5)
    bodies = [one.body for one in receiver.wait(10)]
    assert sorted(bodies) == sorted([*set(bodies), *set(bodies)])
    told = deliveries(running)
    assert (told["sent"], told["duplicated"], told["acknowledged"]) == (5, 5, 5)


def test_a_lost_event_is_never_sent(running: SandboxProcess, receiver: TakingIn) -> None:
    running.send_highlevel_events_to(receiver.url, loss=0.5)
    running.add_orders(40)
    told = deliveries(running)
    assert told["lost"] + told["sent"] == 40
    assert 5 < told["lost"] < 35
    assert len(receiver.arrived) == told["acknowledged"] == told["sent"]


def test_disorder_lets_later_events_pass_earlier_ones(
    running: SandboxProcess, receiver: TakingIn
) -> None:
    running.send_highlevel_events_to(receiver.url, disorder=0.5, held=0.1, signatures="ed25519")
    made = running.add_orders(40)
    came = [one.document["_id"] for one in receiver.wait(40)]
    assert sorted(came) == sorted(made)
    assert came != made


def test_delay_and_rate_hold_events_back(running: SandboxProcess, receiver: TakingIn) -> None:
    running.send_highlevel_events_to(receiver.url, delay=600, rate=1)
    running.add_orders(3)
    told = running.highlevel_deliveries()
    assert (told["pending"], told["answers"]) == (3, {})
    running.reset(**SMALL)
    assert running.highlevel_deliveries()["pending"] == 0


def test_a_receiver_that_stands_still_does_not_hold_up_the_api(
    running: SandboxProcess,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        running.send_highlevel_events_to(
            f"http://127.0.0.1:{silent.getsockname()[1]}/", timeout=0.05, retry_after=600
        )
        running.add_orders(3)
        assert len(running.change_orders(10)) == 10
        told = deliveries(running, lambda told: told["retried"] == 13)
    assert told["answers"] == {"TimeoutError": 13}
    assert told["pending"] == 13


def test_uninstalling_tells_the_receiver(running: SandboxProcess, receiver: TakingIn) -> None:
    running.send_highlevel_events_to(receiver.url)
    running.uninstall_highlevel()
    (told,) = receiver.wait(1)
    assert told.document["type"] == "UNINSTALL"
    assert told.document["locationId"] == LOCATION
    assert told.document["appId"] == SandboxConfig().app_id


# Fulfillments and orders behind the API's back


def test_a_fulfillment_by_hand_holds_what_is_left_and_mails_nobody(
    running: SandboxProcess,
) -> None:
    orders = (running.get(f"/state/orders/{made}") for made in running.add_orders(10))
    order = next(order for order in orders if len(order["items"]) > 1)
    order_id = order["_id"]
    price, qty = order["items"][0]["price"]["_id"], order["items"][0]["qty"]
    first = running.fulfill_by_hand(order_id, [(price, 1)], [{"trackingNumber": "1Z"}])
    second = running.fulfill_by_hand(order_id)
    kept = _fulfillments(running, order_id)
    assert [one["_id"] for one in kept] == [first, second]
    assert kept[0]["trackings"] == [{"trackingNumber": "1Z"}]
    assert set(kept[1]["trackings"][0]) == {"trackingNumber", "shippingCarrier", "trackingUrl"}
    sent = sum(item["qty"] for one in kept for item in one["items"] if item["_id"] == price)
    assert sent == qty
    assert running.get(f"/state/orders/{order_id}")["fulfillmentStatus"] == "fulfilled"
    assert running.counters()["notified"] == 0
    with pytest.raises(httpx.HTTPStatusError, match="nothing of that to fulfill"):
        running.fulfill_by_hand(order_id)


def test_a_fulfillment_by_hand_of_a_price_that_is_not_there_is_refused(
    running: SandboxProcess,
) -> None:
    with pytest.raises(httpx.HTTPStatusError, match="nothing of that to fulfill"):
        running.fulfill_by_hand(running.add_orders(1)[0], [("655b33aa2209e60b6adb87a7", 1)])


def test_a_removed_order_is_gone_from_the_list_and_by_id(running: SandboxProcess) -> None:
    kept, removed = running.add_orders(2)
    assert running.remove_orders([removed, "no such order"]) == [removed]
    ids = running.get("/state/orders")["ids"]
    assert kept in ids
    assert removed not in ids
    assert len(running.change_orders(40)) == 31


def _fulfillments(running: SandboxProcess, order_id: str) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = httpx.get(
        f"{running.highlevel_url}/payments/orders/{order_id}/fulfillments",
        params={"altId": LOCATION, "altType": "location"},
        headers={"authorization": f"Bearer {TOKEN}", "version": "2021-07-28"},
    ).json()["data"]
    return kept
