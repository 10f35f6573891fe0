"""The one place that calls Halo: a permit for each call, a token on it, its answer understood."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr

from syncline import jsontext
from syncline.errors import Again, Doubtful, Rehearsing, SynclineError, Unreadable
from syncline.halo import answers
from syncline.halo.address import tenant_address
from syncline.halo.answers import Effect
from syncline.halo.auth import Token, TokenEndpoint, TokenStore
from syncline.transport import Answer, Permit, Transport

_UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class HaloResponse:
    """A success: the document (None where there was none), the status, lower-case headers."""

    document: Any
    status: int
    headers: Mapping[str, str]


class HaloClient:
    """Calls one Halo tenant; safe to share between threads.

    Every method raises what `answers.read` and `TokenEndpoint.fetch` say, and `NotSent` where
    nothing left, of which `Rehearsing` is one. `Doubtful` is raised only for calls with an effect.

    Args:
        transport: makes the calls.
        base_url: address of the tenant, as it is known.
        tenant: name of the tenant on a shared host; None: as Halo says.
        client_id: of the API application.
        client_secret: of the API application.
        scope: space-separated permissions to ask for.
        tokens: keeps the token for all processes.
        now: the clock, aware UTC.
        read_only: whether the connection rehearses, so that no write leaves.
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
        tokens: TokenStore,
        now: Callable[[], datetime],
        read_only: bool = False,
    ) -> None:
        self._transport = transport
        self._read_only = read_only
        self._base_url = tenant_address(base_url)
        self._tokens = tokens
        self._now = now
        self._endpoint = TokenEndpoint(
            transport,
            base_url=self._base_url,
            tenant=tenant,
            client_id=client_id,
            client_secret=client_secret,
            scope=scope,
            now=now,
        )

    @property
    def signed_in(self) -> bool:
        """Whether there is a token, so that the next call costs one call and not three."""
        return self._tokens.fresh() is not None

    def sign_in(self, permit: Permit) -> None:
        """Get a token where there is none: up to two calls, for which quota must be there.

        Raises:
            SynclineError: as `TokenEndpoint.fetch` says.
        """
        self._token(permit)

    def get(self, path: str, params: Mapping[str, str], permit: Permit) -> HaloResponse:
        """Read a list or a row."""
        return self._call("GET", path, permit, Effect.READ, params=params)

    def post(
        self,
        path: str,
        elements: Sequence[Mapping[str, Any]],
        permit: Permit,
        *,
        effect: Effect = Effect.WRITE,
    ) -> HaloResponse:
        """Send an array of elements: one with an `id` updates, one without creates.

        Args:
            path: the entity, such as `/SalesOrder`.
            elements: what to send; always an array, as every entity asks for one.
            permit: leave to make this call.
            effect: READ for a POST that changes nothing, such as a report.
        """
        return self._call("POST", path, permit, effect, content=jsontext.dumps(list(elements)))

    def delete(self, path: str, permit: Permit) -> HaloResponse:
        """Remove a row."""
        return self._call("DELETE", path, permit, Effect.DELETE)

    def _call(
        self,
        method: str,
        path: str,
        permit: Permit,
        effect: Effect,
        *,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> HaloResponse:
        if self._read_only and effect is not Effect.READ:
            raise Rehearsing.of(f"{method} {path}")

        def send(token: Token) -> Answer:
            headers = {"authorization": f"Bearer {token.value.get_secret_value()}"}
            if content is not None:
                headers["content-type"] = "application/json"
            return self._transport.send(
                method,
                f"{self._base_url}/api{path}",
                permit=permit,
                params=params or None,
                headers=headers,
                content=content,
            )

        try:
            answer = self._authorized(send, permit, effect)
            document = answers.read(answer, f"{method} {path}", effect)
        except SynclineError as error:
            error.call_id = error.call_id or permit.call_id
            raise
        return HaloResponse(document, answer.status, answer.headers)

    def _authorized(
        self, send: Callable[[Token], Answer], permit: Permit, effect: Effect
    ) -> Answer:
        """Send with a token; one that Halo no longer takes is forgotten, once.

        A call that was answered 401 had no effect, so it may come again; it does so from the
        start, because the new token and the second try take calls of their own from the quota.
        """
        token = self._token(permit)
        answer = _sent(send, token, effect)
        if answer.status == _UNAUTHORIZED and self._tokens.forget(token):
            raise Again(
                "Halo no longer takes its access token.",
                after=timedelta(0),
                remedy="A new one is got and the call made again, by itself.",
                status=answer.status,
            )
        return answer

    def _token(self, permit: Permit) -> Token:
        token = self._tokens.fresh()
        if token is not None and token.expires_at > self._now():
            return token
        return self._tokens.renew(lambda: self._endpoint.fetch(permit), stale=token)


def _sent(send: Callable[[Token], Answer], token: Token, effect: Effect) -> Answer:
    """Send, and say by the effect of the call what no whole answer means."""
    try:
        return send(token)
    except Doubtful as error:
        if effect is Effect.READ:
            raise Again(f"No whole answer came: {error.what}") from error
        raise
    except Unreadable as error:
        if effect is Effect.READ:
            raise
        raise Doubtful(
            error.what, remedy="It is looked up before it is sent again.", status=error.status
        ) from error
