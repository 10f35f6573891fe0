"""The columns that posted texts go into, and how the tenant refuses what is longer.

Source: names and lengths by a published catalogue of the database. What the API answers is not
documented anywhere; inferred: SQL Server's own error, in one of the shapes in which Halo's errors
come. Newer servers name table and column (error 2628), older ones do not (8152).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from syncline.sandbox.halo.tenant.store import Row
from syncline.sandbox.halo.tenant.tenant import RefusalError, Tenant

_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Column:
    """A text column: its table, its name, and how many characters it holds."""

    table: str
    name: str
    length: int


@dataclass(frozen=True, slots=True)
class Columns:
    """Fields of the API with the columns they go into: of a row and of its lines.

    Texts that are not named have no end.
    """

    own: Mapping[str, Column] = field(default_factory=dict)
    lines: Mapping[str, Column] = field(default_factory=dict)


def _columns(table: str, text: str) -> dict[str, Column]:
    """A field of the API, its column, and the length, a line each."""
    rows = (line.split() for line in text.strip().splitlines())
    return {field: Column(table, name, int(length)) for field, name, length in rows}


ORDER = Columns(
    _columns(
        "ORDERHEAD",
        """
        title OHtitle 500
        po_number OHponumber 4000
        summary OHsummary 4000
        accountsref OHAccountsRef 4000
        ship_status OHShipStatus 4000
        invoicenumber OHInvoiceNumber 4000
        deladdress1 ohdeladdress1 1000
        deladdress2 ohdeladdress2 1000
        deladdress3 ohdeladdress3 1000
        deladdress4 ohdeladdress4 1000
        deladdress5 ohdeladdress5 1000
        """,
    ),
    _columns("ORDERLINE", "name OLDesc 4000\nsupplier_po OLSupplierPO 4000"),
)
INVOICE = Columns(
    _columns(
        "INVOICEHEADER",
        """
        thirdpartyinvoicenumber IH3rdPartyInvoiceNumber 4000
        name IHname 4000
        contactname IHContactName 4000
        address1 IHAddress1 4000
        order_number IHOrder_Number 4000
        cust_order_number IHCust_Order_Number 4000
        payment_ref IHPayment_Ref 4000
        reference IHReference 4000
        creation_source IHCreationSource 200
        """,
    ),
    _columns(
        "INVOICEDETAIL",
        """
        item_code IDItem_Code 4000
        item_shortdescription IDItem_ShortDescription 4000
        nominal_code IDNominal_Code 4000
        tax_code IDTax_Code 4000
        productnumber IDProductNumber 4000
        """,
    ),
)
PAYMENT = Columns(
    _columns(
        "InvoicePayment",
        """
        intent_id IPIntentID 100
        thirdpartyid ipthirdpartyid 250
        sage50_reference ipsage50reference 1000
        """,
    )
)
CLIENT = Columns(
    _columns(
        "AREA",
        """
        name aareadesc 4000
        ref Aarearef 4000
        accountsid aaccountsid 4000
        colour acolour 10
        website AWebsite 250
        newclient_domain ADomain 250
        """,
    )
)
SITE = Columns(
    _columns(
        "SITE",
        """
        name sdesc 4000
        ref SRef 4000
        phonenumber SPhoneNumber 50
        accountsid saccountsid 500
        country_code SCountryCode 10
        """,
    )
)
USERS = Columns(
    _columns(
        "USERS",
        """
        name uusername 255
        firstname uFirstName 200
        surname uLastName 200
        emailaddress uemail 4000
        phonenumber uextn 4000
        title UTitle 4000
        """,
    )
)
TICKET = Columns(_columns("FAULTS", "client_reference CustomerRef 50"))
ACTION = Columns(_columns("ACTIONS", "outcome Actoutcome 500"))
INTEGRATION_ERROR = Columns(
    _columns(
        "IntegrationError",
        """
        entity_type IEEntityType 100
        entity_name IEEntityName 100
        endpoint IEEndpoint 100
        error IEError 2000
        """,
    )
)
_LINK = _columns(
    "ExternalLink",
    """
    third_party_id ELThirdPartyId 1000
    third_party_type ELThirdPartyType 250
    third_party_desc ELThirdPartyDesc 4000
    third_party_url ELThirdPartyUrl 4000
    third_party_secondary_id elthirdpartyadditionalid 4000
    third_party_status ELThirdPartyStatus 250
    """,
)
LINK = Columns(_LINK)


def check_lengths(tenant: Tenant, columns: Columns, posted: Row) -> None:
    """Refuse an element with a text that is longer than its column.

    Raises:
        RefusalError: the database's error, in the tenant's shape.
    """
    if not tenant.config.column_lengths:
        return
    for column, text in _texts(columns, posted):
        if len(text) > column.length:
            raise _truncated(tenant, column, text)


def _texts(columns: Columns, posted: Row) -> Iterator[tuple[Column, str]]:
    yield from _held(columns.own, posted)
    for line in posted.get("lines") or ():
        yield from _held(columns.lines, line)
    yield from _held(_LINK, posted.get("new_external_link") or {})


def _held(columns: Mapping[str, Column], row: Row) -> Iterator[tuple[Column, str]]:
    for name, column in columns.items():
        if isinstance(row.get(name), str):
            yield column, row[name]


def _truncated(tenant: Tenant, column: Column, text: str) -> RefusalError:
    end = "\r\nThe statement has been terminated."
    if tenant.profile.names_columns:
        message = (
            f"String or binary data would be truncated in table 'dbo.{column.table}', column "
            f"'{column.name}'. Truncated value: '{text[:_SHOWN]}'.{end}"
        )
        return RefusalError(400, {"ClassName": "SqlException", "Message": message})
    return RefusalError(500, {"Message": f"String or binary data would be truncated.{end}"})
