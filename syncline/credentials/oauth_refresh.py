"""The tokens of an installed HighLevel app: kept sealed, renewed by one process for all.

A refresh token is good once, and for 30 s more: asked again, HighLevel gives the same new one. So
that a refresh is begun is committed before the call. A process that dies between answer and commit
leaves that note, and whoever sees it next asks again with the same token, at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from threading import Lock

from pydantic import SecretStr
from sqlalchemy import Connection

from syncline.calls.calls import ApiCalls
from syncline.calls.context import WorkerContext
from syncline.credentials import queries
from syncline.credentials.halo_tokens import TWICE_WITHIN
from syncline.credentials.oauth_grants import ends_soon, keep_grant, read_grant, usable_until
from syncline.credentials.queries import OAUTH, REFRESH_INTENT
from syncline.credentials.stored import keep
from syncline.encryption import Sealer
from syncline.errors import Again, BadCredentials, Refused, SynclineError
from syncline.highlevel.oauth import OAuthEndpoint, OAuthGrant
from syncline.ledger import connections
from syncline.ledger.connections import Link
from syncline.ledger.database import Ledger
from syncline.operations import HIGHLEVEL_TOKEN, LOCATION_TOKEN
from syncline.queues import Lane
from syncline.transport import Counted, Permit


class InstalledTokens:
    """A `TokenSource` over the ledger, for a location that an app is installed in.

    Args:
        ledger: where grants are kept.
        sealer: seals and opens them.
        link: the location's connection.
        endpoint: asks HighLevel; None where the app's id and secret are not set.
        now: the clock, aware UTC.
    """

    installed = True

    def __init__(
        self,
        ledger: Ledger,
        sealer: Sealer,
        link: Link,
        endpoint: OAuthEndpoint | None,
        now: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._sealer = sealer
        self._link = link
        self._endpoint = endpoint
        self._now = now
        self._copy: OAuthGrant | None = None
        self._refused: tuple[SecretStr, datetime] | None = None
        self._renewing = Lock()

    def fresh(self) -> SecretStr | None:
        """The token that may be used now, if there is one."""
        copy = self._copy
        if copy is None or not self._usable(copy):
            place = self._link.location_place
            copy = self._copy = self._ledger.run(lambda c: read_grant(c, self._sealer, place))
        return copy.access if copy is not None and self._usable(copy) else None

    def renew(self, counted: Counted, *, ahead: bool) -> None:
        """Get a fresh token; all processes share it.

        Raises:
            Refused: HighLevel gives none any more; the connection is stopped, and says so.
        """
        with self._renewing:
            if not ahead and self.fresh() is not None:
                return
            if self._link.company_id is None:
                self._copy = self._refreshed(self._link.location_place, counted, None, ahead=ahead)
            else:
                self._copy = self._by_company(counted, ahead=ahead)

    def forget(self, token: SecretStr) -> bool:
        """Never give out this token again; False when the one before it was refused just now."""
        with self._renewing:
            last, self._refused = self._refused, (token, self._now())
        return last is None or last[0] == token or self._refused[1] - last[1] > TWICE_WITHIN

    def _usable(self, grant: OAuthGrant) -> bool:
        if self._refused is not None and self._refused[0] == grant.access:
            return False
        return usable_until(grant) > self._now()

    def _by_company(self, counted: Counted, *, ahead: bool) -> OAuthGrant:
        """The location's token, got with that of its company, which is renewed first if need be."""
        place = f"company:{self._link.company_id}"
        company = self._refreshed(place, counted, None, ahead=ahead)
        try:
            return self._derived(company, counted, ahead=ahead)
        except BadCredentials:
            # The company's token ended before its time; once more with another.
            company = self._refreshed(place, counted, company.access, ahead=ahead)
        except Refused as error:
            raise self._stopped(error, "", place=None) from None
        try:
            return self._derived(company, counted, ahead=ahead)
        except Refused as error:
            raise self._stopped(error, "", place=None) from None

    def _refreshed(
        self, place: str, counted: Counted, stale: SecretStr | None, *, ahead: bool
    ) -> OAuthGrant:
        """What a place was given last, after a refresh where one is needed."""
        of_company = place != self._link.location_place
        with self._ledger.begin() as holding:
            queries.lock(holding, place)
            stored = read_grant(holding, self._sealer, place)
            if stored is None or stored.refresh is None:
                nothing = Refused(f"HighLevel has not let syncline into {self._link.name!r} yet.")
                raise self._stopped(nothing, "", place=None)
            lost = queries.find(holding, place, REFRESH_INTENT) is not None
            if not lost and stored.access != stale and not self._is_due(stored, ahead=ahead):
                return stored
            used = stored.refresh
            asks = self._asking()

            def ask(permit: Permit) -> OAuthGrant:
                # Noted when there is quota, right before it leaves.
                self._ledger.run(lambda connection: self._intend(connection, place))
                return asks.refresh(used, permit.brief(), company=of_company)

            try:
                grant = _refused_twice(lambda: counted(HIGHLEVEL_TOKEN, ask))
            except Refused as error:
                cut = " An earlier refresh was cut before its answer was kept." if lost else ""
                raise self._stopped(error, cut, place=place if of_company else None) from None
            grant = _as_before(grant, stored)
            keep_grant(holding, self._sealer, place, grant)
            return grant

    def _derived(self, company: OAuthGrant, counted: Counted, *, ahead: bool) -> OAuthGrant:
        link = self._link
        with self._ledger.begin() as holding:
            queries.lock(holding, link.location_place)
            stored = read_grant(holding, self._sealer, link.location_place)
            if stored is not None and not self._is_due(stored, ahead=ahead):
                return stored
            asks, company_id = self._asking(), link.company_id or ""

            def ask(permit: Permit) -> OAuthGrant:
                there = link.location_id
                return asks.location_token(company.access, company_id, there, permit.brief())

            grant = _refused_twice(lambda: counted(LOCATION_TOKEN, ask))
            grant = replace(grant, refresh=None)
            keep_grant(holding, self._sealer, link.location_place, grant)
            return grant

    def _is_due(self, grant: OAuthGrant, *, ahead: bool) -> bool:
        return not self._usable(grant) or (ahead and ends_soon(grant, self._now()))

    def _intend(self, connection: Connection, place: str) -> None:
        begun = SecretStr(self._now().isoformat())
        keep(connection, self._sealer, place, REFRESH_INTENT, begun)

    def _asking(self) -> OAuthEndpoint:
        if self._endpoint is None:
            raise Refused(
                f"{self._link.name!r} is reached through an app whose id or secret is not set.",
                remedy="Set SYNCLINE_HIGHLEVEL_CLIENT_ID and SYNCLINE_HIGHLEVEL_CLIENT_SECRET.",
            )
        return self._endpoint

    def _stopped(self, error: Refused, more: str, *, place: str | None) -> Refused:
        """Stop whoever works with this token: no other call will be let in either.

        Args:
            error: what HighLevel said.
            more: what is to be added.
            place: the company whose connections all stop; None for this one alone.
        """
        company = " --company" if self._link.company_id else ""
        said = type(error)(
            f"{error.what}{more}",
            remedy=f"Install the app anew: syncline connect highlevel {self._link.name}{company}",
            status=error.status,
            call_id=error.call_id,
        )

        def work(connection: Connection) -> None:
            # Read anew: what was stored since this link was read is our own renewals, and a person
            # who installs anew waits for the lock that is held here.
            links = [connections.by_id(connection, self._link.id)]
            if place is not None and self._link.company_id is not None:
                links = connections.of_company(connection, self._link.company_id)
            for one in links:
                if one.auth == "oauth":  # a private token may have taken its place meanwhile
                    connections.stop(connection, one, str(said))

        self._ledger.run(work)
        return said


