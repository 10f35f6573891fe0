from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.syncline.sandbox.money_rows import effects, invoice, payment, template
from tests.syncline.sandbox.tenant_calls import JPY, KWD, order, tenant

PROFILES = ["generous", "plain", "awkward"]


@pytest.mark.parametrize("profile", PROFILES)
def test_an_invoice_is_answered_whole_with_what_halo_worked_out(profile: str) -> None:
    halo = tenant(profile)
    client, _ = halo.customer()
    sold = halo.made("SalesOrder", order("HL-1", client["id"]))
    row = halo.made("Invoice", invoice("HL-1", client["id"], salesorder_id=sold["id"]))
    assert (row["revenue"], row["tax_total"], row["total"]) == (10.0, 2.0, 12.0)
    assert (row["amountpaid"], row["amountdue"], row["datepaid"]) == (0.0, 12.0, None)
    assert (row["sitenumber"], row["client_name"]) == (client["main_site_id"], "ada@example.com")
    assert (row["currency_code_name"], row["currency_conversion_rate"]) == ("USD", 1.0)
    assert row["invoicenumber"]
    assert row["lines"][0]["total_price"] == 12.0
    shown = halo.get(f"Invoice/{row['id']}", includedetails="true")
    assert shown["lines"] == row["lines"]
    assert halo.get("Invoice", salesorder_id=str(sold["id"]))["record_count"] == 1
    assert effects(halo) == []


@pytest.mark.parametrize("path", ["Invoice", "RecurringInvoice"])
@pytest.mark.parametrize(
    "fields",
    [
        {"client_id": 99},
        {"currency_code": 99},
        {"salesorder_id": 99},
        {"creditlinkedtoinvoiceid": 99},
        {"sitenumber": 99},
        {"id": 99},
    ],
)
def test_an_invoice_that_points_nowhere_is_refused(path: str, fields: dict[str, int]) -> None:
    reply = tenant().post(path, {**invoice("HL-1"), **fields})
    assert (reply.status, type(reply.body)) == (400, str)


def test_a_site_of_another_client_is_refused_and_a_moved_invoice_gets_the_new_main_site() -> None:
    halo = tenant()
    client, _ = halo.customer()
    assert halo.post("Invoice", invoice("HL-1", sitenumber=client["main_site_id"])).status == 400
    row = halo.made("Invoice", invoice("HL-1"))
    moved = halo.made("Invoice", {"id": row["id"], "client_id": client["id"]})
    assert moved["sitenumber"] == client["main_site_id"]


def test_an_update_leaves_what_was_not_posted_and_stamps_the_row() -> None:
    halo = tenant()
    row = halo.made("Invoice", invoice("HL-1", notes_1="first"))
    halo.pass_time(1)
    again = halo.made("Invoice", {"id": row["id"], "reference": "R", "invoicenumber": "mine"})
    assert (again["notes_1"], again["reference"], again["total"]) == ("first", "R", 12.0)
    assert again["invoicenumber"] == row["invoicenumber"]
    assert again["last_modified"] > row["last_modified"]
    assert len(halo.halo.invoices) == 1


@pytest.mark.parametrize(("profile", "left"), [("generous", 1), ("plain", 1), ("awkward", 2)])
def test_posted_invoice_lines_replace_the_set_or_are_merged_by_id(profile: str, left: int) -> None:
    halo = tenant(profile)
    lines = [{"item_shortdescription": name, "unit_price": 5} for name in ("a", "b")]
    row = halo.made("Invoice", invoice("HL-1", lines=lines))
    kept = {"id": row["lines"][1]["id"], "unit_price": 7}
    again = halo.made("Invoice", {"id": row["id"], "lines": [kept]})
    assert [line["item_shortdescription"] for line in again["lines"]][-left:] == ["a", "b"][-left:]
    assert again["total"] == 7.0 + 5.0 * (left - 1)


def test_posted_figures_of_an_invoice_are_overruled_with_a_warning() -> None:
    halo = tenant()
    line = {"unit_price": 10, "net_amount": 11}
    row = halo.made("Invoice", invoice("HL-1", total=99.5, amountdue=0, lines=[line]))
    assert (row["total"], row["amountdue"]) == (10.0, 10.0)
    assert "99.5" in row["_warning"]
    assert "net_amount 11" in row["_warning"]
    assert "_warning" not in halo.made("Invoice", {"id": row["id"], "total": 10})


