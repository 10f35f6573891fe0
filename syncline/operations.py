"""Calls by their names in call rows, quota and clients: those that get a token, and what writes."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from pydantic import SecretStr

HALO_DISCOVERY = "GET /authinfo"
HALO_TOKEN = "POST /token"  # noqa: S105 - the name of a call
HIGHLEVEL_TOKEN = "POST /oauth/token"  # noqa: S105 - the name of a call
LOCATION_TOKEN = "POST /oauth/locationToken"  # noqa: S105 - the name of a call

TOKENS = frozenset({HALO_DISCOVERY, HALO_TOKEN, HIGHLEVEL_TOKEN, LOCATION_TOKEN})
"""Without one of these answered, nothing else can be asked."""

CREATE_FULFILLMENT = "create fulfillment"

_EMPTY = " without elements"


def without_elements(path: str) -> str:
    """The call that posts an array of nothing, to see whether rows are taken at all there."""
    return f"POST {path}{_EMPTY}"


def is_without_elements(operation: str) -> bool:
    """Whether a call is such a question: what is owed does not depend on it."""
    return operation.endswith(_EMPTY)


def may_fail_for_a_row(operation: str) -> bool:
    """Whether a call writes rows, so that it may fail for the sake of one."""
    writes = operation.startswith("POST ") or operation == CREATE_FULFILLMENT
    return writes and operation not in TOKENS


LEAST_LIFE = timedelta(seconds=30)
"""A token that is said to live for less is not: nobody hands out what ends within a call or two."""

_LONGEST_LIFE_S = 1e8

_OF_CREDENTIALS = frozenset(
    {
        *("invalid_request", "invalid_client", "invalid_grant", "invalid_scope"),
        *("unauthorized_client", "unsupported_grant_type"),
    }
)
"""What OAuth knows that refuses a token. Source: RFC 6749, section 5.2."""

_OF_TROUBLE = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
"""What OAuth knows that passes by itself. Source: RFC 6749, section 4.1.2.1; RFC 8628, 3.5."""


def token_in(text: str) -> SecretStr | None:
    """The token that a text is, without space around it; None where it can stand in no header."""
    value = text.strip()
    fits = value.isascii() and value.isprintable() and " " not in value
    return SecretStr(value) if value and fits else None


def refuses_credentials(document: Any) -> bool:
    """Whether an answer without a token names one of OAuth's reasons to refuse one."""
    return _oauth_error(document) in _OF_CREDENTIALS


def tells_of_trouble(document: Any) -> bool:
    """Whether an answer without a token names a trouble that OAuth knows to pass by itself."""
    return _oauth_error(document) in _OF_TROUBLE


def _oauth_error(document: Any) -> str:
    error = document.get("error") if isinstance(document, dict) else None
    return error if isinstance(error, str) else ""


def life_of(told: object, untold: timedelta) -> timedelta:
    """How long a token lives by its `expires_in`, a number or its digits.

    Args:
        told: what the answer holds; a renewal with each call would follow from 0 or 1, which is
            also what nonsense such as `true` is as a number.
        untold: where that is no life.
    """
    if isinstance(told, bool) or not isinstance(told, (int, float, str)):
        return untold
    try:
        seconds = float(told)
    except (ValueError, OverflowError):
        return untold
    if not math.isfinite(seconds) or seconds < LEAST_LIFE.total_seconds():
        return untold
    return timedelta(seconds=min(seconds, _LONGEST_LIFE_S))
