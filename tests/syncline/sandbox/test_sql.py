import pytest

from syncline.sandbox.halo.sql.dialect import translate
from tests.syncline.sandbox.tenant_calls import TenantCalls, order, tenant


@pytest.fixture
def halo() -> TenantCalls:
    calls = tenant()
    client, user = calls.customer("O'Brien@example.com")
    for n in range(3):
        link = {"third_party_id": f"HL-{n}", "third_party_type": "syncline"}
        fields = {"user_id": user["id"], "new_external_link": link}
        calls.made("SalesOrder", order(f"HL-{n}", client["id"], **fields))
        calls.pass_time(60)
    return calls


def test_values_come_as_text_under_the_names_that_were_written(halo: TenantCalls) -> None:
    rows = halo.rows("SELECT TOP 1 ohID, [OHponumber] AS ref, ohuserid FROM dbo.ORDERHEAD")
    assert rows == [{"ohID": "5001", "ref": "HL-0", "ohuserid": "701"}]


def test_a_list_of_thousands_of_references_is_one_query(halo: TenantCalls) -> None:
    wanted = ", ".join(f"N'HL-{n}'" for n in range(20_000))
    sql = "SELECT OHid, OHponumber FROM ORDERHEAD WHERE OHponumber IN ({})"
    rows = halo.rows(sql.format(wanted))
    assert [row["OHponumber"] for row in rows] == ["HL-0", "HL-1", "HL-2"]
    assert halo.rows("SELECT OHid FROM ORDERHEAD WHERE OHid IN (5002, 1)") == [{"OHid": "5002"}]


def test_text_is_compared_without_case_and_quotes_are_doubled(halo: TenantCalls) -> None:
    rows = halo.rows("SELECT Uid FROM USERS WHERE uemail IN (N'o''brien@EXAMPLE.com')")
    assert rows == [{"Uid": "701"}]


def test_tables_join_as_in_halos_database(halo: TenantCalls) -> None:
    rows = halo.rows(
        "SELECT OHponumber, Aarea, SUM(OLorderqty * olbaseprice) AS total, "
        "MAX(ELThirdPartyId) AS l "
        "FROM ORDERHEAD WITH (NOLOCK) JOIN SITE ON Ssitenum = OHsitenum "
        "JOIN AREA ON Aarea = Sarea JOIN ORDERLINE ON OLid = OHid "
        "JOIN ExternalLink ON ELHaloId = OHid AND ELTableId = 996 "
        "JOIN CURRENCY ON Cid = OHcurrencycode WHERE Ccode = 'USD' GROUP BY OHponumber, Aarea "
        "ORDER BY OHponumber"
    )
    assert rows[0] == {"OHponumber": "HL-0", "Aarea": "101", "total": "10", "l": "HL-0"}
    assert len(rows) == 3


def test_one_statement_reads_orders_with_their_customers_and_totals(halo: TenantCalls) -> None:
    halo.made("SalesOrder", order("HL-bare", 1, lines=[]))
    lines = [{"name": "Mug", "quantity": 3, "baseprice": 1.005, "tax": 0.5, "discount_perc": 50}]
    halo.made("SalesOrder", {"id": 5001, "lines": [*lines, {"name": "Tea", "baseprice": 2}]})
    sql = (
        "SELECT OHid, OHponumber, Aarea, Ccode, emails, net, tax FROM ORDERHEAD "
        "JOIN SITE ON Ssitenum = OHsitenum JOIN AREA ON Aarea = Sarea "
        "LEFT JOIN CURRENCY ON Cid = OHcurrencycode "
        "LEFT JOIN (SELECT OLid, SUM(OLtax) AS tax, "
        "SUM(ROUND(OLorderqty * OLSellingPrice * (1 - oldiscount / 100.0), 2)) AS net "
        "FROM ORDERLINE GROUP BY OLid) AS sums ON OLid = OHid "
        "LEFT JOIN (SELECT uarea, STRING_AGG(uemail, ';') AS emails FROM USERS GROUP BY uarea) "
        "AS people ON uarea = Aarea ORDER BY OHid OFFSET {} ROWS FETCH NEXT 3 ROWS ONLY"
    )
    first = halo.rows(sql.format(0))[0]
    sums = {"emails": "O'Brien@example.com", "net": "3.51", "tax": "0.5"}
    assert first == {"OHid": "5001", "OHponumber": "HL-0", "Aarea": "101", "Ccode": "USD", **sums}
    bare = {"OHponumber": "HL-bare", "Aarea": "1", "emails": None, "net": None}
    assert halo.rows(sql.format(3))[0].items() >= bare.items()