@pytest.mark.parametrize(("currency", "total"), [(JPY, 4001.0), (KWD, 4000.5), (1, 4000.5)])
def test_an_invoice_line_is_rounded_to_the_currency(currency: int, total: float) -> None:
    lines = [{"qty_order": 2, "unit_price": 2000.25}]
    row = tenant().made("Invoice", invoice("HL-1", currency_code=currency, lines=lines))
    assert row["total"] == total


amounts = st.decimals(-9999, 9999, places=2, allow_nan=False)


@given(st.lists(st.tuples(st.integers(1, 9), amounts, amounts), max_size=5), st.lists(amounts))
def test_totals_are_the_exact_sums_of_lines_and_payments(
    lines: list[tuple[int, Decimal, Decimal]], paid: list[Decimal]
) -> None:
    halo = tenant()
    posted = [
        {"qty_order": count, "unit_price": float(price), "tax_amount": float(tax)}
        for count, price, tax in lines
    ]
    row = halo.made("Invoice", invoice("HL-1", lines=posted, mark_credit_as_used=True))
    for n, amount in enumerate(paid):
        halo.made("InvoicePayment", payment(f"HL-{n}", row["id"], float(amount)))
    total = sum((count * price + tax for count, price, tax in lines), Decimal(0))
    shown = halo.get(f"Invoice/{row['id']}", includedetails="true")
    received = sum(paid, Decimal(0))
    assert Decimal(str(shown["total"])) == total
    assert Decimal(str(shown["amountpaid"])) == received
    assert Decimal(str(shown["amountdue"])) == max(total, Decimal(0)) - received
    assert len(shown["payments"]) == len(paid)


def test_an_invoice_follows_its_payments() -> None:
    halo = tenant()
    row = halo.made("Invoice", invoice("HL-1"))
    first = halo.made("InvoicePayment", payment("HL-t1", row["id"], 5))
    part = halo.get(f"Invoice/{row['id']}")
    assert (part["amountpaid"], part["amountdue"], part["datepaid"]) == (5.0, 7.0, None)
    second = payment("HL-t2", row["id"], 9.5, date="2026-02-01T10:00:00")
    halo.made("InvoicePayment", second)
    over = halo.get(f"Invoice/{row['id']}")
    assert (over["amountdue"], over["datepaid"]) == (-2.5, first["date"])
    assert over["paymentstatus"] > part["paymentstatus"] > row["paymentstatus"]
    halo.made("InvoicePayment", {"id": first["id"], "amount": 2.5})
    assert halo.get(f"Invoice/{row['id']}")["amountdue"] == 0.0
    assert halo.send("DELETE", f"/api/InvoicePayment/{first['id']}").status == 200
    assert halo.get(f"Invoice/{row['id']}")["amountdue"] == 2.5


def test_a_payment_that_moves_leaves_the_other_invoice_due() -> None:
    halo = tenant()
    client, _ = halo.customer()
    wrong, right = (halo.made("Invoice", invoice("HL-1", one)) for one in (1, client["id"]))
    paid = halo.made("InvoicePayment", payment("HL-t", wrong["id"], 12, client_id=1))
    moved = halo.made("InvoicePayment", {"id": paid["id"], "invoice_id": right["id"]})
    assert (moved["client_id"], moved["amount"]) == (client["id"], 12.0)
    due = [halo.get(f"Invoice/{row['id']}")["amountdue"] for row in (wrong, right)]
    assert due == [12.0, 0.0]


@pytest.mark.parametrize("fields", [{"invoice_id": 9}, {"amount": None}, {"id": 9}])
def test_a_payment_of_nothing_is_refused(fields: dict[str, Any]) -> None:
    halo = tenant()
    row = halo.made("Invoice", invoice("HL-1"))
    reply = halo.post("InvoicePayment", {**payment("HL-t", row["id"], 5), **fields})
    assert (reply.status, type(reply.body)) == (400, str)