def refresh_due(worker: WorkerContext) -> None:
    """Renew every token that would end soon, or whose refresh was cut, before it is missed.

    Raises:
        SynclineError: one that will not pass by itself and concerns no single connection.
    """
    failures: list[SynclineError] = []
    for link in worker.ledger.run(lambda connection: _due(connection, worker)):
        try:
            line = worker.open_line(link.name)
            api = ApiCalls(worker, (link.id, link.name), line.highlevel_key, Lane.UPKEEP)
            line.highlevel.sign_in(api.read, ahead=True)
        except (Again, Refused):
            # It comes again with the next tick, or its connection was stopped and says why.
            continue
        except SynclineError as error:
            failures.append(error)
    if failures:
        raise failures[0]


def _due(connection: Connection, worker: WorkerContext) -> list[Link]:
    """Connections whose location's or company's token is to be renewed now."""
    now = worker.now()
    due: set[str] = set()
    for stored in queries.everything(connection):
        if stored.purpose == REFRESH_INTENT:
            due.add(stored.owner)
        elif stored.purpose == OAUTH:
            try:
                grant = read_grant(connection, worker.sealer, stored.owner)
            except Refused:
                continue  # who works with it is told so; the others must not wait for it
            if grant is not None and ends_soon(grant, now):
                due.add(stored.owner)
    return [
        link
        for link in connections.everyone(connection)
        if link.reads
        and link.auth == "oauth"
        and (link.location_place in due or link.company_place in due)
    ]


def _as_before(grant: OAuthGrant, stored: OAuthGrant) -> OAuthGrant:
    """A new grant that stays what the old one was where it says nothing, as RFC 6749 has it."""
    return replace(
        grant,
        refresh=grant.refresh or stored.refresh,
        scopes=grant.scopes or stored.scopes,
        location_id=grant.location_id or stored.location_id,
        company_id=grant.company_id or stored.company_id,
    )


def _refused_twice(ask: Callable[[], OAuthGrant]) -> OAuthGrant:
    """What is asked; a refusal counts when it is repeated, and asking again is harmless."""
    try:
        return ask()
    except Refused:
        return ask()
