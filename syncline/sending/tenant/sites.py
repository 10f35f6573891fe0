"""The main site of a client, without which it can have neither users nor orders.

Whether a tenant makes one with the client, and shows it in the answer, is not documented. So it is
found in the list of sites, and made where there is none; a client that gets none asks a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from syncline.calls.calls import ApiCalls, NoQuota, Planned
from syncline.calls.changes import made
from syncline.calls.context import Line
from syncline.errors import (
    Absent,
    Again,
    Doubtful,
    MissingScope,
    Rejected,
    SynclineError,
    Unmappable,
)
from syncline.halo.entities.resources import SITE, AnyResource
from syncline.halo.entities.rows import next_page, save_row
from syncline.halo.models import HaloRow, SiteRow, whole
from syncline.halo.paging import PageWalk
from syncline.ledger import effects
from syncline.sending.tenant.by_id import Row, by_id

NAME = "Main"
"""What a site is called that we make: as Halo calls that which it makes itself."""

MOST_READ = 10
"""Sites that are read one by one where a list does not say whose they are."""

_FLOW = "customers"


def with_sites(
    line: Line, api: ApiCalls, _resource: AnyResource, clients: Mapping[int, HaloRow]
) -> dict[int, Row]:
    """Clients with their main sites, by the number of the delivery.

    One that is refused is left out, and stays in doubt. One whose site cannot be asked for just
    now, or may be in the making, comes with that: the site is to show before it is made again.
    """
    found: dict[int, Row] = {}
    for key, client in clients.items():
        try:
            site = site_of(line, api, client.id)
        except (Doubtful, Unmappable, Again) as error:
            found[key] = error
        except SynclineError:
            continue
        else:
            found[key] = client.of({**client.raw, "main_site_id": site})
    return found


def site_of(line: Line, api: ApiCalls, client_id: int) -> int:
    """The main site of a client: the oldest that it has, else one that is made.

    Raises:
        Unmappable: it has none, and gets none.
        Doubtful: it is not known whether one was made.
        SynclineError: Halo could not be asked, or answered with something else.
    """
    try:
        sites = _sites(line, api, client_id)
        standing = [one for one in sites if not one.inactive] or sites
        return min(one.id for one in standing) if standing else _make(line, api, client_id)
    except (Absent, MissingScope, Rejected) as error:
        raise Unmappable(
            f"Halo's client {client_id} has no site, and gets none: {error.what}",
            field="main_site_id",
            remedy="Give the client a site in Halo, then retry.",
        ) from None


def _sites(line: Line, api: ApiCalls, client_id: int) -> list[SiteRow]:
    """The client's own: a tenant that does not know the filter shows those of everybody.

    The newest come first, so one that came with its client stands on the first pages. That there is
    none is only known at the end of the list.

    Raises:
        Doubtful: the list changed meanwhile, or does not show all.
        Again: it could not be asked for.
        Unmappable: it does not say whose sites it shows.
    """
    walk = PageWalk({**SITE.newest_first, "client_id": str(client_id)}, key=SITE.list_key)
    found: list[SiteRow] = []
    of_nobody: list[SiteRow] = []
    while not (walk.finished or found):
        rows = api.read(f"GET {SITE.path}", lambda permit: next_page(line.halo, permit, SITE, walk))
        found += [one for one in rows if one.client_id == client_id]
        of_nobody += [one for one in rows if one.client_id is None]
    if found:
        return found
    own = _told_by_id(line, api, client_id, of_nobody) if of_nobody else []

    def may_be_its_own(row: Mapping[str, Any]) -> bool:
        return whole(row.get("client_id")) in (None, client_id)

    if not (own or walk.proves_absence_of(may_be_its_own)):
        why = ": it shows sites without an id" if walk.illegible else ""
        raise Doubtful(
            f"Halo's list {SITE.path} does not show whether client {client_id} has a site{why}.",
            remedy="It is looked up again before one is made.",
        )
    return own


def _told_by_id(
    line: Line, api: ApiCalls, client_id: int, rows: Sequence[SiteRow]
) -> list[SiteRow]:
    """The client's own of rows that do not say whose they are in the list: read by their ids."""
    asked = {row.id: row for row in rows[:MOST_READ]}
    read = by_id(line, api, SITE, asked)
    sites = [row for row in read.values() if isinstance(row, SiteRow)]
    if own := [one for one in sites if one.client_id == client_id]:
        return own
    for error in read.values():
        if isinstance(error, Again):
            raise error
    if len(read) < len(asked):
        raise NoQuota(f"The quota is used up before all sites for client {client_id} were read.")
    if len(sites) < len(rows) or any(one.client_id is None for one in sites):
        raise Unmappable(
            f"Halo does not say whose its sites are, so it is not known whether client {client_id}"
            " has one.",
            field="main_site_id",
            remedy="Give our application's agent leave to see the client of a site, then retry.",
        )
    return []


def _make(line: Line, api: ApiCalls, client_id: int) -> int:
    body = {"name": NAME, "client_id": client_id, "_dont_fire_automations": True}

    def note(connection: Connection, site: SiteRow, call_id: UUID) -> None:
        effects.note(
            connection,
            line.link.id,
            flow=_FLOW,
            effect="create",
            target="site",
            target_id=str(site.id),
            reference=f"client {client_id}",
            call_id=call_id,
            cause="its client came without a site",
        )

    planned = Planned(f"POST {SITE.path}")
    return made(
        line.worker, api, planned, lambda permit: save_row(line.halo, permit, SITE, body), note
    ).id
