"""The customers whom records need: requested of what is known of each, one of a tenant."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection

from syncline.deliveries import requests
from syncline.deliveries.requests import DeliveryRequest
from syncline.flows import customers, payments
from syncline.flows.flow import RequestedDelivery
from syncline.ingest.rereading import Canonical
from syncline.ledger import records
from syncline.ledger.connections import Link
from syncline.mapping.document import Document


def people_of(
    document: Document, kind: str, needing: Iterable[Canonical]
) -> dict[str, dict[str, Any]]:
    """The customers whom records of a kind need, by source id, with what is known of each."""
    people: dict[str, dict[str, Any]] = {}
    for record in needing:
        of_order = kind == "transaction" and payments.order_of(record)
        contact = record.get("contact") or {}
        key = customers.key_of(contact, document)
        if key is not None and not of_order:
            told = {} if key == customers.NOBODY else _filled(contact)
            people[key] = {**told, **people.get(key, {})}
    return people


def request_people(
    connection: Connection,
    link: Link,
    people: Mapping[str, Canonical],
    cause: str,
    standing: Collection[str] = (),
    *,
    again: bool = False,
) -> list[DeliveryRequest]:
    """Keep what is new of customers, and say what they ask for; the first contact names them.

    One who is known asks for nothing, unless nothing was asked for them yet.

    Args:
        connection: the transaction.
        link: whose tenant it is.
        people: the customers by source id, with what is known of each.
        cause: what showed them.
        standing: further ones, of whom nothing is to be kept.
        again: whether those who are known ask too where nothing of them is new.
    """
    if not people and not standing:
        return []
    place = link.tenant_place
    records.lock(connection, place, "customer")
    stored = records.load(connection, place, "customer", sorted({*people, *standing}))
    fresh = [
        version
        for key, contact in people.items()
        if (version := _next_customer(key, contact, stored.get(key))) is not None
    ]
    records.save_versions(connection, place, "customer", fresh, cause)
    versions = {one.foreign_id: one.version for one in fresh}
    known = stored.keys() - versions.keys()
    if not again and known:  # but for those for whom nobody asks any more, as after an adoption
        known -= requests.existing_roles(connection, link.tenant, customers.FLOW, [*known]).keys()
    versions |= {key: stored[key].version for key in known}
    return [
        request_of(wanted, place, version)
        for key, version in versions.items()
        for wanted in customers.delivery_requests(key)
    ]


def request_of(wanted: RequestedDelivery, place: str, version: int) -> DeliveryRequest:
    """What a flow wants, asked for by a version of the record at its place."""
    return DeliveryRequest(
        flow=wanted.flow,
        source_kind=wanted.source_kind,
        source_id=wanted.source_id,
        role=wanted.role,
        target=wanted.target,
        place=place,
        version=version,
    )


def _filled(contact: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in contact.items() if value}


def _next_customer(
    key: str, contact: Canonical, before: records.StoredRecord | None
) -> records.NewVersion | None:
    known = {} if before is None else before.canonical
    if known and known.get("id") != contact.get("id"):
        return None  # a second contact with the same e-mail renames nobody
    return records.next_version(key, {**known, **contact}, before)
