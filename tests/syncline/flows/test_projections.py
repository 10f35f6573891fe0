from __future__ import annotations

import json
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from syncline import jsontext
from syncline.flows.lines import lines_of, net_of
from syncline.flows.projections import differences, projection
from syncline.halo.lines import from_halo
from syncline.mapping.parsing import load
from syncline.mapping.shipped import default_document
from tests.canonical_orders import orders

DOCUMENT = load(default_document("detail"))


def body_of(canonical: dict[str, Any]) -> dict[str, Any]:
    return {
        "po_number": "HL-o1",
        "client_id": 7,
        "currency_code": 2,
        "lines": lines_of(canonical, DOCUMENT.orders),
        "note": "Status: paid\nSource: funnel",
    }


@given(orders(), st.randoms(use_true_random=False))
def test_a_body_equals_itself_after_binary_floats_and_in_another_order(
    canonical: dict[str, Any], chance: Any
) -> None:
    currency = canonical["currency"]
    body = body_of(canonical)
    wanted = projection(body, currency, DOCUMENT)
    halo = json.loads(json.dumps(json.loads(jsontext.dumps(body), parse_int=float)))
    chance.shuffle(halo["lines"])
    halo["lines"].append({"id": 5, "name": "Gone", "quantity": 0.0, "baseprice": 3.0, "tax": 0.0})
    halo["note"] = halo["note"].replace("\n", "\r\n")
    assert projection(halo, currency, DOCUMENT) == wanted
    assert differences(wanted, projection(halo, currency, DOCUMENT)) == []


@given(orders())
def test_lines_that_hide_their_quantity_are_compared_by_their_net(
    canonical: dict[str, Any],
) -> None:
    currency = canonical["currency"]
    body = body_of(canonical)
    assume(all(line["quantity"] == line["quantity"].to_integral_value() for line in body["lines"]))
    assume(all(line["baseprice"] for line in body["lines"]))
    hidden = [
        {
            "name": line["name"],
            "baseprice": line["baseprice"],
            "net_total": net_of(line, currency),
            "total_tax": line["tax"],
        }
        for line in body["lines"]
    ]
    row = from_halo({**body, "lines": hidden}, "order")
    wanted = projection(body, currency, DOCUMENT)
    assert differences(wanted, projection(row, currency, DOCUMENT)) == []
    row["lines"] += [{"name": "More", "baseprice": 3, "net_total": 6, "tax": 0}]
    assert {"total", "line More: 2 at 3, tax 0"} <= {
        one.field for one in differences(wanted, projection(row, currency, DOCUMENT))
    }


def test_a_free_line_that_hides_its_quantity_leaves_the_sums_to_tell() -> None:
    line = {"name": "Gift", "quantity": 2, "baseprice": 0, "tax": 1}
    wanted = projection({"lines": [line]}, "USD", DOCUMENT)
    shown = projection({"lines": [{**line, "quantity": None, "net_total": 0}]}, "USD", DOCUMENT)
    assert shown == {"total": "1.00", "tax_total": "1.00"}
    assert differences(wanted, shown, ("total", "tax_total")) == []


def test_halos_own_totals_count_where_it_gives_them() -> None:
    wanted = {"total": "10.00", "tax_total": "1.00"}
    row = {
        "total": 10.01,
        "tax_total": "1.0",
        "lines": [{"name": "A", "quantity": 1, "baseprice": 9, "tax": 1}],
    }
    found = differences(wanted, projection(row, "USD", DOCUMENT))
    assert found == [("total", "10.00", "10.01")]


def test_an_answer_without_the_amounts_proves_nothing() -> None:
    wanted = {"total": "10.00", "po_number": "HL-1", "note": "paid"}
    found = differences(wanted, projection({"id": 3, "po_number": "HL-1"}, "USD", DOCUMENT))
    assert found == [("total", "10.00", "")]


def test_another_customer_or_currency_is_a_difference() -> None:
    wanted = {"client_id": "7", "currency_code": "2"}
    got = projection({"client_id": "8", "currency_code": 1.0}, "USD", DOCUMENT)
    assert [one.field for one in differences(wanted, got)] == ["client_id", "currency_code"]


def test_a_changed_line_and_one_too_many_are_named() -> None:
    line = {"name": "Tea", "quantity": 2, "baseprice": 1, "tax": 0}
    wanted = projection({"lines": [line]}, "USD", DOCUMENT)
    got = projection({"lines": [line, line, {**line, "quantity": 1}]}, "USD", DOCUMENT)
    fields = [one.field for one in differences(wanted, got)]
    assert fields == ["total", "lines", "line Tea: 2 at 1, tax 0", "line Tea: 1 at 1, tax 0"]


def test_lines_that_were_not_answered_are_not_compared() -> None:
    wanted = projection(
        {"lines": [{"name": "Tea", "quantity": 2, "baseprice": 1}]}, "USD", DOCUMENT
    )
    assert differences(wanted, {"total": "2.00", "tax_total": "0.00"}) == []


def test_nonsense_from_halo_is_a_difference_and_no_crash() -> None:
    row = {
        "total": "much",
        "tax_total": "1e99999",
        "client_id": [],
        "lines": [{"quantity": "x"}, None, 3],
        "note": {"a": 1},
        "date": "never",
    }
    assert differences({"total": "1.00", "lines": "1"}, projection(row, "USD", DOCUMENT))
