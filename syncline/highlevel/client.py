"""The one place that calls HighLevel: a permit for each call, its answer understood."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

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
from syncline.highlevel import answers
from syncline.transport import Answer, Counted, Permit, Transport

SIDE = "highlevel"
"""As refusals name it."""


@dataclass(frozen=True, slots=True)
class HighLevelResponse:
    """A success: the document, free of NUL characters, and the answer's lower-case headers."""

    document: dict[str, Any]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request as it leaves, but for the token, which is put on it at the last moment."""

    method: str
    url: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    content: bytes | None


class TokenSource(Protocol):
    """Where the token of a location comes from.

    Attributes:
        installed: whether it is the token of an installed app, which can be renewed.
    """

    installed: bool

    def fresh(self) -> SecretStr | None:
        """The token that may be used now, if there is one."""

    def renew(self, counted: Counted, *, ahead: bool) -> None:
        """See to it that there is a fresh token; every call for that is made by `counted`.

        With `ahead` also one that would end soon is replaced.
        """

    def forget(self, token: SecretStr) -> bool:
        """Never give out this token again, for HighLevel refused it.

        Returns:
            False when there is no other, or when the one before it was refused as well, a moment
            ago: then it is not the token that is wrong.
        """


class PrivateToken:
    """A private integration token: good until somebody takes it back, and then there is none."""

    installed = False

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    def fresh(self) -> SecretStr:
        """The token."""
        return self._token

    def renew(self, counted: Counted, *, ahead: bool) -> None:
        """Nothing is to be done."""

    def forget(self, token: SecretStr) -> bool:  # noqa: ARG002 - there is only this one
        """There is no other."""
        return False


class HighLevelClient:
    """Calls one HighLevel location; safe to share between threads.

    Args:
        transport: makes the calls.
        base_url: address of the API, such as `https://services.leadconnectorhq.com`.
        location_id: the location that every call is about; can be read.
        tokens: gives the access token or private integration token of the moment.
        version: the API generation. Source: the Version header of the payments specification.
        read_only: whether the connection rehearses, so that no write leaves.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        base_url: str,
        location_id: str,
        tokens: TokenSource,
        version: str = "2021-07-28",
        read_only: bool = False,
    ) -> None:
        self._read_only = read_only
        self._transport = transport
        self._base_url = base_url.rstrip("/")
        self._tokens = tokens
        self._version = version
        self.location_id = location_id
        self._place = {"altId": location_id, "altType": "location"}

    def sign_in(self, counted: Counted, *, ahead: bool = False) -> None:
        """Get a token where there is none; the calls that this takes are made by `counted`.

        Args:
            counted: makes the calls.
            ahead: whether one that would end soon is replaced as well.

        Raises:
            SynclineError: there is none, and none can be had.
        """
        if ahead or self._tokens.fresh() is None:
            self._tokens.renew(counted, ahead=ahead)

    def call(
        self,
        method: str,
        path: str,
        *,
        permit: Permit,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        shows: Collection[str] = (),
    ) -> HighLevelResponse:
        """Make one call for the location, which is named in the query of a GET, else in the body.

        The location is sent even where the specification omits it: `GET /payments/orders/{id}`
        is answered 422 without `altType`.

        Args:
            method: of HTTP.
            path: behind the address of the API.
            permit: leave to make this call.
            params: of the query.
            body: to be sent.
            shows: fields of which every success of it has one, where that is known.

        Raises:
            NotSent: nothing left this machine.
            Again: the token is not taken any more; with a new one the call may be made again.
            SynclineError: as `answers.read` says.
        """
        if self._read_only and method != "GET":
            raise Rehearsing.of(f"{method} {path}")
        token = self._tokens.fresh()
        if token is None:
            raise NotSent("The access token of HighLevel has just ended.", call_id=permit.call_id)
        outgoing = self.outgoing(method, path, params=params, body=body)
        try:
            answer = self._send(outgoing, permit, token)
        except (Doubtful, Unreadable) as error:
            raise strangers.unanswered(error, permit.call_id, writes=method != "GET") from error
        except SynclineError as error:
            self._name(error, permit, method, path)
            raise
        return self._understood(answer, (method, path), permit, token, shows)

    def _understood(
        self,
        answer: Answer,
        call: tuple[str, str],
        permit: Permit,
        token: SecretStr,
        shows: Collection[str],
    ) -> HighLevelResponse:
        """The document of an answer; a token that HighLevel no longer takes is forgotten, once."""
        method, _ = call
        try:
            document = answers.read(
                answer,
                " ".join(call),
                writes=method != "GET",
                shows=shows,
                hide=token,
                installed=self._tokens.installed,
            )
        except BadCredentials as error:
            self._name(error, permit, *call)
            if not self._tokens.forget(token):
                raise
            # What was answered 401 had no effect, so it may come again, a write too.
            raise Again(
                "HighLevel no longer takes its access token.",
                after=timedelta(0),
                remedy="A new one is got and the call made again, by itself.",
                status=error.status,
                call_id=permit.call_id,
            ) from error
        except SynclineError as error:
            self._name(error, permit, *call)
            raise
        return HighLevelResponse(document, answer.headers)

    def outgoing(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Outgoing:
        """The request that `call` would make, for the location; nothing is sent."""
        headers = {"accept": "application/json", "version": self._version}
        url = f"{self._base_url}{path}"
        if method == "GET":
            return Outgoing(method, url, {**(params or {}), **self._place}, headers, None)
        headers["content-type"] = "application/json"
        content = jsontext.dumps({**(body or {}), **self._place})
        return Outgoing(method, url, params or {}, headers, content)

    def _name(self, error: SynclineError, permit: Permit, method: str, path: str) -> None:
        """Say in an error which call it is about."""
        error.call_id = permit.call_id
        if isinstance(error, Refused):
            error.side, error.call = SIDE, (method, path)

    def _send(self, outgoing: Outgoing, permit: Permit, token: SecretStr) -> Answer:
        return self._transport.send(
            outgoing.method,
            outgoing.url,
            permit=permit,
            params=outgoing.params or None,
            headers={**outgoing.headers, "authorization": f"Bearer {token.get_secret_value()}"},
            content=outgoing.content,
        )
