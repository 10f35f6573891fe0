from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from syncline.sandbox.config import LOCATION, TOKEN
from syncline.sandbox.process import SandboxProcess
from syncline.sandbox.wire.faults import Faults, Rule

READ = "GET /payments/orders"
WRITE = "POST /payments/orders/{id}/fulfillments"


def _dial(*rules: dict[str, Any], seed: int = 1) -> Faults:
    faults = Faults(seed)
    faults.set(Rule.model_validate(rule) for rule in rules)
    return faults


def test_next_hits_so_many_matching_calls_and_no_other() -> None:
    faults = _dial({"side": "halo", "operation": "POST *", "kind": "500", "next": 2, "skip": 1})
    assert faults.draw("highlevel", "POST /SalesOrder").kind is None
    assert faults.draw("halo", "GET /SalesOrder").kind is None
    drawn = [faults.draw("halo", "POST /SalesOrder").kind for _ in range(4)]
    assert drawn == [None, "500", "500", None]
    assert faults.fired == {"500": 2}


def test_chance_comes_from_the_seed() -> None:
    def draws(seed: int) -> list[str | None]:
        faults = _dial({"kind": "429", "probability": 0.3}, seed=seed)
        return [faults.draw("halo", READ).kind for _ in range(200)]

    assert draws(7) == draws(7)
    assert draws(7) != draws(8)
    assert 30 < sum(kind is not None for kind in draws(7)) < 90


def test_latencies_add_up_and_the_first_break_decides() -> None:
    slow = {"kind": "latency", "min_ms": 100, "max_ms": 100, "next": 1}
    faults = _dial(slow, slow, {"kind": "cut_after", "next": 1}, {"kind": "500", "next": 1})
    first = faults.draw("halo", READ)
    assert first.latency_before + first.latency_after == pytest.approx(0.2)
    assert first.kind == "cut_after"
    assert faults.draw("halo", READ).kind == "500"


def test_the_answer_dial_is_asked_apart_from_the_breaks() -> None:
    faults = _dial({"kind": "too_few", "next": 1}, {"kind": "out_of_order", "next": 2})
    assert faults.draw("halo", "POST /SalesOrder").kind is None
    first = faults.answer_dial("POST /SalesOrder")
    second = faults.answer_dial("POST /SalesOrder")
    assert (first.too_few, first.out_of_order) == (True, True)
    assert (second.too_few, second.out_of_order) == (False, True)


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "500"}, {"kind": "fire", "next": 1}, {"kind": "latency", "next": 1, "min_ms": 5}],
)
def test_a_rule_that_cannot_be_meant_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Rule.model_validate(wrong)


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    with SandboxProcess() as running:
        yield running


@pytest.fixture
def running(process: SandboxProcess) -> SandboxProcess:
    process.reset(orders=30, transactions=30, subscriptions=5, customers=10)
    return process


@pytest.fixture
def client(running: SandboxProcess) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {TOKEN}", "version": "2021-07-28"}
    with httpx.Client(base_url=running.highlevel_url, headers=headers, trust_env=False) as client:
        yield client


def _read(client: httpx.Client) -> httpx.Response:
    return client.get("/payments/orders", params={"altId": LOCATION, "altType": "location"})


def _fulfill(client: httpx.Client, running: SandboxProcess, **options: Any) -> httpx.Response:
    order = running.get(f"/state/orders/{_order_id(running)}")
    body = {
        "altId": LOCATION,
        "altType": "location",
        "trackings": [],
        "items": [{"priceId": order["items"][0]["price"]["_id"], "qty": 1}],
        "notifyCustomer": False,
    }
    return client.post(f"/payments/orders/{order['_id']}/fulfillments", json=body, **options)


def _order_id(running: SandboxProcess) -> str:
    return str(running.get("/state/orders")["ids"][0])


def _effects(running: SandboxProcess) -> int:
    return len(running.get("/state/fulfillments")["ids"])


def _until(running: SandboxProcess, effects: int) -> None:
    while _effects(running) != effects:
        continue


def test_a_call_without_faults_is_answered_with_both_limits_and_logged(
    running: SandboxProcess, client: httpx.Client
) -> None:
    answer = _read(client)
    assert answer.status_code == 200
    assert answer.json()["totalCount"] == 30
    assert answer.headers["x-ratelimit-remaining"] == "99"
    assert answer.headers["x-ratelimit-daily-remaining"] == "199999"
    [call] = running.calls("highlevel")
    assert (call["operation"], call["status"], call["elements"]) == (READ, 200, 0)


@pytest.mark.parametrize(
    ("kind", "status", "effects"),
    [("429", 429, 0), ("500", 500, 0), ("500_after", 500, 1)],
)
def test_a_broken_answer_leaves_the_effect_its_name_says(
    running: SandboxProcess, client: httpx.Client, kind: str, status: int, effects: int
) -> None:
    running.faults(kind=kind, operation=WRITE, next=1)
    assert _fulfill(client, running).status_code == status
    assert _effects(running) == effects
    assert _fulfill(client, running).status_code == 200
    assert running.counters()["highlevel"]["rejected_429"] == 0


@pytest.mark.parametrize(("kind", "effects"), [("cut_before", 0), ("cut_after", 1)])
def test_a_cut_call_gets_no_byte_and_has_the_effect_its_name_says(
    running: SandboxProcess, client: httpx.Client, kind: str, effects: int
) -> None:
    running.faults(kind=kind, side="highlevel", operation=WRITE, next=1)
    with pytest.raises(httpx.RemoteProtocolError):
        _fulfill(client, running)
    assert _effects(running) == effects
    assert running.calls("highlevel")[-1]["status"] == "cut"
    assert _fulfill(client, running).status_code == 200


