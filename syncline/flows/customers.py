"""Contacts → Halo's clients and users, one of each per tenant and normalised e-mail address."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal, NoReturn

from syncline.errors import Unmappable, Unreadable
from syncline.flows.flow import Desired, Needs, RequestedDelivery, TargetIds, external_link
from syncline.flows.texts.fitting import fitted
from syncline.flows.texts.in_full import shown_in
from syncline.halo.entities.columns import COLUMNS
from syncline.mapping.apply import apply, projected
from syncline.mapping.document import Document
from syncline.mapping.options import CustomerOptions

FLOW = "customers"
SOURCE_KIND = "customer"
Role = Literal["client", "user"]

NOBODY = "contact:none"
"""The source id of the one customer of a tenant to whom sales without any contact belong."""

_EMAIL = "email:"


@dataclass(frozen=True, slots=True)
class Customer:
    """Who an order belongs to.

    Attributes:
        source_id: as `key_of` gives it.
        record: the canonical form: what the order says of its contact.
    """

    source_id: str
    record: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AdoptedCustomer:
    """A customer that Halo had before us."""

    client: TargetIds
    user: TargetIds


def email_key(address: str) -> str:
    """The source id of an address; equal for every way to write the same one."""
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", address.strip()).lower())
    return f"{_EMAIL}{text}"


def key_of(contact: Mapping[str, Any] | None, document: Document) -> str | None:
    """The source id of a contact's customer: `email:<address>`, or `contact:<id>` without one.

    What tells no contact at all belongs to `NOBODY`. None where the mapping gives the orders of
    such a contact to no customer of their own.
    """
    known = contact or {}
    if known.get("email"):
        return email_key(known["email"])
    if document.customers.without_email == "own-client":
        return f"contact:{known['id']}" if known.get("id") else NOBODY
    return None


def has_email(source_id: str) -> bool:
    """Whether Halo can have a user for a customer: a user is known by its address."""
    return source_id.startswith(_EMAIL)


def roles_of(source_id: str) -> tuple[Role, ...]:
    """The rows of Halo that a customer has: a client, and a user if it has an e-mail."""
    return ("client", "user") if has_email(source_id) else ("client",)


def delivery_requests(source_id: str) -> list[RequestedDelivery]:
    """The deliveries that a customer asks for."""
    return [
        RequestedDelivery(FLOW, SOURCE_KIND, source_id, role, role) for role in roles_of(source_id)
    ]


def needs(source_id: str, role: Role) -> list[Needs]:
    """A user needs its client; a client needs nothing."""
    return [Needs(FLOW, source_id, "client")] if role == "user" else []


def needs_of(contact: Mapping[str, Any] | None, document: Document) -> list[Needs]:
    """The rows of a contact's customer, for records that belong to it; none without a customer."""
    customer = key_of(contact, document)
    if customer is None:
        return []
    return [Needs(FLOW, customer, role) for role in roles_of(customer)]


def ids_for(
    contact: Mapping[str, Any] | None, document: Document, ids: Mapping[Needs, TargetIds]
) -> dict[str, int]:
    """Client, site and user of Halo that a record with this contact belongs to.

    Args:
        contact: the record's contact.
        document: the connection's mapping.
        ids: Halo's ids of what `needs_of` names.

    Raises:
        Unmappable: if it belongs to nobody.
    """
    options = document.customers
    customer = key_of(contact, document)
    if customer is None:
        if options.without_email != "default-client" or options.default_client is None:
            _without_customer("The contact has no e-mail, so its customer is unknown.")
        found = {"client_id": options.default_client, "site_id": options.default_site}
    else:
        client = ids.get(Needs(FLOW, customer, "client"))
        user = ids.get(Needs(FLOW, customer, "user"))
        if client is None:
            _gone()
        found = {
            "client_id": client.id,
            "site_id": user.site_id if user and user.site_id else client.site_id,
            "user_id": user.id if user else None,
        }
    return {key: value for key, value in found.items() if value is not None}


def reference_of(source_id: str) -> str:
    """The text by which a client is found again in Halo: stable, and no personal data."""
    return f"HL-{sha256(source_id.encode()).hexdigest()[:24]}"


def adopt_from_user(user: Mapping[str, Any]) -> AdoptedCustomer:
    """The ids of a user that Halo has for an address already, and of its client.

    Args:
        user: Halo's row of `/Users`, which writes ids as text or with a fraction at times.

    Raises:
        Unreadable: if it has no id or no client.
    """
    found, client, site = (_id(user.get(key)) for key in ("id", "client_id", "site_id"))
    if found is None or client is None:
        raise Unreadable(
            f"Halo's user {user.get('id')} names no client.",
            remedy="Give the user a site in Halo, then retry.",
        )
    return AdoptedCustomer(
        client=TargetIds(client, client_id=client, site_id=site, adopted=True),
        user=TargetIds(found, client_id=client, site_id=site, adopted=True),
    )


def names_client(user: Mapping[str, Any]) -> bool:
    """Whether one of Halo's users says whose it is, so that it can be used as it is."""
    return _id(user.get("client_id")) is not None


