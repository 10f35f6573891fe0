"""The sandbox's marketplace app, let into its location by a person."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from pydantic import SecretStr

from syncline.calls.calls import ApiCalls
from syncline.calls.quota_keys import highlevel_key
from syncline.credentials import oauth_install
from syncline.highlevel.oauth import authorize_url
from syncline.ledger import connections
from syncline.ledger.connections import Link
from syncline.queues import Lane
from syncline.sandbox.config import APP_SCOPES, SandboxConfig
from syncline.transport import Transport
from tests.world import NAME, World
from workers.lines import oauth_endpoint

REDIRECT = "http://127.0.0.1:8734/callback"


APP: dict[str, Any] = {
    "highlevel_client_id": SandboxConfig().oauth_client_id,
    "highlevel_client_secret": SecretStr(SandboxConfig().oauth_client_secret),
}


def link_of(world: World) -> Link:
    return world.worker.ledger.run(lambda c: connections.by_name(c, NAME))


def install(world: World, *, company: bool = False, link: Link | None = None) -> None:
    """A person lets the app into the location, or into its whole company."""
    page = authorize_url(
        f"{world.sandbox.highlevel_url}/v2/oauth/chooselocation",
        client_id=SandboxConfig().oauth_client_id,
        redirect=REDIRECT,
        scopes=APP_SCOPES,
        state="s",
    )
    code = parse_qs(urlsplit(httpx.get(page).headers["location"]).query)["code"][0]
    link = link or link_of(world)
    transport = Transport(connections=1)
    endpoint = oauth_endpoint(world.settings, transport, link, world.worker.now)
    assert endpoint is not None
    api = ApiCalls(world.worker, (link.id, link.name), highlevel_key(link), Lane.UPKEEP)
    try:
        oauth_install.install(
            world.worker, link, endpoint, api.read, SecretStr(code), REDIRECT, company=company
        )
    finally:
        transport.close()
    world.reopened()
