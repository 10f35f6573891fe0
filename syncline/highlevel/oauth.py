"""HighLevel's OAuth: the page to send a person to, codes and refresh tokens into access tokens.

Source: the authorization page and the `oauth` specification of HighLevel's API. A refresh token is
used once; asked again with the same one within 30 s, HighLevel gives the same new one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from pydantic import BaseModel, SecretStr

from syncline import leniency, strangers
from syncline.errors import (
    Absent,
    BadCredentials,
    Doubtful,
    Refused,
    Rejected,
    SynclineError,
    Unreadable,
)
from syncline.highlevel import answers
from syncline.highlevel.client import SIDE
from syncline.leniency import Indispensable
from syncline.operations import HIGHLEVEL_TOKEN, LOCATION_TOKEN, life_of, token_in
from syncline.transport import Answer, Permit, Transport

VERSION = "2021-07-28"
"""Asked for by every call but `POST /oauth/token`."""

_UNTOLD_LIFE = timedelta(hours=1)
"""Of a token of which HighLevel does not say how long it lives; it gives a day."""


class _Answer(BaseModel):
    """What a token call gives; both ways of asking share this shape.

    What is nonsense in any other field than the tokens is left out: by then the refresh token is
    used up, and this answer holds the only next one.

    Source: the `oauth` specification, which requires nothing of it but the user's id.
    """

    access_token: SecretStr
    expires_in: Any = None
    refresh_token: Indispensable[SecretStr | None] = None
    scope: str | None = None
    locationId: str | None = None  # noqa: N815 - as HighLevel writes it
    companyId: str | None = None  # noqa: N815 - as HighLevel writes it


@dataclass(frozen=True, slots=True)
class OAuthGrant:
    """What an installation was given.

    Attributes:
        refresh: gets the next access token, once; None for a location's token that was got with
            its company's.
        got_at: when it was asked for; `expires_at` is so much later as the token lives.
        scopes: what it may do.
        location_id: the location that it opens; None for a whole company's.
    """

    access: SecretStr
    refresh: SecretStr | None
    got_at: datetime
    expires_at: datetime
    scopes: frozenset[str]
    location_id: str | None
    company_id: str | None


def authorize_url(
    page: str, *, client_id: str, redirect: str, scopes: Collection[str], state: str
) -> str:
    """The address at which a person chooses an account and lets the app in.

    Source: the query of the authorization page; `state` comes back as it was sent.
    """
    query = urlencode(
        {
            "response_type": "code",
            "redirect_uri": redirect,
            "client_id": client_id,
            "scope": " ".join(sorted(scopes)),
            "state": state,
        }
    )
    return f"{page}{'&' if '?' in page else '?'}{query}"


class OAuthEndpoint:
    """Asks HighLevel for the tokens of one app.

    Every method raises what is below `Again` for what passes by itself, and `BadCredentials` for
    what does not: a code or refresh token that is used up or taken back, an app that is not known.
    Asking again with the same is harmless, so nothing is ever doubtful.

    Args:
        transport: makes the calls.
        base_url: address of the API, as the locations have it.
        client_id: the app's.
        client_secret: the app's.
        now: the clock, aware UTC.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        base_url: str,
        client_id: str,
        client_secret: SecretStr,
        now: Callable[[], datetime],
    ) -> None:
        self._transport = transport
        self._base_url = base_url.rstrip("/")
        self._client_id = client_id
        self._secret = client_secret
        self._now = now

    def exchange(
        self, code: SecretStr, redirect: str, permit: Permit, *, company: bool
    ) -> OAuthGrant:
        """A code that the redirect brought into a grant; a code is good once and for minutes."""
        form = {
            "grant_type": "authorization_code",
            "code": code.get_secret_value(),
            "redirect_uri": redirect,
            "user_type": "Company" if company else "Location",
        }
        return self._token(form, permit, hide=code)

    def refresh(self, token: SecretStr, permit: Permit, *, company: bool) -> OAuthGrant:
        """The next grant; from now on the refresh token is used up."""
        form = {
            "grant_type": "refresh_token",
            "refresh_token": token.get_secret_value(),
            "user_type": "Company" if company else "Location",
        }
        return self._token(form, permit, hide=token)

    def location_token(
        self, company: SecretStr, company_id: str, location_id: str, permit: Permit
    ) -> OAuthGrant:
        """A location's token, by that of its company. Needs the scope `oauth.write`."""
        form = {"companyId": company_id, "locationId": location_id}
        headers = {"version": VERSION, "authorization": f"Bearer {company.get_secret_value()}"}
        return self._ask(LOCATION_TOKEN, form, permit, hide=company, headers=headers)

    def _token(self, form: Mapping[str, str], permit: Permit, *, hide: SecretStr) -> OAuthGrant:
        app = {"client_id": self._client_id, "client_secret": self._secret.get_secret_value()}
        return self._ask(HIGHLEVEL_TOKEN, {**app, **form}, permit, hide=hide, headers={})

    def _ask(
        self,
        operation: str,
        form: Mapping[str, str],
        permit: Permit,
        *,
        hide: SecretStr,
        headers: Mapping[str, str],
    ) -> OAuthGrant:
        method, path = operation.split()
        asked_at = self._now()
        try:
            answer = self._transport.send(
                method,
                f"{self._base_url}{path}",
                permit=permit,
                headers={"accept": "application/json", **headers},
                form=form,
            )
        except (Doubtful, Unreadable) as error:
            # Asked again with the same, HighLevel gives the same: nothing is to be looked up.
            raise strangers.unanswered(error, permit.call_id, writes=False) from error
        told = replace(answer, body=self._without_secret(answer))
        try:
            document = answers.read(
                told, operation, shows=("access_token",), hide=hide, installed=True
            )
            if operation == LOCATION_TOKEN:
                document.pop("refresh_token", None)  # it is got with its company's each time
            return _granted(document, told, operation, asked_at)
        except (Rejected, Absent) as error:
            refused: SynclineError = BadCredentials(
                error.what, remedy=answers.CONNECT_AGAIN, status=error.status
            )
        except SynclineError as error:
            refused = error
        refused.call_id = permit.call_id
        if isinstance(refused, Refused):
            refused.side, refused.call = SIDE, (method, path)
        raise refused

    def _without_secret(self, answer: Answer) -> bytes:
        """Its body; whatever it says of a refusal may be shown."""
        return answer.body.replace(self._secret.get_secret_value().encode() or b"\0", b"***")


def _granted(
    document: Mapping[str, Any], answer: Answer, operation: str, asked_at: datetime
) -> OAuthGrant:
    try:
        told, _ = leniency.read(_Answer, document, "The grant")
    except Unreadable:
        told = None
    tokens = None if told is None else _tokens(told)
    if told is None or tokens is None:
        # A success without a token is none of HighLevel's.
        raise strangers.foreign(answer, "HighLevel", operation, writes=False)
    access, refresh = tokens
    return OAuthGrant(
        access=access,
        refresh=refresh,
        got_at=asked_at,
        expires_at=asked_at + life_of(told.expires_in, _UNTOLD_LIFE),
        scopes=frozenset((told.scope or "").split()),
        location_id=told.locationId,
        company_id=told.companyId,
    )


def _tokens(told: _Answer) -> tuple[SecretStr, SecretStr | None] | None:
    """The access token, and the refresh token if there is one; None where one of them is none."""
    access = token_in(told.access_token.get_secret_value())
    next_one = "" if told.refresh_token is None else told.refresh_token.get_secret_value().strip()
    refresh = token_in(next_one)
    return None if access is None or (next_one and refresh is None) else (access, refresh)
