"""OAuth of the emulated HighLevel for a whole agency: its token, and those of its locations."""

from __future__ import annotations

import pytest

from syncline.sandbox.config import COMPANY, LOCATION, TOKEN
from syncline.sandbox.wire.service import Reply
from tests.syncline.sandbox.market import (
    VERSION,
    Market,
    body,
    refused,
)
from tests.syncline.sandbox.published import published


def test_an_agencys_token_names_no_location_and_may_do_nothing_there() -> None:
    market = Market()
    told = market.installed("Company")
    assert told["approvedLocations"] == [LOCATION]
    assert "locationId" not in told
    reply = market.orders(told["access_token"])
    assert refused(reply) == (401, "The token is not authorized for this scope.")


def test_an_agencys_token_gives_a_locations_token_without_a_refresh_token() -> None:
    market = Market()
    reply = _location_token(market, market.installed("Company")["access_token"])
    told = body(reply)
    schema = published("highlevel/oauth.json")
    assert schema.misfits(told, "GetLocationAccessTokenSuccessfulResponseDto") == set()
    assert told["locationId"] == LOCATION
    assert "refresh_token" not in told
    assert market.orders(told["access_token"]).status == 200


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"companyId": ""}, 422),
        ({"companyId": "AnotherCompany000000"}, 403),
        ({"locationId": "AnotherLocation00000"}, 400),
    ],
)
def test_a_location_token_of_what_is_not_there_is_refused(
    wrong: dict[str, str], status: int
) -> None:
    market = Market()
    assert _location_token(market, market.installed("Company")["access_token"], **wrong).status == (
        status
    )


def test_only_an_agencys_token_gives_a_locations_token() -> None:
    market = Market()
    said = "This authClass type is not allowed to access this scope."
    for token in (TOKEN, market.installed()["access_token"]):
        assert refused(_location_token(market, token)) == (401, said)
    assert refused(_location_token(market, "nobody's")) == (401, "Invalid JWT")


def test_an_agencys_token_asks_for_its_scopes_and_a_version() -> None:
    market = Market()
    code = market.code(scope="payments/orders.readonly")
    told = body(market.token(grant_type="authorization_code", code=code, user_type="Company"))
    assert refused(_location_token(market, told["access_token"])) == (
        401,
        "The token is not authorized for this scope.",
    )
    form = {"companyId": COMPANY, "locationId": LOCATION}
    signed = {"authorization": f"Bearer {market.installed('Company')['access_token']}"}
    reply = market.post("/oauth/locationToken", form, **signed)
    assert refused(reply) == (401, "version header was not found.")


def test_the_locations_with_the_app_are_listed() -> None:
    market = Market()
    token = market.installed("Company")["access_token"]
    asked = {"companyId": COMPANY, "appId": market.config.app_id}
    told = body(market.get("/oauth/installedLocations", token, asked))
    schema = published("highlevel/oauth.json")
    assert schema.misfits(told, "GetInstalledLocationsSuccessfulResponseDto") == set()
    assert [one["_id"] for one in told["locations"]] == [LOCATION]
    assert told["count"] == 1
    for none in ({"skip": "1"}, {"isInstalled": "false"}, {"locationId": "x"}, {"query": "zzz"}):
        found = body(market.get("/oauth/installedLocations", token, {**asked, **none}))
        assert found["locations"] == []
    for wrong in ({"appId": ""}, {"limit": "many"}):
        assert market.get("/oauth/installedLocations", token, {**asked, **wrong}).status == 422
    other = {**asked, "companyId": "AnotherCompany000000"}
    assert market.get("/oauth/installedLocations", token, other).status == 403


def _location_token(market: Market, token: str, **other: str) -> Reply:
    form = {"companyId": COMPANY, "locationId": LOCATION, **other}
    return market.post("/oauth/locationToken", form, authorization=f"Bearer {token}", **VERSION)
