"""How long texts may be: the columns of Halo's database that the fields of its API go into.

Source: a published catalogue of the database, which names columns and their types; which field goes
into which column follows from their names. A field that is not named here goes into a column
without an end, or into none that is known. Custom fields are columns of their own, of which a
tenant chooses the length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_LONG: Final = 4000
"""What the catalogue gives most columns, in UTF-16 units as NVARCHAR counts them."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The lengths of one entity's texts, in UTF-16 units.

    Attributes:
        own: field → most units.
        lines: the same of its lines, under the names that a sales order's lines have.
        note: the field, of a column without an end, that keeps what others cannot hold.
    """

    own: Mapping[str, int]
    lines: Mapping[str, int] = field(default_factory=dict)
    note: str = ""


def _of(long: str = "", **shorter: int) -> dict[str, int]:
    """Lengths by field: of the long ones by their names, separated by spaces."""
    return {**dict.fromkeys(long.split(), _LONG), **shorter}


_DELIVERY = {f"deladdress{number}": 1000 for number in range(1, 6)}
_INVOICE = Columns(
    _of(
        "thirdpartyinvoicenumber invoicenumber name contactname reference payment_ref order_number "
        "cust_order_number address1 address2 address3 address4 address5",
        creation_source=200,
    ),
    _of("name item_code nominal_code tax_code productnumber"),
    note="internal_note",
)

COLUMNS: Mapping[str, Columns] = {
    "order": Columns(
        _of("po_number summary accountsref ship_status invoicenumber", title=500, **_DELIVERY),
        _of("name nominalcode supplier_po"),
        note="note",
    ),
    "invoice": _INVOICE,
    "recurring": _INVOICE,
    "payment": Columns(_of(intent_id=100, thirdpartyid=250, reference=200, sage50_reference=1000)),
    "client": Columns(
        _of("name ref accountsid trading_name", colour=10, website=250), note="notes"
    ),
    "user": Columns(
        _of(
            "emailaddress email2 email3 phonenumber mobilenumber mobilenumber2 homenumber fax "
            "title login other1 other2 other3 other4 other5",
            name=255,
            firstname=200,
            surname=200,
        ),
        note="notes",
    ),
    "ticket": Columns(
        _of("summary category_1 category_2 category_3 category_4", client_reference=50),
        note="details",
    ),
    "integration_error": Columns(_of(entity_type=100, endpoint=100, error=2000)),
}
"""The lengths by the name of the resource."""

LINK: Mapping[str, int] = _of(
    "third_party_desc third_party_url",
    third_party_id=1000,
    third_party_type=250,
    third_party_status=250,
)
"""Of an external link."""

IDENTITIES: Final = frozenset(
    {
        *("po_number", "thirdpartyinvoicenumber", "intent_id", "thirdpartyid"),
        *("ref", "emailaddress", "third_party_id"),
    }
)
"""Fields by which a row is found again: never cut, since two might become one."""
