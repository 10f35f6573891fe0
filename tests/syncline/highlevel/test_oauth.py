"""Codes and refresh tokens into tokens, against the emulated HighLevel."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pydantic import SecretStr

from syncline import jsontext
from syncline.errors import (
    BadCredentials,
    ForeignAnswer,
    NoAnswer,
    RateLimited,
    Suspended,
    SynclineError,
    Troubled,
)
from syncline.highlevel.oauth import OAuthEndpoint, authorize_url
from syncline.sandbox.config import COMPANY, LOCATION, SandboxConfig
from syncline.sandbox.process import SandboxProcess
from syncline.transport import Transport
from tests.syncline.highlevel.location import Scripted, permit

REDIRECT = "http://127.0.0.1:8734/callback"
CONFIG = SandboxConfig()
SCOPES = ["payments/orders.readonly", "oauth.write"]


def endpoint_of(transport: Transport, base_url: str) -> OAuthEndpoint:
    return OAuthEndpoint(
        transport,
        base_url=base_url,
        client_id=CONFIG.oauth_client_id,
        client_secret=SecretStr(CONFIG.oauth_client_secret),
        now=lambda: datetime.now(UTC),
    )


def code_of(sandbox: SandboxProcess) -> SecretStr:
    """A person opens the page and lets the app in."""
    page = authorize_url(
        f"{sandbox.highlevel_url}/v2/oauth/chooselocation",
        client_id=CONFIG.oauth_client_id,
        redirect=REDIRECT,
        scopes=SCOPES,
        state="as it was",
    )
    location = httpx.get(page).headers["location"]
    assert location.startswith(REDIRECT)
    query = parse_qs(urlsplit(location).query)
    assert query["state"] == ["as it was"]
    return SecretStr(query["code"][0])


def test_a_code_becomes_a_grant_once(sandbox: SandboxProcess, transport: Transport) -> None:
    endpoint, code = endpoint_of(transport, sandbox.highlevel_url), code_of(sandbox)
    grant = endpoint.exchange(code, REDIRECT, permit(), company=False)
    assert grant.location_id == LOCATION
    assert grant.company_id == COMPANY
    assert grant.scopes == set(SCOPES)
    assert (grant.expires_at - grant.got_at).total_seconds() == CONFIG.oauth_seconds
    with pytest.raises(BadCredentials, match="syncline connect highlevel") as refused:
        endpoint.exchange(code, REDIRECT, permit(), company=False)
    assert code.get_secret_value() not in str(refused.value)


def test_the_same_refresh_asked_again_at_once_gives_the_same_new_token(
    sandbox: SandboxProcess, transport: Transport
) -> None:
    endpoint = endpoint_of(transport, sandbox.highlevel_url)
    first = endpoint.exchange(code_of(sandbox), REDIRECT, permit(), company=False)
    assert first.refresh is not None
    second = endpoint.refresh(first.refresh, permit(), company=False)
    again = endpoint.refresh(first.refresh, permit(), company=False)
    assert (second.access, second.refresh) == (again.access, again.refresh)
    assert second.refresh != first.refresh


def test_a_company_gets_tokens_for_its_locations(
    sandbox: SandboxProcess, transport: Transport
) -> None:
    endpoint = endpoint_of(transport, sandbox.highlevel_url)
    company = endpoint.exchange(code_of(sandbox), REDIRECT, permit(), company=True)
    assert company.location_id is None
    own = endpoint.location_token(company.access, COMPANY, LOCATION, permit())
    assert own.location_id == LOCATION
    with pytest.raises(BadCredentials):
        endpoint.location_token(company.access, COMPANY, "of somebody else", permit())


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, b'{"message": "Location is not active", "statusCode": 400}', Suspended),
        (400, b'{"error": "invalid_grant", "error_description": "used"}', BadCredentials),
        (401, b"", ForeignAnswer),
        (401, b'{"message": "Invalid client credentials", "statusCode": 401}', BadCredentials),
        (429, b'{"message": "Too Many Requests"}', RateLimited),
        (502, b"<html>", ForeignAnswer),
        (502, b'{"message": "Bad gateway", "statusCode": 502}', Troubled),
        (400, b'{"error": "temporarily_unavailable"}', Troubled),
        (503, b'{"error": "server_error", "error_description": "x"}', Troubled),
        (401, b'{"error": "invalid_client"}', BadCredentials),
        (403, b'{"error": "access_denied"}', ForeignAnswer),
        (401, b'{"message": "Unauthorized"}', ForeignAnswer),
        (403, b'{"message": "Forbidden"}', ForeignAnswer),
        (400, b'{"error": "odd"}', ForeignAnswer),
        (407, b'{"error": "invalid_client", "statusCode": 407}', ForeignAnswer),
        (200, b'{"message": "Endpoint request timed out"}', ForeignAnswer),
        (200, None, NoAnswer),
        (200, b"{}", ForeignAnswer),
        (200, b'{"access_token": 5, "expires_in": "soon"}', ForeignAnswer),
        (200, b'{"access_token": "at", "refresh_token": 5}', ForeignAnswer),
        (200, b'{"access_token": "at", "refresh_token": "r t"}', ForeignAnswer),
        (200, b'{"access_token": " "}', ForeignAnswer),
        (200, b'{"access_token": "two\\nlines"}', ForeignAnswer),
        (200, '{"access_token": "b\u00e9"}'.encode(), ForeignAnswer),
    ],
)
def test_what_is_no_token_says_whether_to_ask_again(
    server: Scripted, transport: Transport, status: int, body: bytes | None, error: type[Exception]
) -> None:
    server.status, server.body = status, body
    with pytest.raises(error):
        endpoint_of(transport, server.url).refresh(SecretStr("rt-1"), permit(), company=False)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_no_text_repeats_the_secrets_that_were_sent(
    server: Scripted, transport: Transport, status: int
) -> None:
    said = f"no {CONFIG.oauth_client_secret} and no rt-secret here"
    server.status, server.body = status, jsontext.dumps({"message": said})
    with pytest.raises(SynclineError) as refused:
        endpoint_of(transport, server.url).refresh(SecretStr("rt-secret"), permit(), company=False)
    assert "rt-secret" not in str(refused.value)
    assert CONFIG.oauth_client_secret not in str(refused.value)


def test_the_token_is_asked_for_by_a_form_without_a_version(
    server: Scripted, transport: Transport
) -> None:
    server.body = b'{"access_token": "at", "expires_in": 86399}'
    grant = endpoint_of(transport, server.url).refresh(SecretStr("rt-1"), permit(), company=True)
    (call,) = server.calls
    assert "version" not in call["headers"]
    assert call["headers"]["content-type"] == "application/x-www-form-urlencoded"
    form = {name: values[0] for name, values in parse_qs(call["body"].decode()).items()}
    assert form == {
        "client_id": CONFIG.oauth_client_id,
        "client_secret": CONFIG.oauth_client_secret,
        "grant_type": "refresh_token",
        "refresh_token": "rt-1",
        "user_type": "Company",
    }
    assert grant.refresh is None
    assert grant.scopes == set()


@pytest.mark.parametrize(
    "more",
    [
        {"expires_in": None},
        {"expires_in": "soon"},
        {"expires_in": "NaN"},
        {"expires_in": []},
        {"expires_in": 0},
        {"expires_in": "0"},
        {"expires_in": -1},
        {"expires_in": True},
        {"expires_in": 24},
        {"scope": ["payments/orders.readonly"]},
        {"locationId": {"id": "l1"}},
        {"companyId": 7, "scope": 7, "expires_in": {}},
    ],
)
def test_nonsense_beside_the_tokens_of_a_grant_costs_the_tokens_nothing(
    server: Scripted, transport: Transport, more: dict[str, Any]
) -> None:
    server.body = jsontext.dumps({"access_token": "at-2", "refresh_token": "rt-2", **more})
    endpoint = endpoint_of(transport, server.url)
    grant = endpoint.refresh(SecretStr("rt-1"), permit(), company=False)
    assert grant.access.get_secret_value() == "at-2"
    assert grant.refresh is not None
    assert grant.refresh.get_secret_value() == "rt-2"
    assert (grant.scopes, grant.location_id, grant.company_id) == (frozenset(), None, None)
    assert (grant.expires_at - grant.got_at).total_seconds() == 3600


def test_space_around_the_tokens_is_none_of_them(server: Scripted, transport: Transport) -> None:
    server.body = b'{"access_token": " at\\n", "refresh_token": " ", "expires_in": "86399"}'
    endpoint = endpoint_of(transport, server.url)
    grant = endpoint.refresh(SecretStr("rt-1"), permit(), company=False)
    assert (grant.access.get_secret_value(), grant.refresh) == ("at", None)
    assert (grant.expires_at - grant.got_at).total_seconds() == 86399


def test_a_locations_token_needs_no_refresh_token_that_can_be_read(
    server: Scripted, transport: Transport
) -> None:
    server.body = b'{"access_token": "at", "refresh_token": 5}'
    endpoint = endpoint_of(transport, server.url)
    grant = endpoint.location_token(SecretStr("company"), "c1", "l1", permit())
    assert (grant.access.get_secret_value(), grant.refresh) == ("at", None)
