from __future__ import annotations

from typing import Any

import pytest

from syncline.errors import Unmappable, Unreadable
from syncline.flows import customers
from syncline.flows.customers import Customer
from syncline.flows.flow import Needs, TargetIds
from syncline.mapping.document import Document
from syncline.mapping.parsing import load
from syncline.mapping.shipped import default_document

ADA: dict[str, Any] = {
    "id": "c1",
    "name": "Ada  King Lovelace",
    "email": "ada@example.com",
    "phone": "+44 1",
    "company": "Engines Ltd",
}
DOCUMENT = load(default_document("detail"))
CLIENT = Needs("customers", "email:ada@example.com", "client")


def ada() -> Customer:
    return Customer("email:ada@example.com", ADA)


def key(contact: dict[str, Any] | None, **options: Any) -> str | None:
    return customers.key_of(contact, load(default_document("detail", {"customers": options})))


def named_after(client_name: str) -> Document:
    return load(default_document("detail", {"customers": {"client_name": client_name}}))


def test_one_address_is_one_customer_however_it_is_written() -> None:
    assert key(ADA) == key({"email": " ADA@Example.com "}) == "email:ada@example.com"
    # One accent as a sign of its own, one as a part of its letter.
    assert customers.email_key("jose\u0301@x.com") == customers.email_key("JOS\u00c9@x.com")


def test_a_contact_without_email_is_a_customer_only_where_the_mapping_says_so() -> None:
    bare = {"id": "c2", "name": "Bob"}
    assert key(bare) == "contact:c2"
    assert key(bare, without_email="park") is None
    assert key(bare, without_email="default-client", default_client=12) is None
    assert key({"name": "Bob"}) == key(None) == customers.NOBODY
    assert key(None, without_email="park") is None


def test_a_client_whose_name_is_taken_is_told_apart_by_what_no_other_one_has() -> None:
    def name(customer: Customer) -> str:
        wanted = customers.render(customer, "client", DOCUMENT, {}, named_apart=True)
        assert wanted.projection["name"] == wanted.body["name"]
        return str(wanted.body["name"])

    assert name(ada()) == "Engines Ltd (ada@example.com)"
    assert name(Customer("contact:c2", {"id": "c2", "name": "Bob"})) == "Bob (c2)"
    long = name(Customer("email:ada@example.com", {**ADA, "company": "x" * 5000}))
    assert (len(long), long.endswith("xx… (ada@example.com)")) == (4000, True)
    assert customers.reference_of(customers.NOBODY) in name(Customer(customers.NOBODY, {}))


def test_a_customer_owes_a_client_and_a_user_that_waits_for_it() -> None:
    assert [
        (one.role, one.target) for one in customers.delivery_requests("email:ada@example.com")
    ] == [
        ("client", "client"),
        ("user", "user"),
    ]
    assert customers.needs("email:ada@example.com", "user") == [CLIENT]
    assert customers.needs("email:ada@example.com", "client") == []


def test_a_customer_without_email_has_no_user() -> None:
    assert customers.roles_of("contact:c2") == ("client",)
    with pytest.raises(Unmappable) as raised:
        customers.render(Customer("contact:c2", {"name": "Bob"}), "user", DOCUMENT, {})
    assert raised.value.field == "emailaddress"


def test_a_client_carries_its_reference_twice_and_fires_nothing() -> None:
    created = customers.render(ada(), "client", DOCUMENT, {}).for_create()
    reference = customers.reference_of(ada().source_id)
    assert (created["name"], created["ref"]) == ("Engines Ltd", reference)
    assert created["new_external_link"]["third_party_id"] == reference
    assert created["_dont_fire_automations"] is True
    assert created["newclient_sendwelcomeemail"] is False


def test_a_reference_holds_no_personal_data_and_never_changes() -> None:
    assert customers.reference_of("email:ada@example.com") == "HL-9b62a3a2bce7c868f30d60f0"


@pytest.mark.parametrize(
    ("client_name", "contact", "name"),
    [
        ("company", ADA, "Engines Ltd"),
        ("person", ADA, "Ada King Lovelace"),
        ("email", ADA, "ada@example.com"),
        ("company", {"email": "b@x.com", "name": "Bob"}, "Bob"),
        ("company", {"email": "b@x.com", "company": "  "}, "b@x.com"),
        ("email", {"id": "c9"}, "HighLevel contact c9"),
    ],
)
def test_a_client_is_named_after_what_there_is(
    client_name: str, contact: dict[str, Any], name: str
) -> None:
    source_id = customers.key_of(contact, DOCUMENT)
    assert source_id is not None
    who = Customer(source_id, contact)
    body = customers.render(who, "client", named_after(client_name), {}).body
    assert body["name"] == name


def test_a_user_stands_at_its_clients_main_site_and_is_not_welcomed() -> None:
    ids = {CLIENT: TargetIds(5, client_id=5, site_id=6)}
    desired = customers.render(ada(), "user", DOCUMENT, ids)
    created = desired.for_create()
    assert (created["name"], created["firstname"], created["surname"]) == (
        "Ada King Lovelace",
        "Ada",
        "King Lovelace",
    )
    assert (created["site_id"], created["sendwelcomeemail"]) == (6, False)
    assert created["phonenumber"] == "+44 1"
    assert "site_id" not in desired.for_update(9)


def test_a_user_whose_client_has_no_site_is_parked() -> None:
    with pytest.raises(Unmappable) as raised:
        customers.render(ada(), "user", DOCUMENT, {CLIENT: TargetIds(5)})
    assert raised.value.field == "site_id"


def test_a_user_that_halo_had_before_us_is_adopted_with_its_client_and_never_overwritten() -> None:
    adopted = customers.adopt_from_user({"id": 9, "client_id": "5", "site_id": 6.0})
    assert adopted.client == TargetIds(5, client_id=5, site_id=6, adopted=True)
    assert adopted.user == TargetIds(9, client_id=5, site_id=6, adopted=True)
    desired = customers.render(ada(), "client", DOCUMENT, {}, own=adopted.client)
    assert desired.body == {}
    assert TargetIds.stored("5", adopted.client.meta()) == adopted.client


@pytest.mark.parametrize(
    "row", [{}, {"id": 9}, {"id": 9, "client_id": "x"}, {"id": 9, "client_id": 0}]
)
def test_a_user_without_a_client_cannot_be_adopted(row: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        customers.adopt_from_user(row)


def test_a_customer_written_otherwise_by_halo_is_no_difference() -> None:
    ids = {CLIENT: TargetIds(5, client_id=5, site_id=6)}
    desired = customers.render(ada(), "user", DOCUMENT, ids)
    row = {**desired.for_create(), "emailaddress": "ADA@example.com ", "name": "Ada King  Lovelace"}
    assert customers.projection(row, "user", DOCUMENT) == desired.projection
