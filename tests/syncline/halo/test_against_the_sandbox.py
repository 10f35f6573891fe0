"""The client against the emulated Halo, which was written from the API's documents alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from syncline.errors import Again, BadCredentials, MissingScope, Refused, Rejected
from syncline.halo.capabilities import FindWay
from syncline.halo.client import HaloClient
from syncline.halo.entities.currencies import currency_ids
from syncline.halo.entities.resources import CLIENT, CURRENCY, ORDER, USER
from syncline.halo.entities.rows import list_rows, read_row, save_rows
from syncline.halo.matching import match
from syncline.halo.sql.finding import LookupResult, RowLookup, Target
from syncline.halo.sql.queries import ask
from syncline.halo.sql.reports import run_sql
from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.process import SandboxProcess
from syncline.transport import Permit, Transport
from tests.syncline.halo.conftest import MemoryTokens, sign_in

PROFILES = ("generous", "plain", "awkward")
SMALL = {"orders": 1, "transactions": 0, "subscriptions": 0, "customers": 1, "link_delay": 0}


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    with SandboxProcess(**SMALL) as started:
        yield started


def _client(process: SandboxProcess, transport: Transport, **given: Any) -> HaloClient:
    def now() -> datetime:
        return datetime.now(UTC)

    config = SandboxConfig()
    settings: dict[str, Any] = {
        "base_url": process.halo_url,
        "tenant": None,
        "client_id": config.halo_client_id,
        "client_secret": SecretStr(config.halo_client_secret),
        "scope": "all",
        "tokens": MemoryTokens(now),
        "now": now,
    }
    client = HaloClient(transport, **(settings | given))
    sign_in(client, Permit("sign in", "t", time.monotonic() + 60, timedelta(seconds=20)))
    return client


def _reference(at: int) -> dict[str, Any]:
    link = {"third_party_id": f"HL-{at}", "third_party_type": "syncline"}
    return {"new_external_link": link, "_dont_fire_automations": True}


def _look_up(
    halo: HaloClient, permit: Permit, way: FindWay, target: Target, refs: list[str]
) -> LookupResult:
    lookup = RowLookup(way, target, refs)
    while (query := lookup.pending()) is not None:
        lookup.take(ask(halo, permit, query))
    return lookup.found()


def _order(at: int, client_id: int, currency: int) -> dict[str, Any]:
    line = {"name": "Service", "quantity": 1, "baseprice": Decimal("9.99"), "tax": Decimal("1.01")}
    return {
        "po_number": f"HL-{at}",
        "client_id": client_id,
        "currency_code": currency,
        "lines": [line],
    } | _reference(at)


def _customer(halo: HaloClient, permit: Permit) -> tuple[int, int]:
    """A client with one user; the ids of both."""
    (row,) = save_rows(halo, permit, CLIENT, [{"name": "Acme", "ref": "HL-acme"} | _reference(0)])
    user = {"name": "Ann", "emailaddress": "Ann@Example.com", "site_id": row.main_site_id}
    (person,) = save_rows(halo, permit, USER, [user])
    return row.id, person.id


@pytest.mark.parametrize("profile", PROFILES)
def test_customers_and_orders_are_saved_read_and_found(
    process: SandboxProcess, transport: Transport, permit: Permit, profile: str
) -> None:
    process.reset(**SMALL, profile=profile)
    halo = _client(process, transport)
    client_id, user_id = _customer(halo, permit)
    ids = currency_ids(list_rows(halo, permit, CURRENCY))
    sent = [_order(1, client_id, ids["USD"])]
    outcome = match(sent, save_rows(halo, permit, ORDER, sent), ORDER.reference)
    assert outcome.clean
    order = read_row(halo, permit, ORDER, outcome.found["HL-1"].id)
    assert (order.total, order.tax_total) == (Decimal("11.00"), Decimal("1.01"))
    assert order.currency_code == ids["USD"]
    assert [line.baseprice for line in order.lines] == [Decimal("9.99")]
    wanted: list[tuple[Target, str, int]] = [
        ("order", "HL-1", order.id),
        ("client", "HL-acme", client_id),
        ("user", "ann@example.com", user_id),
    ]
    ways = [FindWay.SEARCH, FindWay.PAGES]
    if profile != "plain":
        ways.append(FindWay.SQL)
    for way in ways:
        for target, ref, row_id in wanted:
            found = _look_up(halo, permit, way, target, [ref, "HL-nothing"])
            assert [row.id for row in found.rows[ref]] == [row_id], (way, target)
            assert found.rows["HL-nothing"] == []
            assert found.unsure == frozenset(), (way, target)
    if profile != "plain":
        found = _look_up(halo, permit, FindWay.LINK, "order", ["HL-1"])
        assert [row.id for row in found.rows["HL-1"]] == [order.id]


@pytest.mark.parametrize(("profile", "saved"), [("generous", 5), ("plain", 1), ("awkward", 4)])
def test_what_a_tenant_saved_of_an_array_is_seen_in_its_answer(
    process: SandboxProcess, transport: Transport, permit: Permit, *, profile: str, saved: int
) -> None:
    process.reset(**SMALL, profile=profile)
    halo = _client(process, transport)
    client_id, _ = _customer(halo, permit)
    usd = currency_ids(list_rows(halo, permit, CURRENCY))["USD"]
    sent = [_order(at, client_id, usd) for at in range(1, 6)]
    outcome = match(sent, save_rows(halo, permit, ORDER, sent), ORDER.reference)
    assert len(outcome.found) == saved
    assert len(outcome.missing) == 5 - saved
    assert outcome.strangers == []
    found = _look_up(halo, permit, FindWay.SEARCH, "order", [o["po_number"] for o in sent])
    assert sorted(ref for ref, rows in found.rows.items() if not rows) == outcome.missing


def test_halos_words_and_field_reach_the_error(
    process: SandboxProcess, transport: Transport, permit: Permit
) -> None:
    process.reset(**SMALL)
    halo = _client(process, transport)
    with pytest.raises(Rejected) as rule:
        save_rows(halo, permit, ORDER, [{"po_number": "HL-1", "client_id": 999}])
    assert rule.value.text
    with pytest.raises(Rejected) as wrong_type:
        save_rows(halo, permit, ORDER, [{"po_number": "HL-1", "client_id": "x"}])
    assert wrong_type.value.field == "client_id"
    with pytest.raises(Rejected) as sql:
        run_sql(halo, permit, "SELECT nothing FROM ORDERHEAD")
    assert sql.value.field == "sql"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"client_secret": SecretStr("wrong")}, BadCredentials),
        ({"scope": "read:everything"}, MissingScope),
        ({"scope": "read:items"}, MissingScope),
        ({"tenant": "elsewhere"}, Refused),
    ],
)
def test_wrong_settings_are_refused(
    process: SandboxProcess,
    transport: Transport,
    permit: Permit,
    given: dict[str, Any],
    expected: type[Refused],
) -> None:
    process.reset(**SMALL)
    with pytest.raises(expected):
        read_row(_client(process, transport, **given), permit, CLIENT, 1)


def test_a_token_that_the_tenant_revoked_is_replaced_at_the_next_try(
    process: SandboxProcess, transport: Transport, permit: Permit
) -> None:
    process.reset(**SMALL)
    halo = _client(process, transport)
    list_rows(halo, permit, CURRENCY)
    process.post("/halo/expire_tokens", {})
    with pytest.raises(Again):
        list_rows(halo, permit, CURRENCY)
    sign_in(halo, permit)
    assert list_rows(halo, permit, CURRENCY)
