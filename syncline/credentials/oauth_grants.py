"""What HighLevel granted an installed app: kept sealed, with the time until which it is used."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import BaseModel, SecretStr
from sqlalchemy import Connection

from syncline import jsontext
from syncline.credentials import queries
from syncline.credentials.queries import OAUTH, REFRESH_INTENT
from syncline.credentials.stored import keep
from syncline.encryption import Sealer
from syncline.highlevel.oauth import OAuthGrant

MARGIN = timedelta(seconds=30)
"""How long before its end a token is no longer used, so that no call meets the end on its way."""

AHEAD = timedelta(hours=1)
"""A token with less than this, or than a tenth of its life, is renewed before anybody misses it."""


class _Kept(BaseModel):
    access: str
    refresh: str | None
    got_at: datetime
    expires_at: datetime
    scopes: list[str]
    location_id: str | None
    company_id: str | None


def read_grant(connection: Connection, sealer: Sealer, place: str) -> OAuthGrant | None:
    """What a location or company was given last, if it was given anything."""
    found = queries.find(connection, place, OAUTH)
    if found is None:
        return None
    plain = sealer.open(found[0], f"{place}:{OAUTH}").get_secret_value()
    kept = _Kept.model_validate_json(plain)
    return OAuthGrant(
        access=SecretStr(kept.access),
        refresh=None if kept.refresh is None else SecretStr(kept.refresh),
        got_at=kept.got_at,
        expires_at=kept.expires_at,
        scopes=frozenset(kept.scopes),
        location_id=kept.location_id,
        company_id=kept.company_id,
    )


def keep_grant(connection: Connection, sealer: Sealer, place: str, grant: OAuthGrant) -> None:
    """Seal and store what was given; a refresh that was under way is over."""
    plain = jsontext.dumps(
        {
            "access": grant.access.get_secret_value(),
            "refresh": None if grant.refresh is None else grant.refresh.get_secret_value(),
            "got_at": grant.got_at.isoformat(),
            "expires_at": grant.expires_at.isoformat(),
            "scopes": sorted(grant.scopes),
            "location_id": grant.location_id,
            "company_id": grant.company_id,
        }
    )
    secret = SecretStr(plain.decode())
    keep(connection, sealer, place, OAUTH, secret, expires_at=grant.expires_at)
    queries.remove(connection, place, REFRESH_INTENT)


def usable_until(grant: OAuthGrant) -> datetime:
    """Until when a token is given out."""
    return grant.expires_at - min(MARGIN, _life(grant) / 10)


def ends_soon(grant: OAuthGrant, now: datetime) -> bool:
    """Whether it is time to renew a token that can still be used."""
    life = _life(grant)
    return grant.expires_at - now < max(life / 10, min(AHEAD, life / 2))


def _life(grant: OAuthGrant) -> timedelta:
    return grant.expires_at - grant.got_at
