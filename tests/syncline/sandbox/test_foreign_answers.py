"""Answers that are not the API's own, as a client meets them on the wire."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import get_args

import httpx
import pytest

from syncline.sandbox.config import LOCATION, TOKEN
from syncline.sandbox.process import SandboxProcess
from syncline.sandbox.wire.faults import Says

FOREIGN = (
    *("html", "redirect", "forbidden", "gateway"),
    *("truncated", "double_encoded", "wrong_type", "drip"),
)


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    with SandboxProcess(orders=3, transactions=0, subscriptions=0, customers=2) as running:
        yield running


@pytest.fixture
def client(process: SandboxProcess) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {TOKEN}", "version": "2021-07-28"}
    with httpx.Client(base_url=process.highlevel_url, headers=headers, trust_env=False) as client:
        yield client
    process.faults()


def _read(process: SandboxProcess, client: httpx.Client, **rule: object) -> httpx.Response:
    process.faults(next=1, **rule)
    return client.get("/payments/orders", params={"altId": LOCATION, "altType": "location"})


def _fulfill(process: SandboxProcess, client: httpx.Client) -> httpx.Response:
    order = process.get(f"/state/orders/{process.get('/state/orders')['ids'][0]}")
    item = {"priceId": order["items"][0]["price"]["_id"], "qty": 1}
    body = {"altId": LOCATION, "altType": "location", "trackings": [], "notifyCustomer": False}
    return client.post(
        f"/payments/orders/{order['_id']}/fulfillments", json=body | {"items": [item]}
    )


def test_a_firewall_answers_with_a_page_that_says_whose_it_is(
    process: SandboxProcess, client: httpx.Client
) -> None:
    answer = _read(process, client, kind="html")
    assert answer.status_code == 403
    assert "<title>Just a moment...</title>" in answer.text
    assert answer.headers["server"] == "edge-shield"
    assert answer.headers["content-type"].startswith("text/html")
    assert "x-ratelimit-remaining" not in answer.headers
    assert _read(process, client, kind="html", status=503).status_code == 503


def test_a_proxy_sends_to_a_login_or_answers_with_nothing(
    process: SandboxProcess, client: httpx.Client
) -> None:
    away = _read(process, client, kind="redirect")
    assert (away.status_code, away.headers["location"]) == (302, "https://sso.example.com/login")
    assert (refused := _read(process, client, kind="forbidden")).status_code == 403
    assert refused.text == ""


def test_a_line_damages_the_apis_own_answer(process: SandboxProcess, client: httpx.Client) -> None:
    own = _read(process, client, kind="latency").json()
    with pytest.raises(json.JSONDecodeError):
        _read(process, client, kind="truncated").json()
    assert json.loads(_read(process, client, kind="double_encoded").json()) == own
    called_html = _read(process, client, kind="wrong_type")
    assert called_html.headers["content-type"].startswith("text/html")
    assert called_html.json() == own
    assert _read(process, client, kind="drip", late_seconds=0.05).json() == own


@pytest.mark.parametrize("says", get_args(Says))
@pytest.mark.parametrize("status", [200, 401, 403, 404, 504])
def test_a_gateway_answers_in_words_of_its_own(
    process: SandboxProcess, client: httpx.Client, says: str, status: int
) -> None:
    answer = _read(process, client, kind="gateway", says=says, status=status)
    assert answer.status_code == status
    assert answer.headers["server"] == "edge-shield"
    assert "data" not in answer.text


@pytest.mark.parametrize(
    ("side", "shape"),
    [("highlevel", {"statusCode", "message"}), ("halo", {"Message"})],
)
def test_each_side_says_in_its_own_shape_that_its_server_fails(
    process: SandboxProcess, side: str, shape: set[str]
) -> None:
    process.faults(kind="500", next=1)
    url = {"highlevel": process.highlevel_url, "halo": process.halo_url}[side]
    answer = httpx.get(f"{url}/anything", trust_env=False)
    assert (answer.status_code, answer.json().keys()) == (500, shape)
    process.faults()


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("effect", [False, True])
def test_a_write_has_its_effect_only_where_the_rule_says_so(
    process: SandboxProcess, client: httpx.Client, kind: str, effect: bool
) -> None:
    path = f"/state/fulfillments/{process.get('/state/orders')['ids'][0]}"
    before = _made(process, path)
    process.faults(kind=kind, next=1, effect=effect, late_seconds=0.02)
    _fulfill(process, client)
    assert _made(process, path) - before == effect
    assert process.calls("highlevel")[-1]["fault"] == kind


def _made(process: SandboxProcess, path: str) -> int:
    try:
        return len(process.get(path))
    except httpx.HTTPStatusError:
        return 0
