"""Tenants, locations and connections: who is kept in line with whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy import Connection

from syncline.errors import UnknownName
from syncline.ledger.database import text

BY_HAND = "by hand"
CONNECT_FIRST = "connect first"
ADOPT_FIRST = "adopt first"

BY_A_PERSON = (BY_HAND, CONNECT_FIRST, ADOPT_FIRST)
"""How the notes of connections begin that stand still because a person wants it so."""

_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Link:
    """A connection with everything about its two sides that is no secret."""

    id: int
    name: str
    mode: str
    state: str
    note: str | None
    mapping: str
    start_from: date
    location: int
    location_id: str
    highlevel_url: str
    highlevel_calls: int
    highlevel_seconds: int
    highlevel_daily: int
    auth: str
    company_id: str | None
    account: str | None
    tenant: int
    tenant_name: str
    halo_url: str
    tenant_key: str | None
    client_id: str
    scope: str
    halo_calls: int
    halo_seconds: int
    settle_seconds: int | None
    read_at: datetime

    @property
    def is_emulated(self) -> bool:
        """Whether its HighLevel is the emulation: on this machine there is no other one."""
        return urlsplit(self.highlevel_url).hostname in _THIS_MACHINE

    @property
    def reads(self) -> bool:
        """Whether both sides are looked at."""
        return self.state in {"active", "rehearsing"}

    @property
    def writes(self) -> bool:
        """Whether anything may be changed on either side by what its records ask for."""
        return self.state == "active"

    @property
    def stopped_by_itself(self) -> bool:
        """Whether it was stopped since it could not work, which people shall be told."""
        return self.state == "stopped" and not (self.note or BY_HAND).startswith(BY_A_PERSON)

    @property
    def awaits_adoption(self) -> bool:
        """Whether its Halo may hold already what it would create."""
        return (self.note or "").startswith(ADOPT_FIRST)

    @property
    def location_place(self) -> str:
        """Where HighLevel's records of this connection stand."""
        return f"location:{self.location}"

    @property
    def own_place(self) -> str:
        """Where the secrets of the connection itself stand."""
        return f"connection:{self.id}"

    @property
    def tenant_place(self) -> str:
        """Where what is shared by all connections of the tenant stands."""
        return f"tenant:{self.tenant}"

    @property
    def company_place(self) -> str | None:
        """Where the token of the location's whole agency stands, if it authenticates with that."""
        return None if self.company_id is None else f"company:{self.company_id}"

    def settle(self, default: timedelta) -> timedelta:
        """How long a doubtful delivery waits before it is looked up."""
        if self.settle_seconds is None:
            return default
        return timedelta(seconds=self.settle_seconds)


_SELECT = """
    select c.id, c.name, c.mode, c.state, c.note, c.mapping, c.start_from,
           l.id as location, l.location_id, l.base_url as highlevel_url,
           l.quota_calls as highlevel_calls, l.quota_seconds as highlevel_seconds,
           l.quota_daily as highlevel_daily, l.auth, l.company_id, l.account,
           t.id as tenant, t.name as tenant_name, t.base_url as halo_url, t.tenant_key,
           t.client_id, t.scope, t.quota_calls as halo_calls, t.quota_seconds as halo_seconds,
           t.settle_seconds, clock_timestamp() as read_at
    from connection c join location l on l.id = c.location_id join tenant t on t.id = c.tenant_id
"""


def everyone(connection: Connection) -> list[Link]:
    """All connections, by name."""
    return [Link(*row) for row in connection.execute(text(f"{_SELECT} order by c.name"))]


def by_name(connection: Connection, name: str) -> Link:
    """One connection.

    Raises:
        UnknownName: there is none of that name; the message lists those there are.
    """
    row = connection.execute(text(f"{_SELECT} where c.name = :name"), {"name": name}).first()
    if row is not None:
        return Link(*row)
    known = ", ".join(link.name for link in everyone(connection))
    raise UnknownName(
        f"There is no connection named {name!r}.",
        remedy=f"Known: {known}." if known else "Add one with `syncline connection add NAME`.",
    )


def by_id(connection: Connection, connection_id: int) -> Link:
    """One connection by its id, as the ledger's rows name it."""
    return Link(
        *connection.execute(text(f"{_SELECT} where c.id = :id"), {"id": connection_id}).one()
    )


def of_location(connection: Connection, location_id: str) -> Link | None:
    """The connection of a location, by HighLevel's id of it; a location has one at most."""
    row = connection.execute(
        text(f"{_SELECT} where l.location_id = :id order by c.id limit 1"), {"id": location_id}
    ).first()
    return None if row is None else Link(*row)


def of_company(connection: Connection, company_id: str) -> list[Link]:
    """The connections whose locations are accepted by an installation of the whole agency."""
    found = connection.execute(
        text(f"{_SELECT} where l.company_id = :id and l.auth = 'oauth' order by c.name"),
        {"id": company_id},
    )
    return [Link(*row) for row in found]


