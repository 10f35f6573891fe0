"""What HighLevel refuses and in which words: tokens, versions, scopes, locations, parameters.

Source for the shapes: answers quoted in HighLevel's public issues. The order of the checks is
token, version, scope, location, parameters, existence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from syncline.sandbox.config import SandboxConfig, Token
from syncline.sandbox.wire.service import Reply, Request

VERSIONS = frozenset({"2021-07-28", "2021-04-15", "2023-02-21", "v3", "legacy"})
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_WHOLE = re.compile(r"-?\d{1,9}")


class RefusedCallError(Exception):
    """The call ends here with this reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def refuse(status: int, message: str, error: str | None = None) -> RefusedCallError:
    """A refusal in the common shape: statusCode, message and, where it is sent, error."""
    body: dict[str, Any] = {"statusCode": status, "message": message}
    if error:
        body["error"] = error
    return RefusedCallError(Reply(status, body))


def not_found(what: str) -> RefusedCallError:
    """A missing object on a read: 400, not 404."""
    return refuse(400, f"{what} not found", "Bad Request")


def not_found_on_write(what: str, trace_id: str) -> RefusedCallError:
    """A missing object on a write: 404 with `status` in place of `statusCode`."""
    return RefusedCallError(
        Reply(
            404,
            {
                "status": 404,
                "message": f"{what} not found",
                "name": "HttpException",
                "traceId": trace_id,
            },
        )
    )


def invalid(messages: list[str], trace_id: str) -> RefusedCallError:
    """Parameters that fail validation: 422 with one message for every broken rule."""
    return RefusedCallError(
        Reply(
            422,
            {
                "status": 422,
                "options": {},
                "message": messages,
                "name": "UnprocessableEntityException",
                "error": "Unprocessable Entity",
                "statusCode": 422,
                "traceId": trace_id,
            },
        )
    )


def bearer(config: SandboxConfig, request: Request) -> Token:
    """The token of a call.

    Raises:
        RefusedCallError: 401 if it is not known.
    """
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        for token in config.tokens:
            if token.value == value:
                return token
    private = value.startswith("pit-")
    raise refuse(401, "Invalid Private Integration token" if private else "Invalid JWT")


def check_version(request: Request) -> None:
    """Ask for a published API version.

    Raises:
        RefusedCallError: 401 if the header is missing or names no version.
    """
    version = request.headers.get("version")
    if not version:
        raise refuse(401, "version header was not found.")
    if version not in VERSIONS:
        raise refuse(401, "version header is invalid")


def check_scope(token: Token, scope: str) -> None:
    """Ask for a scope.

    Raises:
        RefusedCallError: 401 if the token lacks it.
    """
    if scope not in token.scopes:
        raise refuse(401, "The token is not authorized for this scope.")


def check_location(token: Token, parameters: Mapping[str, Any]) -> None:
    """Let a token reach its own location only.

    Raises:
        RefusedCallError: 403 if `altId` or `locationId` names another one.
    """
    for name in ("altId", "locationId"):
        named = parameters.get(name)
        if named and named != token.location:
            raise refuse(403, "The token does not have access to this location.")


def broken_alt(parameters: Mapping[str, Any]) -> list[str]:
    """What is wrong with altId and altType."""
    messages = []
    for name in ("altId", "altType"):
        value = parameters.get(name)
        if value in (None, ""):
            messages.append(f"{name} should not be empty")
        if not isinstance(value, str):
            messages.append(f"{name} must be a string")
    if isinstance(parameters.get("altType"), str) and parameters["altType"] not in ("", "location"):
        messages.append("altType must be one of the following values: location")
    return messages


@dataclass(frozen=True, slots=True)
class Page:
    """The part of a list that is asked for; days are YYYY-MM-DD, both included, UTC."""

    limit: int
    offset: int
    start: str | None
    end: str | None


def read_page(query: Mapping[str, str], cap: int, messages: list[str]) -> Page:
    """Read limit, offset, startAt and endAt; what is wrong with them is added to `messages`."""
    limit = whole(query, "limit", 10, 1, messages)
    offset = whole(query, "offset", 0, 0, messages)
    start, end = (_day(query, name, messages) for name in ("startAt", "endAt"))
    return Page(min(limit, cap), offset, start, end)


def whole(
    query: Mapping[str, str], name: str, default: int, least: int, messages: list[str]
) -> int:
    """Read a whole number of the query; what is wrong with it is added to `messages`."""
    text = query.get(name)
    if text is None:
        return default
    if not _WHOLE.fullmatch(text):
        messages.append(f"{name} must be a number conforming to the specified constraints")
        return default
    if int(text) < least:
        messages.append(f"{name} must not be less than {least}")
    return int(text)


def _day(query: Mapping[str, str], name: str, messages: list[str]) -> str | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text).isoformat()
    except ValueError:
        pass
    messages.append(f"{name} must be a valid date string")
    return None
