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
    ForeignAnswer,
    MissingScope,
    NoAnswer,
    NotSent,
    RateLimited,
    Refused,
    SynclineError,
    Troubled,
    Unanswered,
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
    sign_in,
)


def _echo(call: Call) -> tuple[int, Any]:
    return 200, {"authorization": call.headers["authorization"]}


def test_a_token_is_asked_for_once_where_discovery_says(
    server: HaloServer, newcomer: HaloClient, permit: Permit
) -> None:
    server.on("GET /api/Client", _echo)
    for _ in range(3):
        sign_in(newcomer, permit)
        assert newcomer.get("/Client", {}, permit).document == {"authorization": "Bearer token-1"}
    (asked,) = server.to("/auth/token")
    assert asked.query == {"tenant": "acme"}
    assert asked.form == {
        "grant_type": "client_credentials",
        "client_id": "application",
        "client_secret": SECRET,
        "scope": "read:customers edit:customers",
    }


def test_each_call_that_signing_in_takes_is_counted_by_its_name(
    server: HaloServer, newcomer: HaloClient, permit: Permit
) -> None:
    counted: list[str] = []

    def count(operation: str, make: Callable[[Permit], Any]) -> Any:
        counted.append(operation)
        return make(permit)

    newcomer.sign_in(count)
    assert counted == ["GET /authinfo", "POST /token"]
    assert len(server.calls) == len(counted)


def test_without_a_token_nothing_is_sent(
    server: HaloServer, newcomer: HaloClient, permit: Permit
) -> None:
    with pytest.raises(NotSent):
        newcomer.get("/Client", {}, permit)
    assert server.calls == []


def test_the_tenant_of_the_settings_goes_before_the_discovered_one(
    server: HaloServer, transport: Transport, tokens: MemoryTokens, clock: Clock, permit: Permit
) -> None:
    client = make_client(f"{server.url}/api/", transport, tokens, clock, tenant="other")
    sign_in(client, permit)
    assert server.to("/auth/token")[0].query == {"tenant": "other"}


@pytest.mark.parametrize("answer", [(404, "no"), (200, b"<html>"), (200, {"auth_url": None})])
def test_without_discovery_the_usual_place_is_asked(
    server: HaloServer, newcomer: HaloClient, permit: Permit, answer: tuple[int, Any]
) -> None:
    server.on("GET /api/authinfo", lambda _: answer)
    sign_in(newcomer, permit)
    assert server.to("/auth/token")[0].query == {}


def test_a_refusal_where_nobody_said_that_tokens_are_counts_only_if_halo_still_does_not_say(
    server: HaloServer, newcomer: HaloClient, permit: Permit
) -> None:
    told = {"auth_url": f"{server.url}/auth/", "tenant_id": "acme"}
    page = (200, b"<html><title>Wi-Fi</title></html>")
    server.on(
        "GET /api/authinfo",
        lambda _: page if len(server.to("/api/authinfo")) == 1 else (200, told),
    )
    server.on(
        "POST /auth/token",
        lambda call: (
            (200, {"access_token": "t", "expires_in": 60})
            if call.query
            else (400, {"error": "invalid_client"})
        ),
    )
    sign_in(newcomer, permit)
    assert [call.query for call in server.to("/auth/token")] == [{}, {"tenant": "acme"}]


@pytest.mark.parametrize("answer", [(403, b""), (302, b""), (503, b"<html>"), (500, {"a": 1})])
def test_a_discovery_that_somebody_else_answers_sends_no_secret(
    server: HaloServer, newcomer: HaloClient, permit: Permit, answer: tuple[int, Any]
) -> None:
    server.on("GET /api/authinfo", lambda _: answer)
    with pytest.raises(Again):
        sign_in(newcomer, permit)
    assert server.to("/auth/token") == []


def test_a_token_is_given_up_a_minute_before_its_end(
    server: HaloServer, newcomer: HaloClient, tokens: MemoryTokens, clock: Clock, permit: Permit
) -> None:
    sign_in(newcomer, permit)
    assert tokens.token is not None
    assert tokens.token.expires_at == NOW + timedelta(seconds=3540)
    clock.at = tokens.token.expires_at
    sign_in(newcomer, permit)
    assert tokens.renewals == 2


@pytest.mark.parametrize(
    ("expires_in", "used_for"),
    [
        (30, 15),
        ("120", 60),
        (None, 540),
        (0, 540),
        (-1, 540),
        (1, 540),
        (True, 540),
        pytest.param(10**400, 540, id="endless"),
        (float("1e300"), 99999940),
    ],
)
def test_any_life_of_a_token_gives_a_time_to_use_it(
    *,
    server: HaloServer,
    newcomer: HaloClient,
    tokens: MemoryTokens,
    permit: Permit,
    expires_in: Any,
    used_for: int,
) -> None:
    server.on("POST /auth/token", lambda _: (200, {"access_token": "t", "expires_in": expires_in}))
    sign_in(newcomer, permit)
    assert tokens.token is not None
    assert tokens.token.expires_at - NOW == timedelta(seconds=used_for)


@pytest.mark.parametrize("value", [" ", "two\nlines", "b\u00e9"])
def test_what_can_stand_in_no_header_is_no_token_and_is_asked_for_again(
    server: HaloServer, newcomer: HaloClient, tokens: MemoryTokens, permit: Permit, value: str
) -> None:
    server.on("POST /auth/token", lambda _: (200, {"access_token": value, "expires_in": 3600}))
    with pytest.raises(Again):
        sign_in(newcomer, permit)
    server.on("POST /auth/token", lambda _: (200, {"access_token": "t\n", "expires_in": 3600}))
    sign_in(newcomer, permit)
    assert tokens.token is not None
    assert tokens.token.value.get_secret_value() == "t"