def stop(connection: Connection, link: Link, why: str) -> bool:
    """Stop a connection that cannot work until a person changes something.

    Returns:
        False, and nothing is stopped, when a secret has been replaced since the link was read:
        what failed was the old one.
    """
    return bool(
        connection.execute(
            text(
                """
                update connection set state = 'stopped', note = :why
                where id = :id and not exists (
                    select 1 from credential
                    where owner in (:location, :tenant, :company)
                      and purpose not in ('access_token', 'refresh_intent')
                      and updated_at > :read_at)
                """
            ),
            {
                "id": link.id,
                "why": why,
                "location": link.location_place,
                "tenant": link.tenant_place,
                "company": link.company_place,
                "read_at": link.read_at,
            },
        ).rowcount
    )


def hand_over(
    connection: Connection, flows: Sequence[str], *, also_never_worked: Sequence[str] = ()
) -> int:
    """Give what a stopped connection has requested for its whole tenant to another of its tenant.

    Else the orders of connections that work would wait for the customers of one that does not. A
    connection that has never worked, such as one that waits for its adoption, keeps what it asks
    for, but for the flows of `also_never_worked`. Of one that rehearses only that is given away
    which others wait for: it would write nothing by itself. What live records ask for stays with
    those who are live.
    """
    handed_over = _hand_over_waited_for(connection, flows)
    return (
        handed_over
        + connection.execute(
            text(
                """
            update delivery d set connection_id = heir.id
            from connection stopped
            join lateral (
                select id from connection
                where tenant_id = stopped.tenant_id and state = 'active'
                  and (mode = stopped.mode or mode = 'live') order by id limit 1
            ) heir on true
            where stopped.state = 'stopped' and d.connection_id = stopped.id
              and d.state in ('due', 'doubtful', 'waiting')
              and (d.flow = any(:flows) and stopped.owed_under is not null
                   or d.flow = any(:always))
            """
            ),
            {"flows": list(flows), "always": list(also_never_worked)},
        ).rowcount
    )


def _hand_over_waited_for(connection: Connection, flows: Sequence[str]) -> int:
    return connection.execute(
        text(
            """
            update delivery d set connection_id = heir.id
            from connection rehearsing
            join connection heir on heir.tenant_id = rehearsing.tenant_id and heir.state = 'active'
            where rehearsing.state = 'rehearsing' and d.connection_id = rehearsing.id
              and d.state in ('due', 'doubtful', 'waiting') and d.flow = any(:flows)
              and (d.tenant_id, d.flow, d.source_id, d.role) in (
                  select w.tenant_id, w.flow, w.source_id, w.role
                  from wait w join delivery waiting on waiting.id = w.delivery_id
                  where waiting.connection_id = heir.id)
            """
        ),
        {"flows": list(flows)},
    ).rowcount


FLOWS = "2"
"""Raised when flows request or render differently: every record is then looked at again."""

RULES = "md5(mapping || :flows || case mode when 'live' then '' else mode end)"
"""What decides what a connection requests. A mark to compare, no secret."""


def is_as(connection: Connection, link: Link, *, hold: bool = False) -> bool:
    """Whether a connection works as it did when the link was read: its state, mode and mapping.

    A worker keeps a link for seconds, a task to its end. With `hold` the connection stays so until
    the caller's transaction ends.
    """
    found = connection.execute(
        text(
            f"""
            select 1 from connection
            where id = :id and state = :state and mode = :mode and mapping = :mapping
            {"for share" if hold else ""}
            """  # noqa: S608 - constants
        ),
        {"id": link.id, "state": link.state, "mode": link.mode, "mapping": link.mapping},
    )
    return found.first() is not None


def start(connection: Connection, connection_id: int) -> None:
    """Let a connection that was stopped, or rehearses, work for real."""
    connection.execute(
        text("update connection set state = 'active', note = null where id = :id"),
        {"id": connection_id},
    )


def rehearse(connection: Connection, link: Link) -> None:
    """Let a connection read both sides and write to neither; one to be adopted stays that."""
    note = f"nothing is written; for real: syncline connection start {link.name}"
    if link.awaits_adoption:
        note = f"{ADOPT_FIRST}: syncline adopt {link.name}; nothing is written until then"
    connection.execute(
        text("update connection set state = 'rehearsing', note = :note where id = :id"),
        {"id": link.id, "note": note},
    )


def note_adopted(connection: Connection, link: Link) -> None:
    """A connection that is to stay stopped after its adoption waits for a person alone."""
    connection.execute(
        text("update connection set note = :note where id = :id and state = 'stopped'"),
        {"id": link.id, "note": by_hand(link.name)},
    )


def by_hand(name: str) -> str:
    """The note of a connection that a person has stopped."""
    return f"{BY_HAND}; to go on: syncline connection start {name}"


def let_in(connection: Connection, link: Link, *, auth: str, company_id: str | None = None) -> None:
    """Note how HighLevel lets us into a location from now on.

    Args:
        connection: the transaction.
        link: a connection of the location.
        auth: `private` for a private integration token, `oauth` for an installed app.
        company_id: the agency whose token opens the location; None if it has one of its own.
    """
    connection.execute(
        text("update location set auth = :auth, company_id = :company_id where id = :id"),
        {"auth": auth, "company_id": company_id, "id": link.location},
    )