def test_a_payment_keeps_neither_links_nor_custom_fields() -> None:
    halo = tenant()
    row = halo.made("Invoice", invoice("HL-1"))
    more = {"new_external_link": {"third_party_id": "HL-t"}, "customfields": [{"name": "x"}]}
    paid = halo.made("InvoicePayment", payment("HL-t", row["id"], 5, **more))
    assert not {"customfields", "external_links", "new_external_link"} & set(paid)
    assert halo.get("ExternalLink", third_party_id="HL-t")["links"] == []


@pytest.mark.parametrize(("used", "figures"), [(True, (0.0, 4.0, 0.0)), (False, (4.0, 0.0, -4.0))])
def test_a_credit_stands_open_unless_it_is_marked_as_used(
    used: bool, figures: tuple[float, float, float]
) -> None:
    halo = tenant()
    row = halo.made("Invoice", invoice("HL-1"))
    minus: dict[str, Any] = {"mark_credit_as_used": used, "lines": [{"unit_price": -4}]}
    credit = halo.made("Invoice", invoice("HL-t-R4", creditlinkedtoinvoiceid=row["id"], **minus))
    got = (credit["credit_outstanding"], credit["credit_used"], credit["amountdue"])
    assert got == figures
    assert halo.get(f"Invoice/{row['id']}")["amountdue"] == 12.0


def test_a_list_shows_credits_only_when_they_are_asked_for() -> None:
    halo = tenant()
    row = halo.made("Invoice", invoice("HL-1"))
    minus: dict[str, Any] = {"creditlinkedtoinvoiceid": row["id"], "lines": [{"unit_price": -4}]}
    credit = halo.made("Invoice", invoice("HL-t-R4", **minus))

    def ids(**query: str) -> list[int]:
        return [one["id"] for one in halo.get("Invoice", **query)["invoices"]]

    assert ids() == [row["id"]]
    assert ids(includecredits="true") == [row["id"], credit["id"]]
    assert ids(includecredits="true", includeinvoices="false") == [credit["id"]]
    assert ids(search="hl-t-r4") == []


@pytest.mark.parametrize("path", ["Invoice", "RecurringInvoice"])
@pytest.mark.parametrize(("profile", "count"), [("generous", 1), ("plain", 1), ("awkward", 3)])
def test_invoices_are_searched_by_reference_where_orders_are(
    path: str, profile: str, count: int
) -> None:
    halo = tenant(profile)
    for n in range(3):
        halo.made(path, invoice(f"HL-{n}", disabled=True))
    halo.get(path, search="HL-9")
    halo.made(path, {"id": next(iter(halo.get(path)["invoices"]))["id"], "reference": "Changed"})
    assert halo.get(path, search="hl-2")["record_count"] == count
    assert halo.get(path, search="changed")["record_count"] == count
    assert halo.get(path, search="changed", client_id="1")["record_count"] == count


def test_payments_are_found_by_intent_and_by_invoice_and_unknown_filters_are_ignored() -> None:
    halo = tenant("awkward")
    row = halo.made("Invoice", invoice("HL-1"))
    other = halo.made("Invoice", invoice("HL-2"))
    for n, one in enumerate([row, row, other]):
        halo.made("InvoicePayment", payment(f"HL-t{n}", one["id"], 1))

    def count(**query: str) -> int:
        found: int = halo.get("InvoicePayment", **query)["record_count"]
        return found

    assert count(intent_id="hl-T2") == 1
    assert count(invoice_id=str(row["id"])) == 2
    assert count(invoice_id=str(row["id"]), intent_id="HL-t1") == 1
    assert count(invoice_id=str(row["id"]), intent_id="HL-t2") == 0
    assert count(search="hl-t1") == 1
    assert count(thirdpartyid="HL-t1") == 3
    removed = halo.get("InvoicePayment", intent_id="HL-t2")["invoicepayments"][0]["id"]
    halo.send("DELETE", f"/api/InvoicePayment/{removed}")
    assert count(intent_id="HL-t2") == 0
    assert count(search="hl-t2") == 0


