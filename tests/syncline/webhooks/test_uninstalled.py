"""An app that was uninstalled stops its connection, unless something newer lets us in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pydantic import SecretStr
from sqlalchemy import Connection

from syncline.credentials.oauth_grants import keep_grant
from syncline.highlevel.oauth import OAuthGrant
from syncline.ledger import connections
from syncline.sandbox.config import LOCATION
from syncline.webhooks import handling
from tests.events import arrive, event, event_states
from tests.world import NAME, World


def installed(world: World) -> None:
    """The location is reached through an installed app."""
    ends = datetime.now(UTC) + timedelta(days=1)
    grant = OAuthGrant(SecretStr("a"), SecretStr("r"), ends, ends, frozenset(), LOCATION, None)
    link = world.worker.open_line(NAME).link

    def work(connection: Connection) -> None:
        keep_grant(connection, world.worker.sealer, link.location_place, grant)
        connections.let_in(connection, link, auth="oauth")

    world.worker.ledger.run(work)
    world.reopened()


def test_an_uninstalled_app_stops_its_connection_and_says_what_to_do(world: World) -> None:
    installed(world)
    arrive(world, event("UNINSTALL", {"companyId": "c1"}))
    handling.handle(world.worker)
    link = world.reopened().link
    assert link.state == "stopped"
    assert "uninstalled" in str(link.note)
    assert "syncline connect highlevel acme" in str(link.note)


def test_an_app_that_was_uninstalled_after_a_private_token_took_its_place_stops_nothing(
    world: World,
) -> None:
    arrive(world, event("UNINSTALL", {"companyId": "c1"}))
    handling.handle(world.worker)
    assert world.reopened().link.state == "active"
    assert event_states(world) == [("done", "let in otherwise, or anew: acme")]


def test_an_uninstallation_that_comes_after_the_app_was_installed_anew_stops_nothing(
    world: World,
) -> None:
    installed(world)
    sent = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    arrive(world, event("UNINSTALL", {"companyId": "c1", "timestamp": sent}))
    handling.handle(world.worker)
    assert world.reopened().link.state == "active"
