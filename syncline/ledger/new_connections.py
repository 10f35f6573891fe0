"""A connection is added: its location and its tenant are found, or made with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from syncline.errors import Refused
from syncline.ledger.connections import FLOWS, RULES, Link, by_id
from syncline.ledger.database import text


@dataclass(frozen=True, slots=True)
class NewConnection:
    """What is needed to add a connection; secrets are stored apart, sealed."""

    name: str
    location_id: str
    highlevel_url: str
    highlevel_calls: int
    highlevel_seconds: int
    highlevel_daily: int
    halo_url: str
    tenant_key: str | None
    client_id: str
    scope: str
    halo_calls: int
    halo_seconds: int
    settle_seconds: int | None
    mapping: str
    mode: str
    start_from: date
    auth: str = "private"
    account: str | None = None


def add(connection: Connection, new: NewConnection) -> Link:
    """Add a connection; its location and tenant are found by id and URL, or made.

    Raises:
        Refused: the name or the pair of location and tenant is taken.
    """
    _refuse_if_taken(connection, new)
    location, tenant = _location(connection, new), _tenant(connection, new)
    made = connection.execute(
        text(
            f"""
            insert into connection (name, location_id, tenant_id, mapping, mode, start_from,
                                    owed_under)
            select name, location, tenant, mapping, mode, start_from, {RULES}
            from (values (:name, cast(:location as bigint), cast(:tenant as bigint), :mapping,
                          :mode, cast(:start_from as date)))
                 as new (name, location, tenant, mapping, mode, start_from)
            on conflict (location_id, tenant_id) do nothing
            returning id
            """  # noqa: S608 - built from a constant
        ),
        {
            "name": new.name,
            "location": location,
            "tenant": tenant,
            "mapping": new.mapping,
            "mode": new.mode,
            "start_from": new.start_from,
            "flows": FLOWS,
        },
    ).first()
    if made is None:
        raise Refused(
            f"Location {new.location_id} and {new.halo_url} are connected already.",
            remedy="See `syncline connection list`.",
        )
    return by_id(connection, made.id)


def _refuse_if_taken(connection: Connection, new: NewConnection) -> None:
    taken = connection.execute(
        text("select 1 from connection where name = :name"), {"name": new.name}
    ).first()
    if taken is not None:
        raise Refused(
            f"A connection named {new.name!r} exists already.", remedy="Choose another name."
        )
    other = connection.execute(
        text(
            """
            select c.name from connection c
            join location l on l.id = c.location_id join tenant t on t.id = c.tenant_id
            where l.location_id = :location_id and t.base_url <> :base_url limit 1
            """
        ),
        {"location_id": new.location_id, "base_url": new.halo_url},
    ).first()
    if other is not None:
        # What is new to one Halo is not new to the other, so the second would get nothing.
        raise Refused(
            f"Location {new.location_id} is connected to another Halo already: {other.name}.",
            remedy="A location is kept in line with one Halo.",
        )


def _location(connection: Connection, new: NewConnection) -> int:
    """The location's row, with the address and the limits that are given now."""
    found: int = connection.execute(
        text(
            """
            insert into location (location_id, base_url, quota_calls, quota_seconds, quota_daily,
                                  auth, account)
            values (:location_id, :base_url, :calls, :seconds, :daily, :auth, :account)
            on conflict (location_id) do update
            set base_url = excluded.base_url, quota_calls = excluded.quota_calls,
                quota_seconds = excluded.quota_seconds, quota_daily = excluded.quota_daily,
                auth = excluded.auth, account = excluded.account
            returning id
            """
        ),
        {
            "location_id": new.location_id,
            "base_url": new.highlevel_url,
            "calls": new.highlevel_calls,
            "seconds": new.highlevel_seconds,
            "daily": new.highlevel_daily,
            "auth": new.auth,
            "account": new.account,
        },
    ).scalar_one()
    return found


def _tenant(connection: Connection, new: NewConnection) -> int:
    """The tenant's row, with the limits that are given now.

    Raises:
        Refused: it is known with another client id.
    """
    found: int | None = connection.execute(
        text(
            """
            insert into tenant (name, base_url, tenant_key, client_id, scope, quota_calls,
                                quota_seconds, settle_seconds)
            values (:name, :base_url, :tenant_key, :client_id, :scope, :calls, :seconds, :settle)
            on conflict (base_url) do update
            set tenant_key = excluded.tenant_key,
                scope = excluded.scope, quota_calls = excluded.quota_calls,
                quota_seconds = excluded.quota_seconds, settle_seconds = excluded.settle_seconds
            where tenant.client_id = excluded.client_id
            returning id
            """
        ),
        {
            "name": new.name,
            "base_url": new.halo_url,
            "tenant_key": new.tenant_key,
            "client_id": new.client_id,
            "scope": new.scope,
            "calls": new.halo_calls,
            "seconds": new.halo_seconds,
            "settle": new.settle_seconds,
        },
    ).scalar_one_or_none()
    if found is None:
        raise Refused(
            f"{new.halo_url} is connected already, with another client id.",
            remedy="Use the client id of `syncline connection list`: one Halo has one application.",
        )
    return found