def test_invoices_and_their_lines_and_payments_stand_in_halos_tables(halo: TenantCalls) -> None:
    line = {"item_shortdescription": "Mug", "qty_order": 2, "unit_price": 5, "tax_amount": 1}
    posted = {"client_id": 101, "thirdpartyinvoicenumber": "HL-0", "lines": [line]}
    row = halo.made("Invoice", {**posted, "salesorder_id": 5001})
    sql = (
        "SELECT IHid, IHaarea, IHOHid, IHcurrencycode, IHAmountDue, IDQty_Order, "
        "SUM(IDNet_Amount + IDTax_Amount) AS total, COUNT(IPid) AS paid FROM INVOICEHEADER "
        "JOIN INVOICEDETAIL ON IdIHid = IHid LEFT JOIN InvoicePayment ON IPIHid = IHid "
        "WHERE IH3rdPartyInvoiceNumber = 'hl-0' AND IHisRecurringInvoice = 0 "
        "GROUP BY IHid, IHaarea, IHOHid, IHcurrencycode, IHAmountDue, IDQty_Order"
    )
    wanted = {"IHid": str(row["id"]), "IHaarea": "101", "IHOHid": "5001", "IHcurrencycode": "1"}
    wanted |= {"IDQty_Order": "2", "total": "11"}
    assert halo.rows(sql) == [{**wanted, "IHAmountDue": "11", "paid": "0"}]
    halo.made("InvoicePayment", {"invoice_id": row["id"], "amount": 11, "intent_id": "HL-t"})
    assert halo.rows(sql) == [{**wanted, "IHAmountDue": "0", "paid": "1"}]
    payments = "SELECT IPIHid, IPAmount FROM InvoicePayment WHERE IPIntentID IN (N'HL-t')"
    assert halo.rows(payments) == [{"IPIHid": str(row["id"]), "IPAmount": "11"}]


def test_recurring_invoices_stand_beside_invoices_and_are_told_apart(halo: TenantCalls) -> None:
    posted = {"client_id": 101, "thirdpartyinvoicenumber": "HL-s", "disabled": True}
    plan = halo.made("RecurringInvoice", posted)
    halo.made("Invoice", posted)
    sql = "SELECT IHid FROM INVOICEHEADER WHERE IHisRecurringInvoice = 1"
    assert halo.rows(sql) == [{"IHid": str(plan["id"])}]
    assert halo.rows("SELECT COUNT(*) AS n FROM INVOICEHEADER") == [{"n": "2"}]
    halo.send("DELETE", f"/api/RecurringInvoice/{plan['id']}")
    assert halo.rows(sql) == []


@pytest.mark.parametrize(
    "since",
    [
        "'2026-03-01 12:01:00'",
        "'2026-03-01T12:01:00Z'",
        "CAST('2026-03-01T12:01:00' AS DATETIME)",
        "CONVERT(datetime, '2026-03-01 12:01:00')",
        "DATEADD(minute, -2, GETDATE())",
        "DATEADD(second, -120, GETUTCDATE())",
    ],
)
def test_times_compare_in_every_form(halo: TenantCalls, since: str) -> None:
    sql = "SELECT OHponumber FROM ORDERHEAD WHERE ohlastupdatetime >= "
    assert [row["OHponumber"] for row in halo.rows(sql + since)] == ["HL-1", "HL-2"]


def test_a_written_or_removed_row_shows_in_the_next_report(halo: TenantCalls) -> None:
    sql = "SELECT OHid, OHnote, ohchangeseq FROM ORDERHEAD WHERE OHid IN (5001, 5002)"
    halo.rows(sql)
    halo.made("SalesOrder", {"id": 5001, "note": "new"})
    halo.send("DELETE", "/api/SalesOrder/5002")
    assert halo.rows(sql) == [{"OHid": "5001", "OHnote": "new", "ohchangeseq": "2"}]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("DELETE FROM ORDERHEAD", "single SELECT"),
        ("SELECT 1; SELECT 2", "single SELECT"),
        ("SELECT OHid INTO x FROM ORDERHEAD", "single SELECT"),
        ("SELECT 1 -- note", "Comments"),
        ("SELECT * FROM NOWHERE", "Invalid object name 'NOWHERE'"),
        ("SELECT [OHtotal] FROM ORDERHEAD", "Invalid column name 'OHtotal'"),
        ("SELECT FROM WHERE (", "Incorrect syntax"),
        ("", "single SELECT"),
    ],
)
def test_an_error_is_told_inside_a_good_answer(halo: TenantCalls, sql: str, said: str) -> None:
    report = halo.report(sql)
    assert report["loaded"] is False
    assert said in report["load_error"]
    assert report["rows"] == []


def test_a_comment_mark_inside_a_text_is_no_comment(halo: TenantCalls) -> None:
    assert halo.rows("SELECT OHid FROM ORDERHEAD WHERE OHponumber = 'a--b IN (''c'')'") == []


def test_missing_values_and_functions_translate(halo: TenantCalls) -> None:
    rows = halo.rows("SELECT ISNULL(OHshipdate, 'none') AS d, OHshipdate FROM ORDERHEAD")
    assert rows[0] == {"d": "none", "OHshipdate": None}
    months = "SELECT DATEADD(month, -1, '2026-03-31') AS m, DATEADD(day, 1, '2026-02-28') AS d"
    assert halo.rows(months) == [{"m": "2026-02-28T00:00:00.000", "d": "2026-03-01T00:00:00.000"}]


def test_a_plain_tenant_grants_no_sql() -> None:
    assert tenant("plain").post("Report", {"sql": "SELECT 1"}).status == 403


def test_lists_travel_as_parameters() -> None:
    text, lists = translate("SELECT 1 AS a FROM USERS WHERE uemail IN (N'a', 'b')")
    assert lists == {"list0": '["a", "b"]'}
    assert ":list0" in text
