"""OAuth of the emulated HighLevel: page, codes, rotation, location tokens, a trial's limits."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from syncline.sandbox.config import COMPANY, LOCATION, TOKEN, Limit, SandboxConfig
from syncline.sandbox.process import SandboxProcess
from syncline.sandbox.wire.service import Request
from tests.syncline.sandbox.market import (
    ALT,
    REDIRECT,
    SCOPES,
    VERSION,
    Market,
    body,
    refused,
    sent_back,
)
from tests.syncline.sandbox.published import published
from tests.syncline.sandbox.taking_in import taking_in

# The page


def test_a_person_who_agrees_sends_a_code_and_the_state_back() -> None:
    back = sent_back(Market().page(state="a b&c"))
    assert set(back) == {"code", "state"}
    assert back["state"] == "a b&c"


def test_a_person_who_does_not_agree_sends_an_error_back() -> None:
    market = Market()
    assert sent_back(market.page(deny="1")) == {"error": "access_denied", "state": "s1"}
    assert market.service.oauth.installed_at is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"client_id": "other-app"}, "client_id"),
        ({"redirect_uri": "https://evil.example/callback"}, "redirect_uri"),
        ({"redirect_uri": "http://127.0.0.1:8123/other"}, "redirect_uri"),
        ({"redirect_uri": "http://127.0.0.1:x/callback"}, "redirect_uri"),
        ({"redirect_uri": "http://[bad/callback"}, "redirect_uri"),
        ({"response_type": "token"}, "response_type"),
        ({"scope": "payments/orders.readonly everything"}, "everything"),
    ],
)
def test_what_is_wrong_is_a_page_and_no_redirect(wrong: dict[str, str], said: str) -> None:
    page = Market().page(**wrong)
    assert page.status == 400
    assert said in page.body
    assert "location" not in page.headers


def test_a_registered_address_elsewhere_is_taken_as_it_is() -> None:
    market = Market(SandboxConfig(oauth_redirects=("https://app.example/back?x=1",)))
    page = market.page(redirect_uri="https://app.example/back?x=1")
    assert page.headers["location"].startswith("https://app.example/back?x=1&code=")
    assert market.page().status == 400


# Codes and access tokens


def test_a_code_gives_the_published_answer_and_a_token_that_reads() -> None:
    market = Market()
    told = market.installed()
    schema = published("highlevel/oauth.json")
    assert schema.misfits(told, "GetAccessCodeSuccessfulResponseDto") == set()
    assert (told["userType"], told["locationId"], told["companyId"]) == (
        "Location",
        LOCATION,
        COMPANY,
    )
    assert told["expires_in"] == 86_399
    assert told["scope"] == SCOPES
    assert market.orders(told["access_token"]).status == 200


def test_a_code_is_good_once_and_for_ten_minutes() -> None:
    market = Market()
    code, late = market.code(), market.code()
    assert market.token(grant_type="authorization_code", code=code).status == 200
    again = market.token(grant_type="authorization_code", code=code)
    assert refused(again) == (400, "Invalid authorization code")
    market.later(601)
    assert market.token(grant_type="authorization_code", code=late).status == 400


def test_a_code_is_bound_to_its_address() -> None:
    market = Market()
    form = {"grant_type": "authorization_code", "code": market.code()}
    assert market.token(**form, redirect_uri="http://127.0.0.1:9/callback").status == 400


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({"grant_type": "password"}, 422, "grant_type must be one of"),
        ({"grant_type": "refresh_token"}, 422, "refresh_token should not be empty"),
        ({"grant_type": "authorization_code"}, 422, "code should not be empty"),
        ({"grant_type": "client_credentials"}, 400, "client_credentials"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, 400, "Invalid refresh token"),
        (
            {"grant_type": "refresh_token", "refresh_token": "x", "client_secret": "guess"},
            401,
            "Invalid client credentials",
        ),
        (
            {"grant_type": "refresh_token", "refresh_token": "x", "user_type": "Person"},
            422,
            "user_type must be one of",
        ),
    ],
)
def test_a_broken_token_call_is_refused(form: dict[str, str], status: int, said: str) -> None:
    reply = Market().token(**form)
    assert reply.status == status
    assert said in str(reply.body["message"])


def test_a_body_that_is_no_form_has_no_fields() -> None:
    market = Market()
    request = Request("POST", "/oauth/token", {}, {"content-type": "application/json"}, b"{}")
    status, messages = refused(market.service.handle(request))
    assert status == 422
    assert "client_id should not be empty" in messages


def test_an_access_token_runs_out() -> None:
    market = Market()
    token = market.installed()["access_token"]
    market.later(86_399)
    said = "Invalid token: access token is invalid"
    assert refused(market.orders(token)) == (401, said)


def test_a_scope_that_was_not_granted_is_missing() -> None:
    market = Market()
    token = market.installed()["access_token"]
    reply = market.get("/payments/subscriptions", token, ALT)
    assert refused(reply) == (401, "The token is not authorized for this scope.")


def test_a_token_of_another_location_is_refused_there() -> None:
    market = Market()
    token = market.installed()["access_token"]
    reply = market.get("/payments/orders", token, {**ALT, "altId": "AnotherLocation00000"})
    assert reply.status == 403


# Rotation


def test_a_refresh_gives_new_tokens_and_uses_the_old_one_up() -> None:
    market = Market()
    first = market.installed()
    second = body(market.refresh(first["refresh_token"]))
    assert second["refresh_token"] != first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    assert market.orders(second["access_token"]).status == 200
    assert market.orders(first["access_token"]).status == 200
    market.later(31)
    assert market.refresh(first["refresh_token"]).status == 400
    assert market.refresh(second["refresh_token"]).status == 200


def test_the_same_refresh_within_30_seconds_gives_the_same_new_token() -> None:
    market = Market()
    old = market.installed()["refresh_token"]
    first = body(market.refresh(old))
    market.later(30)
    assert body(market.refresh(old)) == first
    market.later(0.001)
    assert refused(market.refresh(old)) == (400, "This refresh token has been used already")
    assert market.service.oauth.refreshes() == {old: 2}


def test_a_revoked_refresh_token_is_dead_and_access_lives_on() -> None:
    market = Market()
    told = market.installed()
    assert market.service.oauth.revoke() == 1
    assert market.refresh(told["refresh_token"]).status == 400
    assert market.orders(told["access_token"]).status == 200


def test_expiring_lets_access_tokens_run_out_and_refreshing_heals_it() -> None:
    market = Market()
    told = market.installed()
    assert market.service.oauth.expire() == 1
    assert market.orders(told["access_token"]).status == 401
    fresh = body(market.refresh(told["refresh_token"]))
    assert market.orders(fresh["access_token"]).status == 200
    assert market.service.oauth.expire() == 1


def test_uninstalling_kills_every_token_until_the_app_is_installed_again() -> None:
    market = Market()
    told = market.installed()
    market.service.oauth.uninstall()
    assert refused(market.orders(told["access_token"])) == (401, "Invalid JWT")
    assert market.refresh(told["refresh_token"]).status == 400
    assert market.orders(TOKEN).status == 200
    assert market.orders(market.installed()["access_token"]).status == 200


def test_other_paths_are_not_there() -> None:
    market = Market()
    assert refused(market.post("/oauth/reconnect", {})) == (400, "API endpoint has been removed")
    assert market.post("/oauth/other", {}).status == 404


# Limits


def test_a_trial_account_has_the_limits_of_one() -> None:
    trial = SandboxConfig(trial_account=True)
    assert (trial.highlevel_limit, trial.highlevel_daily) == (Limit(calls=25, seconds=10), 10_000)
    roomier = SandboxConfig(trial_account=True, highlevel_limit=Limit(calls=30, seconds=10))
    assert (roomier.highlevel_limit.calls, roomier.highlevel_daily) == (30, 10_000)


# A running sandbox


def test_installing_over_http_sends_install_and_costs_no_call_of_the_api(
    sandbox_process: SandboxProcess,
) -> None:
    sandbox_process.reset(orders=3, transactions=0, subscriptions=0)
    config = SandboxConfig()
    asked = {"response_type": "code", "client_id": config.oauth_client_id, "scope": SCOPES,
             "redirect_uri": REDIRECT, "state": "s1"}  # fmt: skip
    with taking_in() as receiver:
        sandbox_process.send_highlevel_events_to(receiver.url)
        page = httpx.get(f"{sandbox_process.highlevel_url}/v2/oauth/chooselocation", params=asked)
        (told,) = receiver.wait(1)
    assert page.status_code == 302
    assert told.document["type"] == "INSTALL"
    assert sandbox_process.counters()["highlevel"]["calls"] == 0
    code = parse_qs(urlsplit(page.headers["location"]).query)["code"][0]
    form = {"client_id": config.oauth_client_id, "client_secret": config.oauth_client_secret,
            "grant_type": "authorization_code", "code": code}  # fmt: skip
    tokens = httpx.post(f"{sandbox_process.highlevel_url}/oauth/token", data=form).json()
    assert _read(sandbox_process, tokens["access_token"]).status_code == 200
    sandbox_process.expire_highlevel_tokens()
    assert _read(sandbox_process, tokens["access_token"]).status_code == 401
    again = {**form, "grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert httpx.post(f"{sandbox_process.highlevel_url}/oauth/token", data=again).is_success
    assert sandbox_process.counters()["refreshes"] == {tokens["refresh_token"]: 1}
    assert sandbox_process.counters()["highlevel"]["operations"]["POST /oauth/token"] == 2
    sandbox_process.revoke_highlevel_tokens()
    assert httpx.post(f"{sandbox_process.highlevel_url}/oauth/token", data=again).status_code == 400
    other = httpx.get(f"{sandbox_process.highlevel_url}/v2/oauth/other")
    assert other.status_code == 404


def test_an_answer_of_a_refresh_can_be_lost_after_its_effect(
    sandbox_process: SandboxProcess,
) -> None:
    sandbox_process.reset(orders=3, transactions=0, subscriptions=0)
    config = SandboxConfig()
    page = httpx.get(
        f"{sandbox_process.highlevel_url}/v2/oauth/chooselocation",
        params={"response_type": "code", "client_id": config.oauth_client_id,
                "redirect_uri": REDIRECT},
    )  # fmt: skip
    own = {"client_id": config.oauth_client_id, "client_secret": config.oauth_client_secret}
    url = f"{sandbox_process.highlevel_url}/oauth/token"
    code = parse_qs(urlsplit(page.headers["location"]).query)["code"][0]
    first = httpx.post(url, data={**own, "grant_type": "authorization_code", "code": code}).json()
    form = {**own, "grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    sandbox_process.faults(operation="POST /oauth/token", kind="cut_after", next=1)
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.post(url, data=form)
    second = httpx.post(url, data=form).json()
    assert _read(sandbox_process, second["access_token"]).status_code == 200
    assert sandbox_process.counters()["refreshes"] == {first["refresh_token"]: 2}


def _read(sandbox: SandboxProcess, token: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}", **VERSION}
    return httpx.get(f"{sandbox.highlevel_url}/payments/orders", params=ALT, headers=headers)
