from __future__ import annotations

from typing import Any

import pytest

from syncline.errors import Unmappable
from syncline.flows import orders
from syncline.flows.flow import Needs, TargetIds
from syncline.mapping.document import Document
from syncline.mapping.parsing import load
from syncline.mapping.shipped import default_document

ORDER: dict[str, Any] = {
    "id": "o1",
    "contact": {"id": "c1", "name": "Ada", "email": "ada@example.com"},
    "currency": "USD",
    "amount": "11.00",
    "tax": "1.00",
    "status": "completed",
    "live_mode": True,
    "source": {"type": "funnel", "name": "Shop"},
    "items": [{"key": "p1", "name": "Tea", "qty": "2", "unit_price": "5.00", "currency": "USD"}],
    "created_at": "2026-03-01T09:30:00.000Z",
    "updated_at": "2026-03-01T09:30:00.000Z",
}
CLIENT = Needs("customers", "email:ada@example.com", "client")
USER = Needs("customers", "email:ada@example.com", "user")
DETAIL = Needs("details", "o1", "detail")
IDS = {CLIENT: TargetIds(5, client_id=5, site_id=6), USER: TargetIds(9, client_id=5, site_id=7)}
CURRENCIES = {"USD": 1, "JPY": 4}


def mapping(style: str = "detail", **sections: Any) -> Document:
    return load(default_document("summary" if style == "summary" else "detail", sections))


def roles(requested: list[Any]) -> list[str]:
    return [one.role for one in requested]


def test_an_order_owes_its_customer_its_detail_and_itself() -> None:
    requested = orders.delivery_requests(ORDER, mapping())
    assert roles(requested) == ["client", "user", "detail", "order"]
    assert requested[2].target == "highlevel.order"


def test_a_detail_that_was_just_read_is_not_owed_again() -> None:
    requested = orders.delivery_requests(ORDER, mapping(), detail_is_fresh=True)
    assert roles(requested) == ["client", "user", "order"]


def test_a_summary_order_reads_no_detail() -> None:
    listed = {key: value for key, value in ORDER.items() if key != "items"}
    assert roles(orders.delivery_requests(listed, mapping("summary"))) == [
        "client",
        "user",
        "order",
    ]
    assert orders.needs(listed, mapping("summary")) == [CLIENT, USER]
    assert orders.needs(listed, mapping()) == [CLIENT, USER, DETAIL]


def test_an_order_waits_for_its_newest_detail_even_when_it_has_items() -> None:
    assert orders.needs(ORDER, mapping()) == [CLIENT, USER, DETAIL]


def test_a_test_mode_order_owes_nothing_unless_the_mapping_includes_it() -> None:
    test_order = {**ORDER, "live_mode": False}
    assert orders.delivery_requests(test_order, mapping()) == []
    assert orders.delivery_requests(test_order, mapping(orders={"test_mode": "include"}))


def test_an_order_becomes_a_sales_order_of_its_customer() -> None:
    desired = orders.render(ORDER, mapping(), IDS, CURRENCIES)
    created = desired.for_create()
    assert created["po_number"] == created["new_external_link"]["third_party_id"] == "HL-o1"
    assert (created["client_id"], created["site_id"], created["user_id"]) == (5, 7, 9)
    assert created["currency_code"] == 1
    assert created["date"] == "2026-03-01T09:30:00Z"
    assert created["_dont_fire_automations"] is True
    assert desired.projection["total"] == "11.00"
    assert desired.projection["tax_total"] == "1.00"


def test_an_update_names_the_row_and_makes_no_second_link() -> None:
    updated = orders.render(ORDER, mapping(), IDS, CURRENCIES).for_update(77)
    assert updated["id"] == 77
    assert "new_external_link" not in updated


def test_a_new_status_changes_what_is_wanted() -> None:
    before = orders.render(ORDER, mapping(), IDS, CURRENCIES)
    after = orders.render({**ORDER, "status": "refunded"}, mapping(), IDS, CURRENCIES)
    assert before.projection != after.projection
    assert "refunded" in after.body["note"]


def test_an_equal_order_is_rendered_equally() -> None:
    again = {**ORDER, "updated_at": "2026-04-01T00:00:00.000Z"}
    assert (
        orders.render(ORDER, mapping(), IDS, CURRENCIES).projection
        == orders.render(again, mapping(), IDS, CURRENCIES).projection
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"currency": "CHF"}, "currency_code"),
        ({"currency": None}, "currency_code"),
        ({"contact": {}}, "client_id"),
        ({"contact": {"email": "other@example.com"}}, "client_id"),
        ({"amount": "99.00", "discount": "0.00", "shipping": "0.00"}, "lines"),
        ({"amount": None}, "total"),
        ({"created_at": None}, "date"),
    ],
)
def test_an_order_that_cannot_be_rendered_names_the_field(
    change: dict[str, Any], field: str
) -> None:
    with pytest.raises(Unmappable) as raised:
        orders.render({**ORDER, **change}, mapping(), IDS, CURRENCIES)
    assert raised.value.field == field


def test_an_order_without_email_goes_to_the_default_client_or_is_parked() -> None:
    anonymous = {**ORDER, "contact": {"id": "c1"}}
    default = mapping(
        customers={"without_email": "default-client", "default_client": 12, "default_site": 13}
    )
    body = orders.render(anonymous, default, {}, CURRENCIES).body
    assert (body["client_id"], body["site_id"]) == (12, 13)
    assert orders.needs(anonymous, default) == [DETAIL]
    with pytest.raises(Unmappable):
        orders.render(anonymous, mapping(customers={"without_email": "park"}), {}, CURRENCIES)


def test_custom_fields_of_both_owners_go_into_the_create() -> None:
    text = (
        '[[orders.field]]\ntarget = "customfields.CFa"\nsource = "status"\n'
        '[[orders.field]]\ntarget = "customfields.CFb"\nsource = "id"\nowner = "halo"\n'
    )
    desired = orders.render(ORDER, load(text), IDS, CURRENCIES)
    assert [one["name"] for one in desired.for_create()["customfields"]] == ["CFa", "CFb"]
    assert [one["name"] for one in desired.for_update(1)["customfields"]] == ["CFa"]
