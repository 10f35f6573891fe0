"""The tables of Halo's database as far as syncline's reports need them, filled from the entities.

Source: table and column names by a published catalogue of the database.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """A table of Halo's database.

    Attributes:
        name: its name.
        entities: whose rows fill it.
        key: the column that names the entity's row; it has an index.
        columns: name, type, field of a row.
        indexed: further columns with an index.
        of_lines: it holds the lines of the rows and not the rows.
    """

    name: str
    entities: tuple[str, ...]
    key: str
    columns: tuple[tuple[str, str, str], ...]
    indexed: tuple[str, ...] = ()
    of_lines: bool = False


def _columns(text: str) -> tuple[tuple[str, str, str], ...]:
    rows = [line.split() for line in text.strip().splitlines()]
    return tuple((name, kind, field) for name, kind, field in rows)


TABLES = (
    Table(
        "ORDERHEAD", ("SalesOrder",), "OHid",
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
        indexed=("OHponumber",),
    ),
    Table(
        "ORDERLINE", ("SalesOrder",), "OLid",
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
        of_lines=True,
    ),
    # Of the consignments' columns only CSOHid is known by name; the others are guessed after it.
    Table(
        "CONSIGNMENTHEADER", ("Consignment",), "CSOHid",
        _columns("""
            CSOHid INT id
            CSOHdate DATETIME date
            CSOHnote NTEXT note
            CSOHorderid INT salesorder_id
            CSOHisreturn BIT is_return
        """),
        indexed=("CSOHorderid",),
    ),
    Table(
        "CONSIGNMENTDETAIL", ("Consignment",), "CSODheaderid",
        _columns("""
            CSODid INT id
            CSODheaderid INT consignment_id
            CSODorderlineid INT salesorder_line
            CSODitemid INT item_id
            CSODname NVARCHAR name
            CSODquantity FLOAT quantity
        """),
        of_lines=True,
    ),
    Table(
        "AREA", ("Client",), "Aarea",
        _columns("""
            Aarea INT id
            aareadesc NVARCHAR name
            Aarearef NVARCHAR ref
            aaccountsid NVARCHAR accountsid
            AIsInactive BIT inactive
            adatecreated DATETIME datecreated
            ALastUpdate DATETIME @updated
        """),
        indexed=("Aarearef",),
    ),
    Table(
        "SITE", ("Site",), "Ssitenum",
        _columns("""
            Ssitenum INT id
            sdesc NVARCHAR name
            Sarea FLOAT client_id
            SRef NVARCHAR ref
            sstopped INT inactive
            saccountsid NVARCHAR accountsid
            SLastUpdate DATETIME @updated
        """),
        indexed=("Sarea",),
    ),
    Table(
        "USERS", ("Users",), "Uid",
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
        indexed=("uemail", "uarea", "Usite"),
    ),
    Table(
        "ExternalLink", ("ExternalLink",), "ELid",
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
        indexed=("ELThirdPartyId", "ELHaloId"),
    ),
    Table(
        "CURRENCY", ("Currency",), "Cid",
        _columns("""
            Cid INT id
            Cdesc NVARCHAR symbol
            Ccode NVARCHAR code
            Cname NVARCHAR name
            Crate FLOAT conversion_rate
        """),
    ),
    Table(
        # Recurring invoices stand in the same table, told apart by IHisRecurringInvoice.
        "INVOICEHEADER", ("Invoice", "RecurringInvoice"), "IHid",
        _columns("""
            IHid INT id
            IHaarea INT client_id
            IHsitenumber INT sitenumber
            IHInvoiceNumber NVARCHAR invoicenumber
            IH3rdPartyInvoiceNumber NVARCHAR thirdpartyinvoicenumber
            IHPosted BIT posted
            IHInvoice_Date DATETIME invoice_date
            IHLast_Modified DATETIME last_modified
            IHNotes_1 NTEXT notes_1
            IHPayment_Ref NVARCHAR payment_ref
            IHOHid INT salesorder_id
            IHCurrency NVARCHAR currency
            ihdatepaid DATETIME datepaid
            IHPaymentStatus INT paymentstatus
            IHAmountPaid FLOAT amountpaid
            IHAmountDue FLOAT amountdue
            IHDue_Date DATETIME duedate
            IHReference NVARCHAR reference
            IHisRecurringInvoice BIT is_recurring_invoice
            IHrecurringInvoiceId INT recurring_invoice_id
            IHinternalnote NTEXT internal_note
            IHcurrencycode INT currency_code
            IHcurrencyConversionRate FLOAT currency_conversion_rate
            IHdateCreated DATETIME date_created
            ihcreditlinkedtoinvoiceid INT creditlinkedtoinvoiceid
            ihmarkcreditasused BIT mark_credit_as_used
            ihincludeinautopay BIT include_in_autopay
            ihvoided BIT voided
        """),
        indexed=("IH3rdPartyInvoiceNumber", "IHOHid"),
    ),
    Table(
        "INVOICEDETAIL", ("Invoice", "RecurringInvoice"), "IdIHid",
        _columns("""
            IDid INT id
            IdIHid INT ihid
            IDItem_Code NVARCHAR item_code
            IDItem_ShortDescription NVARCHAR item_shortdescription
            IDItem_LongDescription NTEXT item_longdescription
            IDNominal_Code NVARCHAR nominal_code
            IDTax_Code NVARCHAR tax_code
            IDQty_Order FLOAT qty_order
            IDUnit_Price FLOAT unit_price
            IDNet_Amount FLOAT net_amount
            IDTax_Amount FLOAT tax_amount
            IDTax_Rate FLOAT tax_rate
            idsequenceid INT sequenceid
        """),
        of_lines=True,
    ),
    Table(
        "InvoicePayment", ("InvoicePayment",), "IPid",
        _columns("""
            IPid INT id
            IPIHid INT invoice_id
            IPDate DATETIME date
            IPAmount FLOAT amount
            IPMethod INT method
            IPStatus INT status
            IPMSID INT module_id
            IPIntentID NVARCHAR intent_id
            IPIntentDate DATETIME intent_date
            ipsage50reference NVARCHAR sage50_reference
            ipthirdpartyid NVARCHAR thirdpartyid
        """),
        indexed=("IPIntentID", "ipthirdpartyid", "IPIHid"),
    ),
    Table(
        # That CustomerRef and Suppref hold the client's and the supplier's reference is a guess by
        # their names.
        "FAULTS", ("Tickets",), "Faultid",
        _columns("""
            Faultid INT id
            Symptom NVARCHAR summary
            symptom2 NTEXT details
            Status INT status_id
            RequestTypeNew INT tickettype_id
            seriousness INT priority_id
            Areaint INT client_id
            sitenumber INT site_id
            userid INT user_id
            username NVARCHAR user_name
            Assignedtoint INT agent_id
            CustomerRef NVARCHAR client_reference
            Suppref NVARCHAR supplier_reference
            dateoccured DATETIME dateoccurred
            datecreated DATETIME datecreated
            datecleared DATETIME dateclosed
            fhasbeenclosed BIT hasbeenclosed
            FDeleted BIT deleted
            FLastUpdate DATETIME last_update
        """),
        indexed=("Suppref",),
    ),
    Table(
        "ACTIONS", ("Actions",), "id",
        _columns("""
            id INT action_systemid
            Faultid INT ticket_id
            actionnumber INT id
            Actoutcome NVARCHAR outcome
            Whe_ DATETIME datetime
            note NTEXT note
            ActionHide BIT hiddenfromuser
            ActionStatusBefore INT old_status
            ActionStatusAfter INT new_status
            ActionDateCreated DATETIME actiondatecreated
            ALastUpdated DATETIME last_updated
        """),
        indexed=("Faultid",),
    ),
    Table(
        "IntegrationError", ("IntegrationError",), "IEid",
        _columns("""
            IEid INT id
            IEMSid INT module_id
            IEDetailId INT detail_id
            IEEntityType NVARCHAR entity_type
            IEEntityId INT entity_id
            IEEntityName NVARCHAR entity_name
            IEEndpoint NVARCHAR endpoint
            IEError NVARCHAR error
            IEDate DATETIME date
        """),
    ),
)  # fmt: skip
