"""The one place that calls Halo: a permit for each call, a token on it, its answer understood."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr

from syncline import jsontext, strangers
from syncline.errors import (
    Again,
    BadCredentials,
    Doubtful,
    NotSent,
    Refused,
    Rehearsing,
    SynclineError,
    Unreadable,
)
from syncline.halo import answers
from syncline.halo.address import tenant_address
from syncline.halo.answers import SIDE, Effect
from syncline.halo.auth import Token, TokenAddress, TokenEndpoint, TokenStore
from syncline.operations import HALO_DISCOVERY, HALO_TOKEN
from syncline.transport import Answer, Counted, Permit, Transport

_UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class HaloResponse:
    """A success: the document (None where there was none), the status, lower-case headers."""

    document: Any
    status: int
    headers: Mapping[str, str]


class HaloClient:
    """Calls one Halo tenant; safe to share between threads.

    Every method raises what `answers.read` says, and `NotSent` where nothing left: without a token,
    or because the connection rehearses. `Doubtful` is raised only for calls with an effect.

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

    def sign_in(self, counted: Counted) -> None:
        """Get a token where there is none; the calls that this takes are made by `counted`.

        Raises:
            SynclineError: as `TokenEndpoint` says.
        """
        if self._tokens.fresh() is None:
            self._tokens.renew(
                lambda: self._discovered(counted), lambda door: self._fetched(counted, door)
            )

    def _discovered(self, counted: Counted) -> TokenAddress:
        door: TokenAddress = counted(
            HALO_DISCOVERY, lambda permit: self._endpoint.discover(permit.brief())
        )
        return door

    def _fetched(self, counted: Counted, door: TokenAddress) -> Token:
        """A token from where Halo hands them out.

        A refusal counts when it is repeated; asking again is harmless. At the usual place a tenant
        that is not named may not be known, so Halo is asked for the place once more before.
        """

        def fetch(at: TokenAddress) -> Token:
            token: Token = counted(
                HALO_TOKEN, lambda permit: self._endpoint.fetch(at, permit.brief())
            )
            return token

        try:
            return fetch(door)
        except Refused:
            return fetch(door if door.told else self._discovered(counted))

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

        token = self._tokens.fresh()
        if token is None:
            raise NotSent("The access token of Halo has just ended.", call_id=permit.call_id)
        headers = {"authorization": f"Bearer {token.value.get_secret_value()}"}
        if content is not None:
            headers["content-type"] = "application/json"
        try:
            answer = self._transport.send(
                method,
                f"{self._base_url}/api{path}",
                permit=permit,
                params=params or None,
                headers=headers,
                content=content,
            )
        except (Doubtful, Unreadable) as error:
            raise strangers.unanswered(
                error, permit.call_id, writes=effect is not Effect.READ
            ) from error
        except SynclineError as error:
            error.call_id = permit.call_id
            raise
        return self._understood(answer, (method, path), permit, effect, token)

    def _understood(
        self,
        answer: Answer,
        call: tuple[str, str],
        permit: Permit,
        effect: Effect,
        token: Token,
    ) -> HaloResponse:
        """The document of an answer; a token that Halo no longer takes is forgotten, once.

        A call that Halo answered 401 had no effect, so it may come again; it does so from the
        start, because the new token and the second try take calls of their own from the quota.
        """
        refused = answer.status == _UNAUTHORIZED and self._tokens.forget(token)
        try:
            document = answers.read(answer, " ".join(call), effect)
        except BadCredentials as error:
            if not refused:
                raise _about(error, call, permit) from None
            raise Again(
                "Halo no longer takes its access token.",
                after=timedelta(0),
                remedy="A new one is got and the call made again, by itself.",
                status=answer.status,
                call_id=permit.call_id,
            ) from error
        except SynclineError as error:
            raise _about(error, call, permit) from None
        return HaloResponse(document, answer.status, answer.headers)


def _about(error: SynclineError, call: tuple[str, str], permit: Permit) -> SynclineError:
    """Say in an error which call it is about."""
    error.call_id = permit.call_id
    if isinstance(error, Refused):
        error.side, error.call = SIDE, call
    return error
