from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from syncline.errors import (
    Again,
    BadCredentials,
    Doubtful,
    MissingScope,
    NotSent,
    RateLimited,
    Refused,
    SynclineError,
    Unanswered,
    Unreadable,
)
from syncline.halo.answers import Effect
from syncline.halo.auth import Token
from syncline.halo.client import HaloClient
from syncline.transport import Permit, Transport
from tests.syncline.halo.conftest import (
    CUT,
    NOW,
    SECRET,
    Call,
    Clock,
    HaloServer,
    MemoryTokens,
    make_client,
)


def _echo(call: Call) -> tuple[int, Any]:
    return 200, {"authorization": call.headers["authorization"]}


def test_a_token_is_asked_for_once_where_discovery_says(
    server: HaloServer, client: HaloClient, permit: Permit
) -> None:
    server.on("GET /api/Client", _echo)
    for _ in range(3):
        assert client.get("/Client", {}, permit).document == {"authorization": "Bearer token-1"}
    (asked,) = server.to("/auth/token")
    assert asked.query == {"tenant": "acme"}
    assert asked.form == {
        "grant_type": "client_credentials",
        "client_id": "application",
        "client_secret": SECRET,
        "scope": "read:customers edit:customers",
    }


def test_the_tenant_of_the_settings_goes_before_the_discovered_one(
    server: HaloServer, transport: Transport, tokens: MemoryTokens, clock: Clock, permit: Permit
) -> None:
    server.on("GET /api/Client", _echo)
    client = make_client(f"{server.url}/api/", transport, tokens, clock, tenant="other")
    client.get("/Client", {}, permit)
    assert server.to("/auth/token")[0].query == {"tenant": "other"}


@pytest.mark.parametrize("answer", [(404, "no"), (200, b"<html>"), (200, {"auth_url": None})])
def test_without_discovery_the_usual_place_is_asked(
    server: HaloServer, client: HaloClient, permit: Permit, answer: tuple[int, Any]
) -> None:
    server.on("GET /api/authinfo", lambda _: answer)
    server.on("GET /api/Client", _echo)
    client.get("/Client", {}, permit)
    assert server.to("/auth/token")[0].query == {}


def test_a_token_is_given_up_a_minute_before_its_end(
    server: HaloServer, client: HaloClient, tokens: MemoryTokens, clock: Clock, permit: Permit
) -> None:
    server.on("GET /api/Client", _echo)
    client.get("/Client", {}, permit)
    assert tokens.token is not None
    assert tokens.token.expires_at == NOW + timedelta(seconds=3540)
    clock.at = tokens.token.expires_at
    client.get("/Client", {}, permit)
    assert tokens.renewals == 2


@pytest.mark.parametrize(
    ("expires_in", "used_for"), [(30, 15), ("120", 60), (None, 540), (float("1e300"), 99999940)]
)
def test_any_life_of_a_token_gives_a_time_to_use_it(
    *,
    server: HaloServer,
    client: HaloClient,
    tokens: MemoryTokens,
    permit: Permit,
    expires_in: Any,
    used_for: int,
) -> None:
    server.on("POST /auth/token", lambda _: (200, {"access_token": "t", "expires_in": expires_in}))
    server.on("GET /api/Client", _echo)
    client.get("/Client", {}, permit)
    assert tokens.token is not None
    assert tokens.token.expires_at - NOW == timedelta(seconds=used_for)


def test_a_token_that_halo_no_longer_takes_is_forgotten_and_the_call_comes_again(
    server: HaloServer, client: HaloClient, tokens: MemoryTokens, clock: Clock, permit: Permit
) -> None:
    tokens.token = Token(SecretStr("old"), clock.at + timedelta(hours=1))
    server.on(
        "POST /api/SalesOrder",
        lambda call: (
            (401, "") if call.headers["authorization"] == "Bearer old" else (201, [{"id": 1}])
        ),
    )
    with pytest.raises(Again, match="by itself"):
        client.post("/SalesOrder", [{"po_number": "HL-1"}], permit)
    assert not client.signed_in
    client.sign_in(permit)
    assert client.post("/SalesOrder", [{"po_number": "HL-1"}], permit).document == [{"id": 1}]
    assert len(server.to("/api/SalesOrder")) == 2


