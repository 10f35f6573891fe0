"""The one place that calls HighLevel: a permit for each call, its answer understood."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import SecretStr

from syncline import jsontext
from syncline.errors import Again, Doubtful, SynclineError, Unreadable
from syncline.highlevel import answers
from syncline.transport import Answer, Permit, Transport


@dataclass(frozen=True, slots=True)
class Received:
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


class HighLevelClient:
    """Calls one HighLevel location; safe to share between threads.

    Args:
        transport: makes the calls.
        base_url: address of the API, such as `https://services.leadconnectorhq.com`.
        location_id: the location that every call is about.
        token: gives the access token or private integration token of the moment.
        version: the API generation. Source: the Version header of the payments specification.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        base_url: str,
        location_id: str,
        token: Callable[[], SecretStr],
        version: str = "2021-07-28",
    ) -> None:
        self._transport = transport
        self._base_url = base_url.rstrip("/")
        self._token = token
        self._version = version
        self._place = {"altId": location_id, "altType": "location"}

    def call(
        self,
        method: str,
        path: str,
        *,
        permit: Permit,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Received:
        """Make one call for the location, which is named in the query of a GET, else in the body.

        The location is sent even where the specification omits it: `GET /payments/orders/{id}`
        is answered 422 without `altType`.

        Raises:
            NotSent: nothing left this machine.
            SynclineError: as `answers.read` says.
        """
        token = self._token()
        writes = method != "GET"
        what = f"{method} {path}"
        outgoing = self.outgoing(method, path, params=params, body=body)
        try:
            answer = self._send(outgoing, permit, token)
            document = answers.read(answer, what, writes=writes, hide=token)
        except Doubtful as error:
            if writes:
                error.call_id = permit.call_id
                raise
            # A read that was cut changed nothing over there, so there is nothing to look up.
            raise Again(error.what, after=timedelta(seconds=1), call_id=permit.call_id) from error
        except Unreadable as error:
            if writes:
                # An answer that cannot be unpacked says no more than none at all.
                raise Doubtful(
                    error.what,
                    remedy=answers.LOOK_UP,
                    status=error.status,
                    call_id=permit.call_id,
                ) from error
            error.call_id = permit.call_id
            raise
        except SynclineError as error:
            error.call_id = permit.call_id
            raise
        return Received(document, answer.headers)

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

    def _send(self, outgoing: Outgoing, permit: Permit, token: SecretStr) -> Answer:
        return self._transport.send(
            outgoing.method,
            outgoing.url,
            permit=permit,
            params=outgoing.params or None,
            headers={**outgoing.headers, "authorization": f"Bearer {token.get_secret_value()}"},
            content=outgoing.content,
        )
