"""A code of HighLevel's installation page becomes the grant of a connection's location."""

from __future__ import annotations

from dataclasses import replace

from pydantic import SecretStr
from sqlalchemy import Connection

from syncline.actor import actor
from syncline.calls.context import WorkerContext
from syncline.credentials import queries
from syncline.credentials.oauth_grants import keep_grant
from syncline.engine.connection_rules import begin
from syncline.errors import WrongPlace
from syncline.highlevel.oauth import OAuthEndpoint, OAuthGrant
from syncline.ledger import connections, effects
from syncline.ledger.connections import Link
from syncline.operations import HIGHLEVEL_TOKEN, LOCATION_TOKEN
from syncline.transport import Counted


def install(
    worker: WorkerContext,
    link: Link,
    endpoint: OAuthEndpoint,
    counted: Counted,
    code: SecretStr,
    redirect: str,
    *,
    company: bool,
) -> OAuthGrant:
    """Make a code into the grant of a connection's location, and keep it.

    Raises:
        WrongPlace: the app was installed somewhere else; nothing is kept.
        BadCredentials: the code is used up or too old, or the app's secret is wrong.
    """
    grant: OAuthGrant = counted(
        HIGHLEVEL_TOKEN, lambda permit: endpoint.exchange(code, redirect, permit, company=company)
    )
    if company:
        return _install_company(worker, link, endpoint, counted, grant)
    if grant.location_id is None:
        raise WrongPlace(
            "HighLevel let syncline into a whole agency, not into one location.",
            remedy=f"Choose the location {link.location_id}, or give --company.",
        )
    if grant.location_id != link.location_id:
        raise WrongPlace(
            f"The app was installed in the location {grant.location_id}, and {link.name} is kept "
            f"in line with {link.location_id}.",
            remedy=f"Run the command again and choose {link.location_id}.",
        )

    def work(connection: Connection) -> None:
        queries.lock(connection, link.location_place)
        keep_grant(connection, worker.sealer, link.location_place, grant)
        _let_in(connection, link, None, actor(worker.settings))

    worker.ledger.run(work)
    return grant


def _install_company(
    worker: WorkerContext,
    link: Link,
    endpoint: OAuthEndpoint,
    counted: Counted,
    company: OAuthGrant,
) -> OAuthGrant:
    company_id = company.company_id
    if company_id is None or company.location_id is not None:
        raise WrongPlace(
            "HighLevel let syncline into one location, not into a whole agency.",
            remedy="Choose the agency, or leave out --company.",
        )
    place = f"company:{company_id}"

    def work(connection: Connection) -> None:
        queries.lock(connection, place)
        keep_grant(connection, worker.sealer, place, company)

    # The company's token is good for its other locations, even if this one turns out not to be.
    worker.ledger.run(work)
    grant: OAuthGrant = counted(
        LOCATION_TOKEN,
        lambda permit: endpoint.location_token(
            company.access, company_id, link.location_id, permit
        ),
    )

    def let_in(connection: Connection) -> None:
        queries.lock(connection, link.location_place)
        own = replace(grant, refresh=None)
        keep_grant(connection, worker.sealer, link.location_place, own)
        _let_in(connection, link, company_id, actor(worker.settings))

    worker.ledger.run(let_in)
    return grant


def _let_in(connection: Connection, link: Link, company_id: str | None, by: str) -> None:
    after = {"auth": "oauth", "company": company_id}
    what = "connect highlevel"
    effects.decided(connection, link.id, what=what, subject=link.name, by=by, after=after)
    connections.let_in(connection, link, auth="oauth", company_id=company_id)
    queries.remove(connection, link.location_place, "private_token")
    # It may have been stopped while a person chose the account in the browser.
    link = connections.by_id(connection, link.id)
    if link.state == "stopped" and f"syncline connect highlevel {link.name}" in (link.note or ""):
        begin(connection, link)
