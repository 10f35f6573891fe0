"""`syncline connect`: let an app of HighLevel's marketplace into a connection's location."""

from __future__ import annotations

import secrets
import sys
import webbrowser
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

import typer
from pydantic import SecretStr

from syncline.calls.calls import ApiCalls, NoQuota
from syncline.calls.context import WorkerContext
from syncline.calls.quota_keys import highlevel_key
from syncline.credentials.callback import listening
from syncline.credentials.oauth_install import install
from syncline.credentials.scopes import COMPANY_SCOPES, asked, compare, highlevel_needs
from syncline.errors import Refused, SynclineError
from syncline.highlevel.oauth import OAuthEndpoint, OAuthGrant, authorize_url
from syncline.ledger import connections
from syncline.ledger.connections import Link
from syncline.mapping.parsing import load
from syncline.queues import Lane
from syncline.quota.keys import QuotaKey
from syncline.settings import Settings
from syncline.terminal.context import command_context
from syncline.terminal.messages import one_line
from syncline.terminal.output import AsJson, group, plain, show
from syncline.transport import Counted, Permit, Transport

app = group("connect", "Let an app of HighLevel's marketplace into a location.")

_HERE = frozenset({"127.0.0.1", "localhost"})


@app.callback()
def connect() -> None:
    """Let an app of HighLevel's marketplace into a location."""


_TURN_SECONDS = 60.0
"""How long a call waits while workers use up the quota."""


@dataclass(frozen=True, slots=True)
class _Connected:
    connection: str
    location: str
    company: str | None
    scopes: list[str]
    missing: list[str]
    not_needed: list[str]
    expires_at: datetime
    goes_on: bool


@app.command("highlevel")
def highlevel(
    context: typer.Context,
    *,
    connection: Annotated[str, typer.Argument(metavar="CONNECTION", help="The connection's name.")],
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Whether to open a browser here.")
    ] = True,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Where the page listens; 0 takes a free port."),
    ] = None,
    company: Annotated[
        bool, typer.Option("--company", help="Let the app into the whole agency.")
    ] = False,
    code: Annotated[
        str | None,
        typer.Option(
            metavar="CODE",
            help="The code, or the address that the browser ended on; - reads standard input.",
        ),
    ] = None,
    wait: Annotated[float, typer.Option(min=1, help="Seconds to wait for the browser.")] = 300,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the address, and wait for nobody.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send you to HighLevel to choose the location, and keep the tokens that it gives.

    Prints the address; the browser comes back to a page on this machine that says how it went.
    On a machine without a browser: open the address anywhere, and paste with --code what came back.

    Example: syncline connect highlevel acme
    """
    here = command_context(context)
    settings = here.settings()
    client_id, client_secret = _app(settings)
    with here.open() as worker, closing(Transport(connections=1)) as transport:
        link = worker.ledger.run(lambda database: connections.by_name(database, connection))
        wizard = _Wizard(
            worker=worker,
            link=link,
            counted=_in_turn(worker, link, highlevel_key(link)),
            endpoint=OAuthEndpoint(
                transport,
                base_url=link.highlevel_url,
                client_id=client_id,
                client_secret=client_secret,
                now=worker.now,
            ),
            company=company,
        )
        redirect = _redirect(settings, port)
        if dry_run:
            page = _Page(settings.highlevel_authorize_url, client_id, redirect, browser, wait)
            wizard.tell(page, redirect, "dry-run")
            return
        if code is not None:
            grant = wizard.exchange(_pasted(code), redirect)
        else:
            page = _Page(settings.highlevel_authorize_url, client_id, redirect, browser, wait)
            grant = wizard.ask(page)
        connected = wizard.connected(grant)
    show(as_json, connected, lambda: plain(_told(connected)))
    if connected.missing:
        raise typer.Exit(2)


@dataclass(frozen=True, slots=True)
class _Page:
    """Where a person is sent, and how long they may take."""

    authorize: str
    client_id: str
    redirect: str
    browser: bool
    wait_s: float


@dataclass(frozen=True, slots=True)
class _Wizard:
    """What it takes to let the app into one connection's location."""

    worker: WorkerContext
    link: Link
    counted: Counted
    endpoint: OAuthEndpoint
    company: bool

    def ask(self, page: _Page) -> OAuthGrant:
        """Send a person to HighLevel and wait for the browser to come back."""
        parts = urlsplit(page.redirect)
        if parts.scheme != "http" or parts.hostname not in _HERE:
            self.tell(page, page.redirect, secrets.token_urlsafe(32))
            raise Refused(
                f"HighLevel sends the browser back to {page.redirect}, not to this machine.",
                remedy="Open the address above, then run this command with --code and what the "
                "browser's address holds after code=.",
            )
        state = secrets.token_urlsafe(32)
        with listening(page.redirect, state) as callback:
            address = self.tell(page, callback.address, state)
            if page.browser:
                webbrowser.open(address)
            came = callback.code(page.wait_s)
            try:
                grant = self.exchange(came, callback.address)
            except SynclineError as error:
                callback.show("Not connected", str(error))
                raise
            callback.show(
                f"{self.link.name} is connected",
                f"syncline may now use the location {self.link.location_id}. "
                "This page can be closed.",
            )
        return grant

    def exchange(self, code: SecretStr, redirect: str) -> OAuthGrant:
        """Make the code into tokens, and keep them."""
        return install(
            self.worker,
            self.link,
            self.endpoint,
            self.counted,
            code,
            redirect,
            company=self.company,
        )

    def connected(self, grant: OAuthGrant) -> _Connected:
        """How it stands now."""
        link = self.worker.ledger.run(
            lambda database: connections.by_name(database, self.link.name)
        )
        # What opens a company's locations is granted to the company's token, not to this one.
        scopes = grant.scopes - COMPANY_SCOPES if self.company else grant.scopes
        compared = compare(highlevel_needs(load(link.mapping)), scopes)
        return _Connected(
            connection=link.name,
            location=link.location_id,
            company=link.company_id,
            scopes=sorted(grant.scopes),
            missing=[need.scopes[0] for need in compared.missing] if grant.scopes else [],
            not_needed=list(compared.unneeded),
            expires_at=grant.expires_at,
            goes_on=link.state == "active",
        )

    def tell(self, page: _Page, redirect: str, state: str) -> str:
        """Say where a person is to go; returns the address."""
        address = authorize_url(
            page.authorize,
            client_id=page.client_id,
            redirect=redirect,
            scopes=asked(highlevel_needs(load(self.link.mapping), company=self.company)),
            state=state,
        )
        # On standard error, so that --json prints one document and nothing else.
        typer.echo(f"Choose the location {self.link.location_id} here: {address}", err=True)
        return address


