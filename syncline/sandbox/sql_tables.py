"""The tables of Halo's database as far as syncline's reports need them, filled from the entities.

Source: table and column names by a published catalogue of the database.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """A table of Halo's database, filled from one entity; `columns`: name, type, field of a row."""

    name: str
    entity: str
    key: str
    columns: tuple[tuple[str, str, str], ...]


def _columns(text: str) -> tuple[tuple[str, str, str], ...]:
    rows = [line.split() for line in text.strip().splitlines()]
    return tuple((name, kind, field) for name, kind, field in rows)


TABLES = (
    Table(
        "ORDERHEAD", "SalesOrder", "OHid",
        _columns("""
            OHid INT id
            OHsitenum INT site_id
            OHstatus INT status
            OHnote NTEXT note
            OHusername NVARCHAR user_name
            OHponumber NVARCHAR po_number
            OHorderdate DATETIME date
            OHshipdate DATETIME ship_date
            OHtechie INT assigned_agent
            OHsummary NVARCHAR summary
            OHfaultid INT ticket_id
            OHShipStatus NVARCHAR ship_status
            OHAccountsRef NVARCHAR accountsref
            OHInvoiceNumber NVARCHAR invoicenumber
            OHCurrency NVARCHAR currency
            OHQHID INT quotation_id
            OHtitle NVARCHAR title
            ohlastupdatetime DATETIME last_update_time
            OHcurrencycode INT currency_code
            OHcurrencyConversionRate FLOAT currency_conversion_rate
            ohuserid INT user_id
            ohchangeseq INT change_seq
        """),
    ),
    Table(
        "ORDERLINE", "SalesOrder", "OLid",
        _columns("""
            OLid INT salesorder_id
            OLseq INT seq
            OLitem INT item_id
            OLorderqty FLOAT quantity
            OLshippedqty FLOAT quantity_shipped
            OLNote NVARCHAR note
            OLCostPrice DECIMAL costprice
            OLSellingPrice DECIMAL baseprice
            OLDesc NVARCHAR name
            OLtax FLOAT tax
            oldiscount FLOAT discount_perc
            id BIGINT id
            olbaseprice DECIMAL baseprice
        """),
    ),
    Table(
        "AREA", "Client", "Aarea",
        _columns("""
            Aarea INT id
            aareadesc NVARCHAR name
            Aarearef NVARCHAR ref
            aaccountsid NVARCHAR accountsid
            AIsInactive BIT inactive
            adatecreated DATETIME datecreated
            ALastUpdate DATETIME @updated
        """),
    ),
    Table(
        "SITE", "Site", "Ssitenum",
        _columns("""
            Ssitenum INT id
            sdesc NVARCHAR name
            Sarea FLOAT client_id
            SRef NVARCHAR ref
            sstopped INT inactive
            saccountsid NVARCHAR accountsid
            SLastUpdate DATETIME @updated
        """),
    ),
    Table(
        "USERS", "Users", "Uid",
        _columns("""
            Uid INT id
            Usite FLOAT site_id
            uusername NVARCHAR name
            uFirstName NVARCHAR firstname
            uLastName NVARCHAR surname
            uemail NVARCHAR emailaddress
            uextn NVARCHAR phonenumber
            uarea INT client_id
            uinactive BIT inactive
            udatecreated DATETIME datecreated
            ULastUpdate DATETIME @updated
        """),
    ),
    Table(
        "ExternalLink", "ExternalLink", "ELid",
        _columns("""
            ELid INT id
            ELTableId INT table_id
            ELModuleId INT module_id
            ELHaloId INT halo_id
            ELThirdPartyId NVARCHAR third_party_id
            ELThirdPartyDesc NVARCHAR third_party_desc
            ELThirdPartyType NVARCHAR third_party_type
            ELThirdPartyUrl NVARCHAR third_party_url
            ELDetailsId INT details_id
            ELThirdPartyStatus NVARCHAR third_party_status
            ELdatecreated DATETIME date_created
        """),
    ),
    Table(
        "CURRENCY", "Currency", "Cid",
        _columns("""
            Cid INT id
            Cdesc NVARCHAR symbol
            Ccode NVARCHAR code
            Cname NVARCHAR name
            Crate FLOAT conversion_rate
        """),
    ),
    Table(
        "INVOICEHEADER", "Invoice", "IHid",
        _columns("""
            IHid INT id
            IHaarea INT client_id
            IHInvoiceNumber NVARCHAR invoicenumber
            IH3rdPartyInvoiceNumber NVARCHAR thirdpartyinvoicenumber
            IHInvoice_Date DATETIME invoice_date
            IHOHid INT salesorder_id
            IHReference NVARCHAR reference
            IHAmountPaid FLOAT amountpaid
            IHAmountDue FLOAT amountdue
        """),
    ),
    Table(
        "InvoicePayment", "InvoicePayment", "IPid",
        _columns("""
            IPid INT id
            IPIHid INT invoice_id
            IPDate DATETIME date
            IPAmount FLOAT amount
            IPIntentID NVARCHAR intent_id
            ipthirdpartyid NVARCHAR thirdpartyid
        """),
    ),
)  # fmt: skip
