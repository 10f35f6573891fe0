from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.errors import Absent, Doubtful, Unreadable
from syncline.halo.client import HaloClient
from syncline.halo.entities.currencies import currency_ids
from syncline.halo.entities.resources import CLIENT, CURRENCY, ORDER, USER
from syncline.halo.entities.rows import (
    delete_row,
    list_rows,
    next_page,
    read_row,
    save_rows,
    walk_of,
)
from syncline.halo.matching import match
from syncline.halo.models import ClientRow, CurrencyRow, HaloOrderRow, HaloRow, UserRow
from syncline.transport import Permit
from tests.syncline.halo.conftest import HaloServer


def test_saved_orders_are_read_leniently(
    server: HaloServer, client: HaloClient, permit: Permit
) -> None:
    answer = {
        "id": "7",
        "po_number": "HL-1",
        "site_id": Decimal("12.0"),
        "client_id": "n/a",
        "total": "10.50",
        "tax_total": True,
        "accountsref": None,
        "lines": [{"name": None, "quantity": 2}, "odd"],
        "_warning": "The total was computed.",
        "never_seen": {},
    }
    server.on("POST /api/SalesOrder", lambda _: (201, answer))
    (row,) = save_rows(client, permit, ORDER, [{"po_number": "HL-1"}])
    assert (row.id, row.site_id, row.client_id, row.total) == (7, 12, None, Decimal("10.50"))
    assert (row.tax_total, row.accountsref, row.warning) == (None, "", "The total was computed.")
    assert [line.quantity for line in row.lines] == [2]
    assert row.raw["never_seen"] == {}


@pytest.mark.parametrize("answer", [["text"], "saved", [{"id": None}], [{}]])
def test_a_success_that_cannot_be_read_is_doubtful(
    server: HaloServer, client: HaloClient, permit: Permit, answer: Any
) -> None:
    server.on("POST /api/SalesOrder", lambda _: (200, answer))
    with pytest.raises(Doubtful, match="looked up"):
        save_rows(client, permit, ORDER, [{"po_number": "HL-1"}])


def test_one_order_is_read_with_its_details_and_removed(
    server: HaloServer, client: HaloClient, permit: Permit
) -> None:
    server.on("GET /api/SalesOrder/7", lambda _: (200, {"id": 7, "lines": [{"id": 1}]}))
    server.on("GET /api/SalesOrder/8", lambda _: (200, []))
    server.on("DELETE /api/SalesOrder/7", lambda _: (200, b""))
    assert read_row(client, permit, ORDER, 7).lines[0].id == 1
    assert server.to("/api/SalesOrder/7")[0].query == {"includedetails": "true"}
    delete_row(client, permit, ORDER, 7)
    with pytest.raises(Absent):
        delete_row(client, permit, ORDER, 9)
    with pytest.raises(Unreadable):
        read_row(client, permit, ORDER, 8)


def test_clients_and_users_are_saved_and_listed(
    server: HaloServer, client: HaloClient, permit: Permit
) -> None:
    server.on("POST /api/Client", lambda _: (200, [{"id": 1, "ref": "HL-a", "main_site_id": 4}]))
    server.on("POST /api/Users", lambda _: (200, {"id": 2, "emailaddress": "a@b.c"}))
    server.on("GET /api/Client", lambda _: (200, {"record_count": 1, "clients": [{"id": 1}]}))
    server.on("GET /api/Client/1", lambda _: (200, {"id": 1, "main_site_id": 4, "inactive": 0}))
    server.on("GET /api/Client/2", lambda _: (200, []))
    server.on("GET /api/Users", lambda _: (200, {"record_count": 1, "users": [{"id": 2}]}))
    assert save_rows(client, permit, CLIENT, [{}])[0].main_site_id == 4
    assert save_rows(client, permit, USER, [{}])[0].emailaddress == "a@b.c"
    assert read_row(client, permit, CLIENT, 1).main_site_id == 4
    clients, users = walk_of(CLIENT), walk_of(USER)
    assert [row.id for row in next_page(client, permit, CLIENT, clients)] == [1]
    assert [row.id for row in next_page(client, permit, USER, users)] == [2]
    assert clients.complete
    assert users.complete
    assert next_page(client, permit, CLIENT, clients) == []
    assert next_page(client, permit, USER, users) == []
    with pytest.raises(Unreadable):
        read_row(client, permit, CLIENT, 2)


