from __future__ import annotations

import itertools
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline import jsontext
from syncline.errors import Unreadable
from syncline.highlevel import canonical
from syncline.highlevel.canonical import normalised_email
from syncline.highlevel.merging import merge
from tests.syncline.highlevel.location import DETAIL, ORDER_ROW, TIMES


def test_a_list_row_tells_everything_but_lines_tax_and_phone() -> None:
    assert canonical.order_from_list(ORDER_ROW) == {
        "id": "653f5e0cde5a1314e62a837c",
        "contact": {
            "id": "XPLSw2SVagl12LMDeTmQ",
            "name": "James Bond",
            "email": "james.bond@example.com",
        },
        "currency": "USD",
        "amount": "100.50",
        "subtotal": "110.00",
        "discount": "9.50",
        "status": "completed",
        "fulfillment_status": "unfulfilled",
        "live_mode": False,
        "source": {
            "type": "funnel",
            "sub_type": "one_step_order_form",
            "name": "onestep",
            "id": "kDj7BHej9Zyyq3QakJmz",
        },
        "coupon": "FEST10",
        "created_at": "2023-11-20T10:23:36.515Z",
        "updated_at": "2024-01-23T09:57:04.846Z",
    }


def test_a_detail_tells_the_lines_the_amounts_and_the_whole_contact() -> None:
    form = canonical.order_from_detail(DETAIL)
    assert form["contact"] == {
        "id": "XPLSw2SVagl12LMDeTmQ",
        "name": "James Bond",
        "email": "james.bond@example.com",
        "phone": "+441234567",
        "company": "Universal Exports",
    }
    amounts = ("amount", "subtotal", "discount", "tax", "shipping")
    assert [form[key] for key in amounts] == ["100.50", "110.00", "20.00", "5.50", "5.00"]
    assert form["source"] == {"type": "funnel", "sub_type": "upsell", "name": "Spring", "id": "f1"}
    assert form["items"] == [
        {
            "key": "p1",
            "name": "Mug",
            "price_id": "p1",
            "qty": "2",
            "unit_price": "50.00",
            "amount": "100.00",
            "currency": "USD",
        },
        {
            "key": "p1#2",
            "name": "Lid",
            "product_id": "d1",
            "price_id": "p1",
            "sku": "LID-1",
            "qty": "1",
            "unit_price": "10.00",
            "amount": "10.00",
            "currency": "USD",
        },
        {"key": "d2", "name": "Gift", "product_id": "d2", "currency": "USD"},
    ]


def test_an_event_reads_like_a_detail() -> None:
    event = {
        **DETAIL,
        "type": "OrderCreate",
        "contactSnapshot": {"id": "c9", "firstName": "Ada", "companyName": "Engines"},
        "amountSummary": {"subtotal": 90},
        "taxSummary": [{"amount": 10}, {"amount": "0.5"}],
    }
    del event["contactId"]
    form = canonical.order_from_detail(event)
    assert form["contact"] == {"id": "c9", "name": "Ada", "company": "Engines"}
    assert form["tax"] == "10.50"


def test_what_a_facet_does_not_tell_is_absent_and_not_null() -> None:
    form = canonical.order_from_detail({"_id": "a1", "createdAt": TIMES["createdAt"]})
    assert form == {
        "id": "a1",
        "created_at": TIMES["createdAt"],
        "updated_at": TIMES["createdAt"],
    }


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("1700", "JPY", "1700"),
        ("1700.0", "jpy", "1700"),
        ("12.5", "KWD", "12.500"),
        (Decimal("0.30000000000000004"), "USD", "0.30"),
        (Decimal("-5.6E-17"), "USD", "0.00"),
        (Decimal("10.005"), "USD", "10.005"),
        ("100.10", None, "100.1"),
        ("1E+3", None, "1000"),
    ],
)
def test_an_amount_has_its_currencys_digits_and_loses_none_that_count(
    amount: Any, currency: str | None, shown: str
) -> None:
    row = {**ORDER_ROW, "amount": amount, "currency": currency}
    assert canonical.order_from_list(row)["amount"] == shown


def test_the_largest_amounts_that_are_read_can_be_written() -> None:
    item = {"qty": 10**9, "price": {"_id": "p", "amount": 10**15}}
    form = canonical.order_from_detail({**DETAIL, "currency": "KWD", "items": [item]})
    assert form["items"][0]["amount"] == f"{10**24}.000"


def test_what_is_indispensable_is_unreadable_as_nonsense() -> None:
    with pytest.raises(Unreadable, match="amount"):
        canonical.order_from_list({**ORDER_ROW, "amount": "much"})


def test_an_item_tells_its_taxes_and_an_empty_list_says_that_it_bears_none() -> None:
    taxes = [
        {"name": "10%", "rate": "10", "calculation": "exclusive"},
        {"rate": 2.5},
        {"name": "in it", "rate": 5, "calculation": "inclusive"},
        {"name": "broken", "rate": "ten"},
    ]
    products: list[Any] = [{"taxes": taxes}, {"taxes": []}, {}, None]
    form = canonical.order_from_detail({**DETAIL, "items": [{"product": one} for one in products]})
    assert [item.get("taxes") for item in form["items"]] == [
        [{"name": "10%", "rate": "10"}, {"rate": "2.5"}, {"name": "broken"}],
        [],
        None,
        None,
    ]


