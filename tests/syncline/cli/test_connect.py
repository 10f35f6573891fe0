"""Connecting through HighLevel's app: the browser, the page it comes back to, a pasted code."""

from __future__ import annotations

import threading
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from pydantic import SecretStr

from syncline.credentials.callback import listening
from syncline.errors import Again, Refused
from syncline.ledger import connections
from syncline.ledger.database import Ledger
from syncline.sandbox.config import COMPANY
from syncline.sandbox.process import SandboxProcess
from syncline.settings import Settings
from tests.syncline.cli.conftest import CONFIG, Person, Run, document, runner

STATE = "s" * 40
SCOPES = {
    "payments/orders.readonly",
    "payments/orders.write",
    "payments/subscriptions.readonly",
    "payments/transactions.readonly",
}


def test_a_browser_connects_a_location_with_exactly_the_scopes_that_are_needed(
    with_app: Run, person: Person, ledger: Ledger
) -> None:
    stopped = ledger.run(lambda c: connections.by_name(c, "acme"))
    assert (stopped.state, stopped.auth) == ("stopped", "oauth")
    result = with_app("connect", "highlevel", "acme", "--json")
    assert result.exit_code == 0, result.output
    told = document(result)
    assert set(told["scopes"]) == SCOPES
    assert told["missing"] == told["not_needed"] == []
    assert told["goes_on"]
    [address] = person.opened
    assert address in result.stderr
    query = parse_qs(urlsplit(address).query)
    assert set(query["scope"][0].split()) == SCOPES
    for thread in person.threads:
        thread.join()
    [page] = person.pages
    assert page.status_code == 200
    assert "acme is connected" in page.text
    assert page.headers["cache-control"] == "no-store"
    secrets = (CONFIG.oauth_client_secret, *(code for code in query["state"]))
    assert not any(secret in page.text or secret in result.stdout for secret in secrets)
    link = ledger.run(lambda c: connections.by_name(c, "acme"))
    assert (link.state, link.auth) == ("active", "oauth")
    checked = document(with_app("connection", "check", "acme", "--json"))
    assert checked["works"]


def test_a_company_is_connected_through_its_own_token(
    with_app: Run, person: Person, ledger: Ledger
) -> None:
    result = with_app("connect", "highlevel", "acme", "--company")
    assert result.exit_code == 0, result.output
    assert f"agency {COMPANY}" in result.stdout
    assert "missing" not in result.stdout
    assert ledger.run(lambda c: connections.by_name(c, "acme")).company_id == COMPANY


def test_a_person_who_says_no_is_told_in_both_places(with_app: Run, person: Person) -> None:
    person.more = "&deny=1"
    result = with_app("connect", "highlevel", "acme")
    assert result.exit_code == 2
    assert "access_denied" in result.stderr
    for thread in person.threads:
        thread.join()
    assert "access_denied" in person.pages[0].text


def test_nobody_who_comes_back_ends_it_with_a_remedy(with_app: Run) -> None:
    result = with_app("connect", "highlevel", "acme", "--no-browser", "--wait", "1")
    assert result.exit_code == 1
    assert "--code" in result.stderr


@pytest.mark.parametrize("whole", [False, True], ids=["the code", "the whole address"])
def test_a_pasted_code_does_as_well(with_app: Run, sandbox: SandboxProcess, whole: bool) -> None:
    redirect = "http://127.0.0.1:0/callback"
    query = {
        "response_type": "code",
        "client_id": CONFIG.oauth_client_id,
        "redirect_uri": redirect,
        "scope": "payments/orders.readonly",
    }
    page = f"{sandbox.highlevel_url}/v2/oauth/chooselocation?{urlencode(query)}"
    address = httpx.get(page).headers["location"]
    code = parse_qs(urlsplit(address).query)["code"][0]
    pasted = address if whole else code
    result = with_app("connect", "highlevel", "acme", "--code", "-", "--json", typed=f"{pasted}\n")
    assert result.exit_code == 2
    told = document(result)
    assert "payments/orders.write" in told["missing"]
    again = with_app("connect", "highlevel", "acme", "--code", code)
    assert again.exit_code == 2
    assert code not in again.stderr


def test_a_code_that_is_none_and_an_app_that_is_none_say_what_to_do(
    with_app: Run, run: Run
) -> None:
    assert "code=" in with_app("connect", "highlevel", "acme", "--code", "state=1&code=").stderr
    without = run("connect", "highlevel", "acme")
    assert without.exit_code == 2
    assert "SYNCLINE_HIGHLEVEL_CLIENT_ID" in without.stderr


def test_a_page_on_another_machine_is_left_to_a_person(settings: Settings, with_app: Run) -> None:
    app = {
        "highlevel_client_id": CONFIG.oauth_client_id,
        "highlevel_client_secret": SecretStr("x"),
        "highlevel_redirect": "https://sync.example.com/callback",
    }
    result = runner(settings.model_copy(update=app))("connect", "highlevel", "acme")
    assert result.exit_code == 2
    assert "redirect_uri=https%3A%2F%2Fsync.example.com" in result.stderr
    assert "--code" in result.stderr


def get(address: str, **query: str) -> httpx.Response:
    return httpx.get(address, params=query, timeout=20)


def test_only_the_browser_that_was_sent_may_bring_a_code_and_only_once() -> None:
    with listening("http://127.0.0.1:0/callback", STATE) as callback:
        assert get(callback.address, code="c", state="guessed").status_code == 400
        assert get(callback.address, code="c").status_code == 400
        assert get(callback.address.replace("callback", "favicon.ico")).status_code == 404
        pages: list[httpx.Response] = []
        browser = threading.Thread(
            target=lambda: pages.append(get(callback.address, code="good", state=STATE))
        )
        browser.start()
        assert callback.code(10).get_secret_value() == "good"
        assert get(callback.address, code="second", state=STATE).status_code == 409
        callback.show("<b>Done", "a & b")
        browser.join()
    assert pages[0].status_code == 200
    assert "&lt;b&gt;Done" in pages[0].text
    assert "<b>" not in pages[0].text


def test_what_an_attacker_writes_into_an_error_is_shown_as_text() -> None:
    with listening("http://127.0.0.1:0/callback", STATE) as callback:
        pages: list[httpx.Response] = []
        said = {"error": "x", "error_description": "<script>alert(1)</script>", "state": STATE}
        browser = threading.Thread(target=lambda: pages.append(get(callback.address, **said)))
        browser.start()
        with pytest.raises(Refused):
            callback.code(10)
        browser.join()
    assert "<script>" not in pages[0].text
    assert "&lt;script&gt;" in pages[0].text


def test_a_connection_that_says_nothing_keeps_nobody_waiting() -> None:
    import socket  # noqa: PLC0415

    with listening("http://127.0.0.1:0/callback", STATE) as callback:
        port = urlsplit(callback.address).port or 0
        with socket.create_connection(("127.0.0.1", port)):
            assert get(callback.address, code="c", state="guessed").status_code == 400
        with pytest.raises(Again):
            callback.code(0.05)


def test_a_port_that_is_taken_says_how_to_take_another() -> None:
    with listening("http://127.0.0.1:0/callback", STATE) as callback:
        taken: Any = listening(callback.address, STATE)
        with pytest.raises(Refused, match="--port"), taken:
            pass
