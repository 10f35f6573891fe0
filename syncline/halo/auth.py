"""How a token is got from Halo, and what the place that keeps it must offer.

Client credentials only: there is nothing to refresh, a new token is simply asked for. The store
sees to it that one process asks at a time and that all share the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from pydantic import SecretStr

from syncline import jsontext
from syncline.errors import (
    BadCredentials,
    Doubtful,
    MissingScope,
    NotSent,
    Refused,
    SynclineError,
    Unanswered,
    Unreadable,
)
from syncline.halo import answers
from syncline.transport import Answer, Permit, Transport

MARGIN = timedelta(seconds=60)
"""How long before its end a token is no longer used, so that no call meets the end on its way."""

_OK, _REDIRECT, _SERVER = 200, 300, 500


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token.

    Attributes:
        expires_at: the moment (aware UTC) from which it is no longer used.
        scope: what Halo says that it permits, space-separated; "" where it does not say.
    """

    value: SecretStr
    expires_at: datetime
    scope: str = ""


class TokenStore(Protocol):
    """Keeps the token of one tenant for all processes."""

    def fresh(self) -> Token | None:
        """The token that may be used now, if there is one."""

    def renew(self, fetch: Callable[[], Token], *, stale: Token | None) -> Token:
        """A token other than `stale`: the one another process got meanwhile, or a fetched one.

        Only one `fetch` runs at a time over all processes.
        """

    def forget(self, token: Token) -> bool:
        """Never give out this token again, for Halo refused it.

        Returns:
            False when the one before it was refused as well, a moment ago: then it is not the
            token that is wrong.
        """


@dataclass(frozen=True, slots=True)
class _Door:
    """Where tokens are handed out, and for which tenant."""

    url: str
    tenant: str | None


class TokenEndpoint:
    """Asks Halo for tokens of one API application.

    Source: discovery at `/api/authinfo`, form `client_credentials` at `{auth_url}/token`; the
    tenant goes into the query, where all known versions look for it.

    Args:
        transport: makes the calls.
        base_url: address of the tenant, without `/api`.
        tenant: name of the tenant on a shared host; None: as discovery says.
        client_id: of the API application.
        client_secret: of the API application.
        scope: space-separated permissions to ask for.
        now: the clock, aware UTC.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        base_url: str,
        tenant: str | None,
        client_id: str,
        client_secret: SecretStr,
        scope: str,
        now: Callable[[], datetime],
    ) -> None:
        self._transport = transport
        self._base_url = base_url
        self._tenant = tenant
        self._client_id = client_id
        self._secret = client_secret
        self._scope = scope
        self._now = now
        self._door: _Door | None = None

    def fetch(self, permit: Permit) -> Token:
        """A new token; the permit's deadline holds for each call that this takes.

        Raises:
            BadCredentials: Halo does not know the application or its secret.
            MissingScope: the application may not have this scope.
            RateLimited: Halo answered 429.
            NotSent: no token for a passing reason; the call it was meant for has not left.
            Refused: Halo hands out no token here, for a reason that will not pass.
            Unreadable: the answer holds no token.
        """
        door = self._door = self._door or self._discovered(permit)
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "client_secret": self._secret.get_secret_value(),
            "scope": self._scope,
        }
        params = {"tenant": door.tenant} if door.tenant else {}
        asked_at = self._now()
        answer = self._send("POST", door.url, permit, params=params, form=form)
        if not _OK <= answer.status < _REDIRECT:
            raise self._refusal(answer)
        return _token(answer, asked_at)

    def _discovered(self, permit: Permit) -> _Door:
        answer = self._send("GET", f"{self._base_url}/api/authinfo", permit)
        info = _object(answer) if answer.status == _OK else {}
        url = info.get("auth_url")
        named = info.get("tenant_id")
        tenant = self._tenant or (named if isinstance(named, str) and named else None)
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            return _Door(f"{self._base_url}/auth/token", tenant)
        if self._base_url.startswith("https://") and not url.startswith("https://"):
            raise Refused(
                f"Halo at {self._base_url} names {url} for tokens, which is not encrypted.",
                remedy="The secret is not sent there; correct the authorisation URL in Halo.",
            )
        return _Door(f"{url.rstrip('/')}/token", tenant)

    def _send(
        self,
        method: str,
        url: str,
        permit: Permit,
        *,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        derived = replace(permit, call_id=f"{permit.call_id}:token")
        try:
            answer = self._transport.send(
                method, url, permit=derived, params=params or None, form=form
            )
        except Doubtful as error:
            # Only the token is in doubt, and asking twice for one does no harm.
            raise Unanswered(f"No token came: {error.what}", call_id=permit.call_id) from error
        if answer.status == answers.TOO_MANY:
            raise answers.rate_limited(answer, f"{method} {url}")
        if answer.status >= _SERVER:
            raise NotSent(
                f"No token came: {method} {url} answered {answer.status}.",
                after=timedelta(seconds=5),
                status=answer.status,
            )
        return answer

    def _refusal(self, answer: Answer) -> SynclineError:
        text, _ = answers.explained(answer.body)
        text = text.replace(self._secret.get_secret_value() or "\0", "…")
        code = str(_object(answer).get("error", ""))
        said = f"Halo at {self._base_url} gives no token ({answer.status}): {text}"
        if code == "invalid_scope":
            return MissingScope(
                f"{said} (asked for {self._scope!r}).",
                remedy="Grant this scope to the API application in Halo, or ask for less.",
                status=answer.status,
            )
        if code in {"invalid_client", "unauthorized_client"} or answer.status in {401, 403}:
            return BadCredentials(
                said,
                remedy="Check the client id and secret of the API application in Halo.",
                status=answer.status,
            )
        return Refused(
            said, remedy="Check the base URL and the tenant's name.", status=answer.status
        )


def _token(answer: Answer, asked_at: datetime) -> Token:
    document = _object(answer)
    value = document.get("access_token")
    if not isinstance(value, str) or not value:
        raise Unreadable(
            "Halo answered the request for a token without one.",
            remedy="Check the base URL of the tenant.",
            status=answer.status,
        )
    scope = document.get("scope")
    return Token(
        SecretStr(value),
        asked_at + _usable(document.get("expires_in")),
        scope if isinstance(scope, str) else "",
    )


def _usable(expires_in: Any) -> timedelta:
    """How long a token is used: its life less the margin, half of a very short one."""
    try:
        life = timedelta(seconds=min(max(float(expires_in), 0.0), 1e8))
    except (TypeError, ValueError):
        life = timedelta(minutes=10)
    return max(life - MARGIN, life / 2)


def _object(answer: Answer) -> dict[str, Any]:
    try:
        document = jsontext.loads(answer.body)
    except Unreadable:
        return {}
    return document if isinstance(document, dict) else {}
