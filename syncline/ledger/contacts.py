"""Contacts that HighLevel merged: whose customer was known under another one before."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from syncline.ledger.database import text


def merged_into(
    connection: Connection, place: str, contacts: Collection[str]
) -> dict[str, set[str]]:
    """The contacts that were merged into these, however many steps ago; without any left out.

    HighLevel tells it of a contact's transactions alone.

    Args:
        connection: the transaction.
        place: of the location.
        contacts: HighLevel's ids.
    """
    found = connection.execute(
        text(
            """
            with recursive merged as (
                select one as contact, one as older from unnest(cast(:contacts as text[])) as one
                union
                select m.contact, r.canonical ->> 'merged_from_contact_id'
                from merged m
                join record r on r.canonical #>> '{contact,id}' = m.older
                where r.place = :place and r.kind = 'transaction'
                  and r.canonical ->> 'merged_from_contact_id' is not null
            )
            select contact, older from merged where older <> contact
            """
        ),
        {"place": place, "contacts": sorted(contacts)},
    )
    merged: dict[str, set[str]] = {}
    for row in found:
        merged.setdefault(row.contact, set()).add(row.older)
    return merged


def customers_of(
    connection: Connection, place: str, contacts: Collection[str]
) -> dict[str, list[str]]:
    """The customers that these contacts named, the oldest first; those of nobody are left out.

    Args:
        connection: the transaction.
        place: of the tenant, whose the customers are.
        contacts: HighLevel's ids.
    """
    found = connection.execute(
        text(
            """
            select canonical ->> 'id' as contact, foreign_id from record
            where place = :place and kind = 'customer' and erased_at is null
              and canonical ->> 'id' = any(:contacts)
            order by noticed_at, foreign_id
            """
        ),
        {"place": place, "contacts": sorted(contacts)},
    )
    named: dict[str, list[str]] = {}
    for row in found:
        named.setdefault(row.contact, []).append(row.foreign_id)
    return named
