"""How a token is got from Halo, and what the place that keeps it must offer.

Client credentials only: there is nothing to refresh, a new token is simply asked for. The store
sees to it that one process asks at a time and that all share the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from pydantic import SecretStr

from syncline import strangers
from syncline.errors import (
    BadCredentials,
    Doubtful,
    MissingScope,
    Refused,
    SynclineError,
    Unreadable,
)
from syncline.halo import answers
from syncline.halo.answers import SIDE, Effect
from syncline.operations import (
    HALO_DISCOVERY,
    HALO_TOKEN,
    life_of,
    refuses_credentials,
    tells_of_trouble,
    token_in,
)
from syncline.transport import Answer, Permit, Transport

MARGIN = timedelta(seconds=60)
"""How long before its end a token is no longer used, so that no call meets the end on its way."""

_UNTOLD_LIFE = timedelta(minutes=10)
_OK, _REDIRECT, _BAD, _SERVER = 200, 300, 400, 500
_NOT_FOUND = 404


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


@dataclass(frozen=True, slots=True)
class TokenAddress:
    """Where tokens are handed out, and for which tenant.

    Attributes:
        told: whether Halo told it, so that a refusal there is its verdict.
    """

    url: str
    tenant: str | None
    told: bool


class TokenStore(Protocol):
    """Keeps the token of one tenant for all processes."""

    def fresh(self) -> Token | None:
        """The token that may be used now, if there is one."""

    def renew(
        self, discover: Callable[[], TokenAddress], fetch: Callable[[TokenAddress], Token]
    ) -> None:
        """See to it that there is a fresh token: another process's, or one that is fetched.

        Only one `fetch` runs at a time over all processes. What `discover` told is kept.
        """

    def forget(self, token: Token) -> bool:
        """Never give out this token again, for Halo refused it.

        Returns:
            False when the one before it was refused as well, a moment ago: then it is not the
            token that is wrong.
        """


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

    def discover(self, permit: Permit) -> TokenAddress:
        """Where Halo hands out tokens; the usual place where it does not say.

        Raises:
            RateLimited: Halo answered 429.
            Again: nobody answered, or somebody else did.
            Refused: it would send the secret in plain.
        """
        answer = self._send(HALO_DISCOVERY, f"{self._base_url}/api/authinfo", permit)
        said = answers.document_of(answer.body) if answer.status == _OK else None
        if not isinstance(said, dict):
            if not _has_no_discovery(answer):
                raise self._passing(answer, HALO_DISCOVERY)
            return TokenAddress(f"{self._base_url}/auth/token", self._tenant, told=False)
        url, named = said.get("auth_url"), said.get("tenant_id")
        tenant = self._tenant or (named if isinstance(named, str) and named else None)
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            return TokenAddress(f"{self._base_url}/auth/token", tenant, told=False)
        if self._base_url.startswith("https://") and not url.startswith("https://"):
            raise Refused(
                f"Halo at {self._base_url} names {url} for tokens, which is not encrypted.",
                remedy="The secret is not sent there; correct the authorisation URL in Halo.",
            )
        return TokenAddress(f"{url.rstrip('/')}/token", tenant, told=True)

    def fetch(self, address: TokenAddress, permit: Permit) -> Token:
        """A new token.

        Raises:
            BadCredentials: Halo does not know the application or its secret.
            MissingScope: the application may not have this scope.
            RateLimited: Halo answered 429.
            Again: nobody answered, or somebody else did.
            Refused: Halo hands out no token here, for a reason that will not pass.
        """
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "client_secret": self._secret.get_secret_value(),
            "scope": self._scope,
        }
        params = {"tenant": address.tenant} if address.tenant else {}
        asked_at = self._now()
        answer = self._send(HALO_TOKEN, address.url, permit, params=params, form=form)
        token = _token(answer, asked_at)
        if token is not None:
            return token
        refusal = self._refusal(answer)
        refusal.call_id = permit.call_id
        raise refusal

    def _send(
        self,
        operation: str,
        url: str,
        permit: Permit,
        *,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        method = operation.split(maxsplit=1)[0]
        try:
            answer = self._transport.send(
                method, url, permit=permit, params=params or None, form=form
            )
        except (Doubtful, Unreadable) as error:
            # Only the token is in doubt, and asking twice for one does no harm.
            raise strangers.unanswered(error, permit.call_id, writes=False) from error
        secret = self._secret.get_secret_value().encode() or b"\0"
        # Whatever it says of a refusal may then be shown.
        answer = replace(answer, body=answer.body.replace(secret, b"***"))
        if answer.status == answers.TOO_MANY:
            raise answers.rate_limited(answer, operation)
        return answer

    def _refusal(self, answer: Answer) -> SynclineError:
        """What an answer means that holds no token.

        A refusal names one of OAuth's reasons; anything else is no verdict on our application.
        """
        document = answers.document_of(answer.body)
        is_refused = refuses_credentials(document) and _BAD <= answer.status < _SERVER
        if not is_refused or strangers.is_anothers(answer):
            return self._passing(answer, HALO_TOKEN)
        text, _ = answers.explained(answer.body)
        code = str(document["error"])
        refused = self._refused(code, f"gives no token ({answer.status}): {text}", answer)
        refused.side, refused.call = SIDE, ("POST", "/token")
        return refused

    def _passing(self, answer: Answer, operation: str) -> SynclineError:
        """What an answer means that is no verdict: a trouble of Halo's own, or somebody else's."""
        document = answers.document_of(answer.body)
        is_told = tells_of_trouble(document) and answer.status >= _BAD
        is_own = answer.status >= _SERVER and answers.is_own(answer, document, Effect.READ)
        if is_own or (is_told and not strangers.is_anothers(answer)):
            return answers.troubled(answer, operation, Effect.READ)
        return strangers.foreign(answer, "Halo", operation, writes=False)

    def _refused(self, code: str, said: str, answer: Answer) -> Refused:
        said = f"Halo at {self._base_url} {said}"
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


def _has_no_discovery(answer: Answer) -> bool:
    """Whether an answer may be that of a Halo without discovery: nothing there, or its own page."""
    return answer.status == _NOT_FOUND or _OK <= answer.status < _REDIRECT


def _token(answer: Answer, asked_at: datetime) -> Token | None:
    """The token in an answer; None where it holds none."""
    document = answers.document_of(answer.body)
    if not _OK <= answer.status < _REDIRECT or not isinstance(document, dict):
        return None
    told, scope = document.get("access_token"), document.get("scope")
    value = token_in(told) if isinstance(told, str) else None
    if value is None:
        return None
    # It is used for its life less the margin, half of a very short one.
    life = life_of(document.get("expires_in"), _UNTOLD_LIFE)
    used = max(life - MARGIN, life / 2)
    return Token(value, asked_at + used, scope if isinstance(scope, str) else "")
