"""The one place that calls HighLevel: a permit for each call, its answer understood."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import SecretStr

from syncline import jsontext
from syncline.errors import Again, Doubtful, SynclineError
from syncline.highlevel import answers
from syncline.transport import Answer, Permit, Transport


@dataclass(frozen=True, slots=True)
class Received:
    """A success: the document, free of NUL characters, and the answer's lower-case headers."""

    document: dict[str, Any]
    headers: Mapping[str, str]


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
        try:
            answer = self._send(method, path, permit=permit, token=token, params=params, body=body)
            document = answers.read(answer, what, writes=writes, hide=token)
        except Doubtful as error:
            if writes:
                error.call_id = permit.call_id
                raise
            # A read that was cut changed nothing over there, so there is nothing to look up.
            raise Again(error.what, after=timedelta(seconds=1), call_id=permit.call_id) from error
        except SynclineError as error:
            error.call_id = permit.call_id
            raise
        return Received(document, answer.headers)

    def _send(
        self,
        method: str,
        path: str,
        *,
        permit: Permit,
        token: SecretStr,
        params: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
    ) -> Answer:
        headers = {
            "accept": "application/json",
            "authorization": f"Bearer {token.get_secret_value()}",
            "version": self._version,
        }
        content = None
        if method == "GET":
            params = {**(params or {}), **self._place}
        else:
            headers["content-type"] = "application/json"
            content = jsontext.dumps({**(body or {}), **self._place})
        return self._transport.send(
            method,
            f"{self._base_url}{path}",
            permit=permit,
            params=params or None,
            headers=headers,
            content=content,
        )
