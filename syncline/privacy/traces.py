"""Where the ledger holds something about one contact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from syncline.ledger.database import text
from syncline.privacy.texts import pattern_of


@dataclass(frozen=True, slots=True)
class Person:
    """Who is to be erased: ids of HighLevel's contacts, and normalised addresses."""

    contacts: frozenset[str]
    emails: frozenset[str]


@dataclass(frozen=True, slots=True)
class HeldRecord:
    """A record about the person."""

    place: str
    kind: str
    foreign_id: str


@dataclass(frozen=True, slots=True)
class Traces:
    """Where the ledger holds something about a person.

    Attributes:
        records: its orders, transactions, subscriptions, their consignments, and itself as a
            customer.
        told: alerts that name it.
        changes: numbers of changes that show it, of these and of records that were its own once.
        effects: numbers of audit entries of these records.
        events: numbers of webhooks that tell of it; those not yet handled are not among them.
        at_work: deliveries of it that a worker has in its hands, or whose outcome is unknown.
        unhandled: webhooks that are still to be handled.
        pattern: what names it in texts, as `erasure_texts.pattern_of` gives it.
    """

    records: tuple[HeldRecord, ...]
    told: tuple[HeldRecord, ...]
    changes: tuple[int, ...]
    effects: tuple[int, ...]
    events: tuple[int, ...]
    at_work: int
    unhandled: int
    pattern: str | None


def person(connection: Connection, wanted: str) -> Person:
    """The ids and addresses that belong together: of a contact's id, or of an e-mail address."""
    if "@" in wanted:
        email = wanted.strip().lower()
        contacts = _column(
            connection,
            """
            select distinct coalesce(canonical -> 'contact' ->> 'id', canonical ->> 'id')
            from record where canonical -> 'contact' ->> 'email' = :wanted
                           or (kind = 'customer' and foreign_id = 'email:' || :wanted)
            """,
            wanted=email,
        )
        return Person(frozenset(contacts), frozenset({email}))
    emails = _column(
        connection,
        """
        select distinct coalesce(canonical -> 'contact' ->> 'email', canonical ->> 'email')
        from record where canonical -> 'contact' ->> 'id' = :wanted
                       or (kind = 'customer' and canonical ->> 'id' = :wanted)
        """,
        wanted=wanted,
    )
    return Person(frozenset({wanted}), frozenset(emails))


def traces(connection: Connection, who: Person) -> Traces:
    """Where the person stands in the ledger."""
    given = {"contacts": sorted(who.contacts), "emails": sorted(who.emails)}
    own = connection.execute(
        text(
            """
            select place, kind, foreign_id,
                   case kind when 'customer' then canonical else canonical -> 'contact' end as said
            from record
            where canonical -> 'contact' ->> 'id' = any(:contacts)
               or canonical -> 'contact' ->> 'email' = any(:emails)
               or (kind = 'customer' and (canonical ->> 'id' = any(:contacts)
                                          or canonical ->> 'email' = any(:emails)))
            order by place, kind, foreign_id
            """
        ),
        given,
    ).all()
    pattern = pattern_of((row.said for row in own), who.emails)
    sent = _held(
        connection,
        "kind = 'consignment' and canonical ->> 'order_id' = any(:orders)",
        orders=[row.foreign_id for row in own if row.kind == "order"],
    )
    told = _held(connection, "kind = 'alert' and cast(canonical as text) ~* :it", it=pattern)
    records = (*(HeldRecord(*row[:3]) for row in own), *sent)
    ids = [one.foreign_id for one in records]
    given["ids"] = [*ids, *(one.foreign_id for one in told)]
    changes = _column(
        connection,
        """
        select id from change
        where foreign_id = any(:ids)
           or fields #>> '{contact,0,id}' = any(:contacts)
           or fields #>> '{contact,1,id}' = any(:contacts)
           or fields #>> '{contact,0,email}' = any(:emails)
           or fields #>> '{contact,1,email}' = any(:emails)
        order by id
        """,
        **given,
    )
    effects = _column(
        connection,
        "select id from audit_entry where source_id = any(:ids) order by id",
        ids=given["ids"],
    )
    events, unhandled = _events(connection, ids, who)
    at_work = connection.execute(
        text(
            """
            select count(*) from delivery where source_id = any(:ids)
              and state in ('leased', 'sending', 'checking', 'doubtful')
            """
        ),
        {"ids": given["ids"]},
    ).scalar_one()
    return Traces(
        records=records,
        told=told,
        changes=tuple(changes),
        effects=tuple(effects),
        events=tuple(events),
        at_work=int(at_work),
        unhandled=unhandled,
        pattern=pattern,
    )


def _held(connection: Connection, where: str, **values: Any) -> tuple[HeldRecord, ...]:
    found = connection.execute(
        text(f"select place, kind, foreign_id from record where {where} order by 1, 2, 3"),  # noqa: S608 - conditions of ours
        values,
    )
    return tuple(HeldRecord(*row) for row in found)


def _events(connection: Connection, ids: Sequence[str], who: Person) -> tuple[list[int], int]:
    found = connection.execute(
        text(
            """
            select id, state from event
            where foreign_id = any(:ids)
               or exists (select from unnest(cast(:needles as text[])) as n (word)
                          where position(convert_to(word, 'UTF8') in body) > 0)
            """
        ),
        {"ids": list(ids), "needles": sorted({*who.contacts, *who.emails})},
    ).all()
    return [row.id for row in found if row.state != "new"], sum(
        1 for row in found if row.state == "new"
    )


def _column(connection: Connection, sql: str, **values: Any) -> list[Any]:
    return [one for one in connection.execute(text(sql), values).scalars() if one is not None]