def test_currencies_are_known_by_their_iso_code(
    server: HaloServer, client: HaloClient, permit: Permit
) -> None:
    rows = [
        {"id": 1, "code": "usd", "name": "US Dollar"},
        {"id": 2, "code": None, "name": "EUR"},
        {"id": 3, "code": "USD", "name": "Dollar again"},
        {"id": 4, "code": "£", "name": "Pound"},
    ]
    server.on("GET /api/Currency", lambda _: (200, rows))
    assert currency_ids(list_rows(client, permit, CURRENCY)) == {"USD": 1, "EUR": 2}


def _orders(*pairs: tuple[int, str]) -> list[HaloOrderRow]:
    return [HaloOrderRow.of({"id": id_, "po_number": ref}) for id_, ref in pairs]


def test_rows_are_matched_by_reference_in_any_order() -> None:
    sent = [{"po_number": f"HL-{at}"} for at in range(4)]
    outcome = match(sent, _orders((3, "HL-3"), (0, "HL-0"), (9, "HL-9"), (8, "")), "po_number")
    assert {ref: row.id for ref, row in outcome.found.items()} == {"HL-3": 3, "HL-0": 0}
    assert outcome.missing == ["HL-1", "HL-2"]
    assert [row.id for row in outcome.strangers] == [9, 8]
    assert not outcome.clean


def test_two_rows_for_one_reference_are_doubled_and_the_same_row_twice_is_not() -> None:
    sent = [{"po_number": "HL-1"}, {"po_number": "HL-2"}]
    rows = _orders((1, "HL-1"), (2, "HL-1"), (3, "HL-2"), (3, "HL-2"))
    outcome = match(sent, rows, "po_number")
    assert outcome.doubled == ["HL-1"]
    assert list(outcome.found) == ["HL-2"]


def test_an_update_that_comes_back_under_another_id_is_a_stranger() -> None:
    outcome = match([{"id": 5, "po_number": "HL-1"}], _orders((6, "HL-1")), "po_number")
    assert outcome.missing == ["HL-1"]
    assert [row.id for row in outcome.strangers] == [6]


def test_users_match_by_e_mail_whatever_its_case() -> None:
    row = UserRow.of({"id": 1, "emailaddress": "Ann@Example.com"})
    outcome = match([{"emailaddress": "ann@example.com"}], [row], "emailaddress")
    assert outcome.clean
    assert outcome.found["ann@example.com"] is row


@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from("abcde ")), max_size=12))
def test_every_reference_ends_in_exactly_one_place(rows: list[tuple[int, str]]) -> None:
    sent = [{"po_number": ref} for ref in "abc"]
    outcome = match(sent, _orders(*rows), "po_number")
    assert sorted([*outcome.found, *outcome.missing, *outcome.doubled]) == ["a", "b", "c"]


_odd = st.none() | st.booleans() | st.integers() | st.text() | st.decimals() | st.lists(st.text())


@given(
    model=st.sampled_from([HaloOrderRow, ClientRow, UserRow, CurrencyRow]),
    row=st.dictionaries(
        st.sampled_from(["site_id", "name", "total", "lines", "inactive", "_warning", "raw"]), _odd
    ),
)
def test_any_row_with_an_id_can_be_read(model: type[HaloRow], row: dict[str, Any]) -> None:
    assert model.of({**row, "id": 1}).id == 1


@pytest.mark.parametrize("bad", [None, "x", True, Decimal("1.5"), Decimal("1e999999")])
def test_a_row_without_an_id_is_unreadable(bad: Any) -> None:
    with pytest.raises(Unreadable, match="id"):
        HaloOrderRow.of({"id": bad})