@pytest.mark.parametrize(
    ("refusal", "headers"),
    [
        ({"Message": "Authorization has been denied."}, {}),
        (b"", {"www-authenticate": 'Bearer error="invalid_token"'}),
        (b"<html>no</html>", {}),
    ],
    ids=["in words", "by a header alone", "by a page"],
)
def test_a_token_that_is_no_longer_taken_is_forgotten_and_the_call_comes_again(
    server: HaloServer,
    client: HaloClient,
    permit: Permit,
    refusal: Any,
    headers: dict[str, str],
) -> None:
    server.on(
        "GET /api/Client",
        lambda call: (
            (401, refusal, headers)
            if call.headers["authorization"] == "Bearer token-0"
            else (200, [{"id": 1}])
        ),
    )
    with pytest.raises(Again, match="by itself"):
        client.get("/Client", {}, permit)
    sign_in(client, permit)
    assert client.get("/Client", {}, permit).document == [{"id": 1}]


def test_a_write_that_halo_itself_answers_401_had_no_effect(
    server: HaloServer, client: HaloClient, permit: Permit
) -> None:
    server.on("POST /api/SalesOrder", lambda _: (401, {"Message": "no"}))
    with pytest.raises(Again, match="by itself"):
        client.post("/SalesOrder", [{"po_number": "HL-1"}], permit)
    server.on("POST /api/SalesOrder", lambda _: (401, b"<html>no</html>"))
    sign_in(client, permit)
    with pytest.raises(Doubtful, match="Somebody else"):
        client.post("/SalesOrder", [{"po_number": "HL-1"}], permit)


def test_a_second_401_is_bad_credentials(
    server: HaloServer, client: HaloClient, tokens: MemoryTokens, permit: Permit
) -> None:
    server.on("GET /api/Client", lambda _: (401, {"Message": "no"}))
    tokens.refused = Token(SecretStr("the one before"), NOW)
    with pytest.raises(BadCredentials, match="client id and secret") as refused:
        client.get("/Client", {}, permit)
    assert (refused.value.side, refused.value.call) == ("halo", ("GET", "/Client"))
    assert len(server.to("/api/Client")) == 1


@pytest.mark.parametrize(
    ("answer", "expected", "remedy", "asked"),
    [
        ((400, {"error": "invalid_client"}), BadCredentials, "client id and secret", 2),
        ((401, {"error": "invalid_client"}), BadCredentials, "client id and secret", 2),
        ((400, {"error": "invalid_scope"}), MissingScope, "Grant this scope", 2),
        ((400, {"error": f"odd {SECRET}"}), ForeignAnswer, "what stands between", 1),
        ((403, {"error": "access_denied"}), ForeignAnswer, "what stands between", 1),
        ((401, {"message": "Unauthorized"}), ForeignAnswer, "Unauthorized", 1),
        ((401, {"Message": "No."}), ForeignAnswer, "what stands between", 1),
        ((400, {"error": "unsupported_grant_type"}), Refused, "tenant's name", 2),
        ((400, {"error": "temporarily_unavailable"}), Troubled, "by itself", 1),
        ((401, {"error": "server_error"}), Troubled, "by itself", 1),
        ((503, {"error": "temporarily_unavailable"}), Troubled, "by itself", 1),
        ((429, {"error": "slow_down"}), RateLimited, "by itself", 1),
        ((429, "Rate Limit Reached", {"retry-after": "9"}), RateLimited, "by itself", 1),
        ((500, {"Message": f"down {SECRET}"}), Troubled, "by itself", 1),
        ((500, "down"), ForeignAnswer, "by itself", 1),
        ((401, b""), ForeignAnswer, "by itself", 1),
        ((403, b"<html><title>Just a moment</title>"), ForeignAnswer, "Just a moment", 1),
        ((302, b"", {"location": "https://login.example/x?y"}), ForeignAnswer, "login.example", 1),
        (CUT, NoAnswer, "by itself", 1),
        ((200, {"token": 1}), ForeignAnswer, "by itself", 1),
        ((200, {"access_token": ""}), ForeignAnswer, "by itself", 1),
    ],
)
def test_no_token_is_said_with_the_remedy_and_never_with_the_secret(
    *,
    server: HaloServer,
    newcomer: HaloClient,
    permit: Permit,
    answer: Any,
    expected: type[SynclineError],
    remedy: str,
    asked: int,
) -> None:
    server.on("POST /auth/token", lambda _: answer)
    with pytest.raises(expected, match=remedy) as caught:
        sign_in(newcomer, permit)
    assert type(caught.value) is expected
    assert SECRET not in str(caught.value)
    assert caught.value.call_id == "call-1" or expected is RateLimited
    assert len(server.to("/auth/token")) == asked


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
        sign_in(client, permit)
    assert server.to("/auth/token") == []


def test_a_host_that_does_not_answer_means_not_sent(
    transport: Transport, tokens: MemoryTokens, clock: Clock, permit: Permit
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Unanswered):
            sign_in(make_client(url, transport, tokens, clock), permit)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda c, p: c.get("/Report", {}, p), NoAnswer),
        (lambda c, p: c.post("/Report", [{}], p, effect=Effect.READ), NoAnswer),
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
    server: HaloServer, newcomer: HaloClient, tokens: MemoryTokens, permit: Permit
) -> None:
    server.on("GET /api/Client", _echo)

    def one() -> None:
        sign_in(newcomer, permit)
        newcomer.get("/Client", {}, permit)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tokens.renewals == 1
    assert len(server.to("/api/Client")) == 8