def _in_turn(worker: WorkerContext, link: Link, key: QuotaKey) -> Counted:
    """Calls that wait for their turn, as a code can be used once: a person has come for it."""
    api = ApiCalls(worker, (link.id, link.name), key, Lane.EVENTS)

    def counted(operation: str, make: Callable[[Permit], Any]) -> Any:
        give_up = worker.monotonic() + _TURN_SECONDS
        while True:
            try:
                return api.read(operation, make)
            except NoQuota as error:
                if worker.monotonic() > give_up:
                    raise
                pause = min(max(error.after.total_seconds(), 0.05), _TURN_SECONDS)
                worker.patience.rest(key.name, pause, worker.sleep)

    return counted


def _app(settings: Settings) -> tuple[str, SecretStr]:
    if settings.highlevel_client_id is None or settings.highlevel_client_secret is None:
        raise Refused(
            "There is no app to connect with.",
            remedy="Set SYNCLINE_HIGHLEVEL_CLIENT_ID and SYNCLINE_HIGHLEVEL_CLIENT_SECRET, as "
            "HighLevel's marketplace shows them for your app.",
        )
    return settings.highlevel_client_id, settings.highlevel_client_secret


def _redirect(settings: Settings, port: int | None) -> str:
    if port is None:
        return settings.highlevel_redirect
    parts = urlsplit(settings.highlevel_redirect)
    return parts._replace(netloc=f"{parts.hostname}:{port}").geturl()


def _pasted(text: str) -> SecretStr:
    """The code in what was pasted: alone, or with the whole address around it."""
    given = (sys.stdin.readline() if text == "-" else text).strip()
    if "code=" in given:
        query = urlsplit(given).query or given
        given = parse_qs(query).get("code", [""])[0]
    if not given or not given.isprintable() or " " in given:
        raise Refused(
            "There is no code in what was pasted.",
            remedy="Copy what stands after code= in the address that the browser ended on.",
        )
    return SecretStr(given)


def _told(connected: _Connected) -> str:
    parts = [
        f"{connected.connection} is connected: location {connected.location}"
        + (f", through the agency {connected.company}." if connected.company else ".")
    ]
    if connected.missing:
        parts.append(
            f"Scopes are missing: {', '.join(connected.missing)}. Give them to the app on "
            "HighLevel's marketplace, then run this command again."
        )
    if connected.not_needed:
        parts.append(f"Granted and not needed: {', '.join(connected.not_needed)}.")
    if not connected.goes_on:
        parts.append("It stands still; see: syncline connection list")
    parts.append(f"Next: syncline connection check {connected.connection}")
    return one_line(" ".join(parts))