def test_an_awkward_tenant_does_not_page_recurring_invoices() -> None:
    halo = tenant("awkward")
    for n in range(3):
        halo.made("RecurringInvoice", invoice(f"HL-{n}", disabled=True))
    page = halo.get("RecurringInvoice", pageinate="true", page_size="2", page_no="2")
    assert [row["thirdpartyinvoicenumber"] for row in page["invoices"]] == ["HL-0", "HL-1"]


def test_an_awkward_tenant_saves_part_of_an_array_of_payments_and_answers_out_of_order() -> None:
    halo = tenant("awkward")
    row = halo.made("Invoice", invoice("HL-1"))
    reply = halo.post("InvoicePayment", *(payment(f"HL-{n}", row["id"], 1) for n in range(5)))
    assert [one["intent_id"] for one in reply.body] == ["HL-4", "HL-3", "HL-1", "HL-0"]


def test_links_of_both_kinds_of_invoice_stand_under_one_table_and_come_late() -> None:
    halo = tenant("awkward", link_delay=5)
    for path in ("Invoice", "RecurringInvoice"):
        link = {"third_party_id": f"HL-{path}", "third_party_type": "syncline"}
        halo.made(path, invoice("HL-1", disabled=True, new_external_link=link))
    assert halo.get("ExternalLink", table_id="995")["record_count"] == 0
    halo.pass_time(5)
    links = halo.get("ExternalLink", table_id="995")["links"]
    assert len({link["halo_id"] for link in links}) == 2
    by_hand = {"table_id": 995, "halo_id": links[0]["halo_id"], "third_party_id": "HL-2"}
    halo.made("ExternalLink", by_hand)
    assert halo.post("ExternalLink", {**by_hand, "halo_id": 1}).status == 400


def test_an_invoice_in_use_cannot_be_deleted() -> None:
    halo = tenant()
    client, user = halo.customer()
    row = halo.made("Invoice", invoice("HL-1", client["id"]))
    paid = halo.made("InvoicePayment", payment("HL-t", row["id"], 5))
    credit = halo.made("Invoice", invoice("R", client["id"], creditlinkedtoinvoiceid=row["id"]))
    for path in (f"InvoicePayment/{paid['id']}", f"Invoice/{credit['id']}"):
        assert halo.send("DELETE", f"/api/Invoice/{row['id']}").status == 400
        assert halo.send("DELETE", f"/api/{path}").status == 200
    halo.send("DELETE", f"/api/Users/{user['id']}")
    assert halo.send("DELETE", f"/api/Client/{client['id']}").status == 400
    assert halo.send("DELETE", f"/api/Invoice/{row['id']}").status == 200
    assert halo.send("GET", f"/api/Invoice/{row['id']}").status == 404
    assert halo.send("DELETE", f"/api/Client/{client['id']}").status == 200


def test_money_can_be_refused_by_its_reference() -> None:
    halo = tenant()
    halo.admin("refuse_money", references=["HL-2", "HL-t"], text="Period is closed")
    row = halo.made("Invoice", invoice("HL-1"))
    assert halo.post("Invoice", invoice("HL-2")).body == "Period is closed"
    assert halo.post("InvoicePayment", payment("HL-t", row["id"], 1)).body == "Period is closed"
    assert halo.post("RecurringInvoice", invoice("HL-2")).status == 400
    halo.admin("refuse_money", references=[])
    halo.made("Invoice", invoice("HL-2"))


def test_money_can_be_edited_by_hand_in_silence() -> None:
    halo = tenant()
    row = halo.made("Invoice", invoice("HL-1"))
    paid = halo.made("InvoicePayment", payment("HL-t", row["id"], 12))
    plan = halo.made("RecurringInvoice", template("HL-s", disabled=True))
    line = {"id": row["lines"][0]["id"], "unit_price": 20}
    assert halo.admin(f"invoice/{row['id']}", lines=[line]).body["total"] == 22.0
    halo.admin(f"payment/{paid['id']}", amount=20)
    assert halo.get(f"Invoice/{row['id']}")["amountdue"] == 2.0
    assert halo.admin(f"recurring/{plan['id']}", lines=[]).body["total"] == 0.0
    assert halo.admin("payment/9").status == 404
    assert halo.admin(f"payment/{paid['id']}", amount="much").status == 400
    assert effects(halo) == []