def test_a_second_401_is_bad_credentials(
    server: HaloServer, client: HaloClient, tokens: MemoryTokens, permit: Permit
) -> None:
    server.on("GET /api/Client", lambda _: (401, {"Message": "no"}))
    tokens.refused = Token(SecretStr("the one before"), NOW)
    with pytest.raises(BadCredentials, match="client id and secret"):
        client.get("/Client", {}, permit)
    assert len(server.to("/api/Client")) == 1


@pytest.mark.parametrize(
    ("answer", "expected", "remedy"),
    [
        ((400, {"error": "invalid_client"}), BadCredentials, "client id and secret"),
        ((401, ""), BadCredentials, "client id and secret"),
        ((400, {"error": "invalid_scope"}), MissingScope, "Grant this scope"),
        ((400, {"error": f"odd {SECRET}"}), Refused, "tenant's name"),
        ((429, "Rate Limit Reached", {"retry-after": "9"}), RateLimited, "by itself"),
        ((500, "down"), NotSent, "by itself"),
        (CUT, Unanswered, "by itself"),
        ((200, {"token": 1}), Unreadable, "base URL"),
    ],
)
def test_no_token_is_said_with_the_remedy_and_never_with_the_secret(
    *,
    server: HaloServer,
    client: HaloClient,
    permit: Permit,
    answer: Any,
    expected: type[SynclineError],
    remedy: str,
) -> None:
    server.on("POST /auth/token", lambda _: answer)
    with pytest.raises(expected, match=remedy) as caught:
        client.post("/SalesOrder", [{}], permit)
    assert type(caught.value) is expected
    assert SECRET not in str(caught.value)
    assert caught.value.call_id == "call-1"
    assert server.to("/api/SalesOrder") == []


def test_a_tenant_on_https_never_gets_its_secret_sent_in_plain(
    *,
    server: HaloServer,
    transport: Transport,
    tokens: MemoryTokens,
    clock: Clock,
    permit: Permit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = transport.send

    def from_https(method: str, url: str, **given: Any) -> Any:
        return plain(method, url.replace("https://halo.example", server.url), **given)

    monkeypatch.setattr(transport, "send", from_https)
    client = make_client("https://halo.example", transport, tokens, clock)
    with pytest.raises(Refused, match="not sent there"):
        client.get("/Client", {}, permit)
    assert server.to("/auth/token") == []


def test_a_host_that_does_not_answer_means_not_sent(
    transport: Transport, tokens: MemoryTokens, clock: Clock, permit: Permit
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(NotSent):
            make_client(url, transport, tokens, clock).get("/Client", {}, permit)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda c, p: c.get("/Report", {}, p), Again),
        (lambda c, p: c.post("/Report", [{}], p, effect=Effect.READ), Again),
        (lambda c, p: c.post("/Report", [{}], p), Doubtful),
        (lambda c, p: c.delete("/Report", p), Doubtful),
    ],
)
def test_a_cut_connection_is_doubtful_only_where_something_may_have_happened(
    server: HaloServer,
    client: HaloClient,
    permit: Permit,
    call: Callable[[HaloClient, Permit], object],
    expected: type[SynclineError],
) -> None:
    for method in ("GET", "POST", "DELETE"):
        server.on(f"{method} /api/Report", lambda _: CUT)
    with pytest.raises(expected) as caught:
        call(client, permit)
    assert type(caught.value) is expected
    assert caught.value.call_id == "call-1"


def test_a_post_is_always_an_array_and_money_keeps_its_digits(
    server: HaloServer, client: HaloClient, permit: Permit
) -> None:
    server.on("POST /api/SalesOrder", lambda _: (200, {"id": 5, "total": Decimal("1.10")}))
    received = client.post("/SalesOrder", [{"total": Decimal("1.10")}], permit)
    (call,) = server.to("/api/SalesOrder")
    assert call.body == b'[{"total":1.10}]'
    assert call.headers["content-type"] == "application/json"
    assert received.document == {"id": 5, "total": Decimal("1.10")}
    assert (received.status, received.headers["content-length"]) == (200, "21")


def test_threads_share_one_token(
    server: HaloServer, client: HaloClient, tokens: MemoryTokens, permit: Permit
) -> None:
    server.on("GET /api/Client", _echo)
    threads = [threading.Thread(target=client.get, args=("/Client", {}, permit)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tokens.renewals == 1
    assert len(server.to("/api/Client")) == 8