def render(
    customer: Customer,
    role: Role,
    document: Document,
    ids: Mapping[Needs, TargetIds],
    own: TargetIds | None = None,
    *,
    named_apart: bool = False,
) -> Desired:
    """What Halo shall hold of a customer.

    Args:
        customer: who it is.
        role: which of its rows.
        document: the connection's mapping.
        ids: Halo's ids of what `needs` names.
        own: Halo's row, where there is one already.
        named_apart: whether another client has its name, so that the name tells which one it is.

    Raises:
        Unmappable: naming the field that cannot be rendered.
    """
    # A row that stood there before us is somebody's work: used, never overwritten.
    if own is not None and own.adopted:
        return Desired({}, {})
    if role == "client":
        return _client(customer, document, named_apart=named_apart)
    return _user(customer, document, ids.get(Needs(FLOW, customer.source_id, "client")))


def projection(
    row: Mapping[str, Any], role: Role, document: Document, *, whole: bool = False
) -> dict[str, str]:
    """The compared fields of a body or of Halo's row, which may have been read whole."""
    key = _IDENTITY[role]
    found = {key: str(row[key] or "").strip()} if key in row else {}
    if role == "user" and key in found:
        found[key] = email_key(found[key]).removeprefix(_EMAIL)
    if "name" in row:
        found["name"] = " ".join(str(row["name"] or "").split())
    found |= shown_in(row.get(COLUMNS[role].note))
    return {**found, **projected(document.rows[f"customers.{role}"], row, whole=whole)}


_IDENTITY: Mapping[Role, str] = {"client": "ref", "user": "emailaddress"}
CUSTOMER_PROOF: Mapping[Role, tuple[str, ...]] = {"client": ("name",), "user": ("emailaddress",)}
"""Fields without which an answer proves nothing about a customer."""


def _client(customer: Customer, document: Document, *, named_apart: bool) -> Desired:
    reference = reference_of(customer.source_id)
    name = _client_name(customer, document.customers)
    apart = f" ({_known_by(customer)})" if named_apart else ""
    mapped = apply(document.rows["customers.client"], customer.record)
    body = {
        "name": f"{name}{apart}",
        "ref": reference,
        "_dont_fire_automations": True,
        **mapped.always,
    }
    at_create = {
        "new_external_link": external_link(reference, "HighLevel contact"),
        "newclient_sendwelcomeemail": False,
        "_isimport": True,
        **mapped.at_create,
    }
    return fitted(
        "client",
        body,
        at_create,
        lambda kept: projection(kept, "client", document),
        ends={"name": apart},
    )


def _user(customer: Customer, document: Document, client: TargetIds | None) -> Desired:
    if not has_email(customer.source_id):
        raise Unmappable(
            "The contact has no e-mail, so there can be no user for it.", field="emailaddress"
        )
    if client is None or client.site_id is None:
        raise Unmappable(
            "The user's client has no main site in Halo.",
            field="site_id",
            remedy="Give the client a site in Halo, then retry.",
        )
    mapped = apply(document.rows["customers.user"], customer.record)
    email = customer.source_id.removeprefix(_EMAIL)
    name = " ".join(str(customer.record.get("name") or email).split())
    first, _, last = name.partition(" ")
    body = {
        "name": name,
        "firstname": first,
        **({"surname": last} if last else {}),
        "emailaddress": email,
        "_dont_fire_automations": True,
        **mapped.always,
    }
    # The site is set once: service people may move a user, and that is theirs to decide.
    at_create = {"site_id": client.site_id, "sendwelcomeemail": False, **mapped.at_create}
    return fitted("user", body, at_create, lambda kept: projection(kept, "user", document))


def _client_name(customer: Customer, options: CustomerOptions) -> str:
    record = customer.record
    said = {"company": record.get("company"), "person": record.get("name")}
    said["email"] = record.get("email")
    first = said.pop(options.client_name)
    fallback = f"HighLevel contact {record.get('id') or reference_of(customer.source_id)}"
    if customer.source_id == NOBODY:
        fallback = "HighLevel: without a contact"
    names = (" ".join(str(name).split()) for name in (first, *said.values()) if name)
    return next(filter(None, names), fallback)


def _known_by(customer: Customer) -> str:
    """What no other customer of a tenant has: its address, else its contact's id."""
    if has_email(customer.source_id):
        return customer.source_id.removeprefix(_EMAIL)
    return str(customer.record.get("id") or reference_of(customer.source_id))


def _gone() -> NoReturn:
    """A customer's client is there by the time that anything else of it is, unless it was lost."""
    raise Unmappable(
        "The client of this customer is gone from Halo, and was left so.",
        field="client_id",
        remedy="Change the contact in HighLevel, which has its client made again; then retry.",
    )


def _without_customer(what: str) -> NoReturn:
    raise Unmappable(
        what,
        field="client_id",
        remedy="Add the e-mail in HighLevel, or choose a default client in the mapping; then "
        "retry.",
    )


def _id(value: Any) -> int | None:
    try:
        return int(float(value)) or None
    except (TypeError, ValueError, OverflowError):
        return None
