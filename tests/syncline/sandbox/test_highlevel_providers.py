from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from syncline.sandbox.config import LOCATION, READ_SCOPES, TOKEN_OF_ANOTHER_LOCATION, Token

from .location import new_location

PATH = "/payments/integrations/provider/whitelabel"
SCHEMA = Path(__file__).parents[4] / "shared/apis/highlevel/payments.json"
BROKEN_NAME = (
    "uniqueName must start and end with a character. "
    "Only lowercase characters and hyphens (-) are supported"
)
BODY: dict[str, Any] = {
    "altId": LOCATION,
    "altType": "location",
    "uniqueName": "easy-direct",
    "title": "Easy Direct",
    "provider": "nmi",
    "description": "Cards",
    "imageUrl": "https://example.com/logo.png",
}


def test_a_provider_is_answered_and_listed_with_its_name_as_route() -> None:
    location = new_location()
    reply = location.call("POST", PATH, body=BODY)
    assert reply.status == 200
    assert reply.body["route"] == "easy-direct"
    assert location.get(PATH) == {"providers": [reply.body]}


def test_an_empty_location_lists_none() -> None:
    assert new_location().get(PATH) == {"providers": []}


def test_the_list_is_paged_by_offset_and_a_limit_of_nothing_gives_all() -> None:
    location = new_location()
    for name in ("aa", "bb", "cc"):
        location.call("POST", PATH, body=BODY | {"uniqueName": name})

    def routes(**query: str) -> list[str]:
        return [one["route"] for one in location.get(PATH, **query)["providers"]]

    assert routes() == routes(limit="0") == ["aa", "bb", "cc"]
    assert routes(limit="2") == ["aa", "bb"]
    assert routes(limit="2", offset="2") == ["cc"]
    assert routes(offset="9") == []


def test_a_name_that_is_taken_is_a_bad_request_and_makes_nothing() -> None:
    location = new_location()
    location.call("POST", PATH, body=BODY)
    reply = location.call("POST", PATH, body=BODY | {"title": "Another"})
    assert (reply.status, reply.body["error"]) == (400, "Bad Request")
    assert len(location.get(PATH)["providers"]) == 1


@pytest.mark.parametrize(
    ("wrong", "messages"),
    [
        ({"altType": "company"}, ["altType must be one of the following values: location"]),
        ({"title": ""}, ["title should not be empty"]),
        ({"title": 7}, ["title must be a string"]),
        (
            {"description": None},
            ["description should not be empty", "description must be a string"],
        ),
        ({"provider": "x"}, ["provider must be one of the following values: authorize-net, nmi"]),
        ({"imageUrl": "http://example.com/logo.png"}, ["imageUrl must be a URL address"]),
        *(
            (
                {"uniqueName": name},
                [BROKEN_NAME],
            )
            for name in ("-easy", "easy-", "Easy", "easy_direct", "easy2")
        ),
    ],
)
def test_a_broken_body_is_refused_and_makes_nothing(
    wrong: dict[str, Any], messages: list[str]
) -> None:
    location = new_location()
    reply = location.call("POST", PATH, body=BODY | wrong)
    assert (reply.status, reply.body["message"]) == (422, messages)
    assert location.get(PATH) == {"providers": []}


def test_a_broken_query_is_refused() -> None:
    reply = new_location().call("GET", PATH, {"limit": "many", "offset": "-1"})
    assert reply.status == 422
    assert reply.body["message"] == [
        "limit must be a number conforming to the specified constraints",
        "offset must not be less than 0",
    ]


def test_reading_and_writing_ask_for_scopes_of_their_own() -> None:
    reader = Token(value="pit-1", scopes=("payments/integration.readonly",))
    other = Token(value="pit-2", scopes=READ_SCOPES)
    location = new_location(tokens=(reader, other))
    assert location.call("GET", PATH, token=reader.value).status == 200
    assert location.call("GET", PATH, token=other.value).status == 401
    assert location.call("POST", PATH, body=BODY, token=reader.value).status == 401


def test_a_token_of_another_location_is_shut_out() -> None:
    location = new_location()
    reply = location.call("POST", PATH, body=BODY, token=TOKEN_OF_ANOTHER_LOCATION)
    assert reply.status == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", PATH), ("PUT", PATH), ("GET", f"{PATH}/65cb47dda50f4f13ced4b870")],
)
def test_there_is_no_way_to_change_or_remove_one(method: str, path: str) -> None:
    reply = new_location().call(method, path)
    assert (reply.status, reply.body["message"]) == (404, f"Cannot {method} {path}")


def test_the_shapes_are_the_published_ones() -> None:
    if not SCHEMA.exists():
        pytest.skip("the published schema is not beside this checkout")
    schemas = json.loads(SCHEMA.read_text())["components"]["schemas"]
    made = new_location().call("POST", PATH, body=BODY).body
    assert set(BODY) == set(schemas["CreateWhiteLabelIntegrationProviderDto"]["required"])
    assert set(made) == set(schemas["CreateWhitelabelIntegrationResponseDto"]["required"])
    assert set(made) == set(schemas["IntegrationProviderSchema"]["required"])