def test_a_late_effect_lands_after_the_connection_was_cut(
    running: SandboxProcess, client: httpx.Client
) -> None:
    running.faults(kind="late", operation=WRITE, next=1, late_seconds=1.0)
    with pytest.raises(httpx.RemoteProtocolError):
        _fulfill(client, running)
    assert _effects(running) == 0
    _until(running, effects=1)


def test_a_late_effect_lands_after_the_client_gave_up_waiting(
    running: SandboxProcess, client: httpx.Client
) -> None:
    running.faults(kind="late", operation=WRITE, next=1, late_seconds=1.2, hang=True)
    with pytest.raises(httpx.ReadTimeout):
        _fulfill(client, running, timeout=0.2)
    assert _effects(running) == 0
    _until(running, effects=1)


def test_a_reset_drops_faults_log_and_late_effects(
    running: SandboxProcess, client: httpx.Client
) -> None:
    running.faults({"kind": "late", "operation": WRITE, "next": 1, "late_seconds": 0.1})
    with pytest.raises(httpx.RemoteProtocolError):
        _fulfill(client, running)
    running.reset(orders=5, transactions=0, subscriptions=0, customers=5)
    assert running.calls() == []
    assert _read(client).json()["totalCount"] == 5
    running.faults(kind="late", operation=WRITE, next=1, late_seconds=0.2)
    with pytest.raises(httpx.RemoteProtocolError):
        _fulfill(client, running)
    # The dropped one was due earlier than the one that is waited for here.
    _until(running, effects=1)
    assert len(running.get("/state/fulfillments")["ids"]) == 1


def test_latency_delays_an_answer_and_changes_nothing_else(
    running: SandboxProcess, client: httpx.Client
) -> None:
    running.faults(kind="latency", min_ms=20, max_ms=30, probability=1.0)
    answer = _read(client)
    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() >= 0.02


def test_a_call_too_many_is_refused_counted_and_uses_nothing_up(
    running: SandboxProcess, client: httpx.Client
) -> None:
    running.reset(orders=5, highlevel_limit={"calls": 2, "seconds": 60})
    assert [_read(client).status_code for _ in range(4)] == [200, 200, 429, 429]
    refused = _read(client)
    assert refused.json() == {"statusCode": 429, "message": "Too Many Requests"}
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert refused.headers["x-ratelimit-daily-remaining"] == "199998"
    assert "retry-after" not in refused.headers
    counters = running.counters()["highlevel"]
    assert (counters["calls"], counters["rejected_429"], counters["max_in_window"]) == (5, 3, 5)


def test_halo_refuses_a_call_too_many_in_its_own_words(running: SandboxProcess) -> None:
    running.reset(orders=5, halo_limit={"calls": 1, "seconds": 300})
    first, second = (httpx.get(f"{running.halo_url}/api/authinfo") for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 429)
    assert "5 minute" in second.text
    assert "x-ratelimit-max" not in second.headers


def test_orders_are_changed_and_added_by_command(
    running: SandboxProcess, client: httpx.Client
) -> None:
    before = running.get(f"/state/orders/{_order_id(running)}")
    assert running.change_orders(ids=[before["_id"]], fields="amount") == [before["_id"]]
    after = running.get(f"/state/orders/{before['_id']}")
    assert after["amount"] > before["amount"]
    assert after["updatedAt"] > before["updatedAt"]
    assert len(set(running.change_orders(7))) == 7
    assert len(running.add_orders(3)) == 3
    assert _read(client).json()["totalCount"] == 33


def test_the_halo_tenant_has_commands_of_its_own(running: SandboxProcess) -> None:
    assert running.post("/halo/seed_customers", {"count": 3})
    assert running.post("/halo/expire_tokens", {}) is not None


def test_the_verdict_on_an_empty_tenant_names_every_order_as_missing(
    running: SandboxProcess,
) -> None:
    verdict = running.audit()
    assert verdict["clean"] is False
    assert verdict["orders_in_line"] == 0
    assert verdict["orders_owed"] == 30


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/faults", {"rules": [{"kind": "fire"}]}),
        ("/reset", {"orders": -1}),
        ("/reset", {"colour": "blue"}),
        ("/orders/change", {"ids": ["no such order"]}),
        ("/nowhere", {}),
    ],
)
def test_the_admin_api_says_what_is_wrong_with_a_command(
    running: SandboxProcess, path: str, body: dict[str, Any]
) -> None:
    with pytest.raises(httpx.HTTPStatusError, match="the sandbox refused"):
        running.post(path, body)


def test_a_sandbox_that_cannot_start_says_so() -> None:
    with pytest.raises(RuntimeError, match="ended before it listened"):
        SandboxProcess(profile="of another planet")


def test_a_sandbox_ends_with_the_process_that_started_it() -> None:
    program = (
        "from syncline.sandbox.process import SandboxProcess\n"
        "import os\n"
        "print(SandboxProcess(orders=1, transactions=0, subscriptions=0).url, flush=True)\n"
        "os._exit(9)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=False)
    assert ended.returncode == 9
    url = ended.stdout.decode().strip()
    while _answers(url):
        continue


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/admin/counters").is_success
    except httpx.TransportError:
        return False
