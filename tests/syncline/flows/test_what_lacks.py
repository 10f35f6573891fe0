"""What a record lacks is said as it is, with the way out."""

from __future__ import annotations

import pytest

from syncline.errors import Unmappable
from syncline.flows import customers
from syncline.flows.flow import currency_id
from syncline.mapping.parsing import load
from syncline.mapping.shipped import default_document


@pytest.mark.parametrize(
    ("currency", "what", "remedy"),
    [
        (None, "The record has no currency.", "Correct the record in HighLevel"),
        ("XTS", "Halo has no currency XTS.", "Add the currency in Halo's configuration"),
    ],
)
def test_a_currency_is_missing_where_it_is_missing(
    currency: str | None, what: str, remedy: str
) -> None:
    with pytest.raises(Unmappable) as raised:
        currency_id(currency, {"USD": 1})
    assert raised.value.what == what
    assert (raised.value.remedy or "").startswith(remedy)


def test_a_customer_whose_client_was_left_gone_is_not_told_to_add_its_address() -> None:
    document = load(default_document("detail"))
    with pytest.raises(Unmappable, match="is gone from Halo") as raised:
        customers.ids_for({"id": "c1", "email": "ada@example.com"}, document, {})
    assert "Change the contact" in (raised.value.remedy or "")