def test_a_transaction_reads_the_same_from_both_facets() -> None:
    listed = canonical.transaction_from_list(
        {
            **{key: ORDER_ROW[key] for key in ("_id", "contactId", "currency", "amount")},
            "contactName": "James Bond",
            "status": "succeeded",
            "entityType": "order",
            "entityId": "o1",
            "entitySourceType": "funnel",
            "entitySourceSubType": "upsell",
            "entitySourceId": "f1",
            "chargeId": "ch_1",
            "amountRefunded": "10",
            "paymentProviderType": "stripe",
            "fulfilledAt": "2023-11-20T10:27:36.515Z",
            **TIMES,
        }
    )
    single = canonical.transaction_from_detail(
        {
            **{key: ORDER_ROW[key] for key in ("_id", "contactId", "currency", "amount")},
            "status": "succeeded",
            "contactSnapshot": {"name": "James Bond"},
            "entityType": "order",
            "entityId": "o1",
            "entitySource": {"type": "funnel", "subType": "upsell", "id": "f1"},
            "chargeId": "ch_1",
            "amountRefunded": 10,
            "paymentProvider": {"type": "stripe"},
            "invoiceId": "inv1",
            **TIMES,
        }
    )
    assert listed.pop("fulfilled_at") == "2023-11-20T10:27:36.515Z"
    assert single.pop("invoice_id") == "inv1"
    assert listed == single
    assert listed["amount_refunded"] == "10.00"


def test_a_subscription_tells_its_provider_its_schedule_and_its_end() -> None:
    base = {**TIMES, "_id": "s1", "currency": "JPY", "amount": "500", "subscriptionId": "sub_1"}
    listed = canonical.subscription_from_list({**base, "entitySourceType": "funnel"})
    assert listed["provider_subscription_id"] == "sub_1"
    assert listed["amount"] == "500"
    single = canonical.subscription_from_detail(
        {
            **base,
            "coupon": {"code": "FREE100"},
            "schedule": {"rrule": {"intervalType": "monthly", "interval": "2"}},
            "recurringProduct": {"name": "Sofa Set"},
            "canceledAt": "2024-01-01T00:00:00.000Z",
        }
    )
    assert single["schedule"] == {"interval_type": "monthly", "interval": 2}
    assert single["product"] == "Sofa Set"
    assert single["coupon"] == "FREE100"
    assert single["canceled_at"] == "2024-01-01T00:00:00.000Z"


OLD, NEW = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)


def test_the_newest_facet_wins_and_the_others_fill_in() -> None:
    assert merge(
        {
            "detail": (OLD, {"status": "pending", "tax": "1.00", "contact": {"phone": "1"}}),
            "list": (NEW, {"status": "completed", "contact": {"name": "Ada"}}),
        }
    ) == {"status": "completed", "tax": "1.00", "contact": {"phone": "1", "name": "Ada"}}


def test_how_an_amount_comes_about_is_taken_from_who_tells_this_amount() -> None:
    event = {"amount": "150.10", "tax": "12.10", "shipping": "0.00", "items": []}
    told = {"amount": "150.1", "discount": "0.00"}
    assert merge({"event": (OLD, event), "detail": (NEW, told)}) == {**event, **told}
    other = {**told, "amount": "160.00"}
    assert merge({"event": (OLD, event), "detail": (NEW, other)}) == {**other, "items": []}


def test_on_a_tie_the_richer_facet_wins() -> None:
    facets = {name: (NEW, {"name": name}) for name in ("detail", "list", "event")}
    assert merge(facets) == {"name": "detail"}
    del facets["detail"]
    assert merge(facets) == {"name": "event"}


def test_a_facet_without_a_time_is_the_oldest() -> None:
    assert merge({"detail": (None, {"a": 1}), "list": (OLD, {"a": 2})}) == {"a": 2}


def test_nobody_gets_the_phone_number_of_another_contact() -> None:
    assert merge(
        {
            "detail": (OLD, {"contact": {"id": "a", "name": "Ada", "phone": "1"}}),
            "list": (NEW, {"contact": {"id": "b", "name": "Bob"}}),
        }
    ) == {"contact": {"id": "b", "name": "Bob"}}


partials = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from("ab"),
        "tax": st.sampled_from("12"),
        "contact": st.fixed_dictionaries(
            {}, optional={"id": st.sampled_from("xy"), "phone": st.sampled_from("12")}
        ),
    },
)


@given(
    st.dictionaries(
        st.sampled_from(["list", "event", "detail", "other"]),
        st.tuples(st.sampled_from([None, OLD, NEW]), partials),
    )
)
def test_the_order_in_which_facets_are_given_does_not_matter(
    facets: dict[str, tuple[datetime | None, dict[str, Any]]],
) -> None:
    before = jsontext.canonical({name: partial for name, (_, partial) in facets.items()})
    forms = [merge(dict(order)) for order in itertools.permutations(facets.items())]
    assert all(form == forms[0] for form in forms)
    told = {key for _, partial in facets.values() for key in partial}
    assert set(forms[0]) <= told
    assert told - {"contact"} <= set(forms[0])
    assert before == jsontext.canonical({name: partial for name, (_, partial) in facets.items()})


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" Ada@Example.COM\n", "ada@example.com"),
        ("zoe\u0308@example.com", "zo\u00eb@example.com"),
        ("ada", None),
        ("ada@", None),
        ("@example.com", None),
        ("a@b@c", None),
        ("a@x.com, b", None),
        ("Ada <ada@example.com>", None),
        ("ada\x00@example.com", None),
        ("", None),
        (None, None),
    ],
)
def test_an_email_has_one_form_or_none(text: str | None, address: str | None) -> None:
    assert normalised_email(text) == address


@given(st.builds("{}@{}".format, st.text(min_size=1), st.text(min_size=1)))
def test_a_normalised_email_stays_as_it_is(text: str) -> None:
    once = normalised_email(text)
    assert once is None or normalised_email(once) == once
