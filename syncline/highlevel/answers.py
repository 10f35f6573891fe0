"""What an answer of HighLevel means, as pure functions.

Status codes alone mislead: a missing scope is 401 and not 403, an unknown record is 400 or 404,
and a 404 may just as well mean that the path does not exist under this version. So the text counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from pydantic import SecretStr

from syncline import jsontext
from syncline.errors import (
    Absent,
    Again,
    BadCredentials,
    Doubtful,
    MissingScope,
    RateLimited,
    Refused,
    Rejected,
    SynclineError,
    Unreadable,
    WrongPlace,
)
from syncline.transport import Answer

LONGEST_TEXT = 500
"""Characters of HighLevel's own words that are kept in an error."""

BURST_WINDOW = timedelta(seconds=10)
"""How long the key waits after a 429 that says nothing. Source: 100 requests per 10 seconds."""

DAILY_REST = timedelta(hours=1)
"""How long the key waits when the day's calls are gone and nothing says until when."""

LOOK_UP = "It is looked up before it is sent again."
"""The remedy for a write whose outcome is unknown."""

CONNECT_AGAIN = "Install the app anew: syncline connect highlevel CONNECTION."
"""The remedy where the token of an installed app is not accepted any more."""

_DAY = timedelta(days=1)
_OK, _REDIRECT, _BAD, _SERVER = 200, 300, 400, 500
_REQUEST_TIMEOUT, _TOO_MANY = 408, 429
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404
_CHECK_URL = "Check the base URL and the version of the HighLevel API in the settings."
_RESOURCE = re.compile(r"/payments/(orders|transactions|subscriptions|integration)")
_FIELD = re.compile(r"([A-Za-z_][\w.\[\]]*) (?:should|must) ")


def read(
    answer: Answer,
    what: str,
    *,
    writes: bool = False,
    hide: SecretStr | None = None,
    installed: bool = False,
) -> dict[str, Any]:
    """The document of an answer, or what went wrong.

    Args:
        answer: what came back.
        what: the call in words, such as `GET /payments/orders`.
        writes: whether the call has an effect; a write without a clear answer is doubtful.
        hide: the token of the call, which is cut out of any text that repeats it.
        installed: whether the token is that of an installed app, and no private one.

    Raises:
        RateLimited: 429, with the time that the key must rest.
        MissingScope: 401 that speaks of a scope.
        BadCredentials: any other 401 about the token.
        WrongPlace: 403.
        Absent: 404, or 400 that speaks of something not found.
        Rejected: any other 4xx, with HighLevel's texts joined and the field where they name one.
        Refused: a path or a version that the API does not know.
        Again: a read that met a server error.
        Doubtful: a write that met a server error, or whose success cannot be read.
        Unreadable: a read whose success is no JSON object.
    """
    if _OK <= answer.status < _REDIRECT:
        return _document(answer, what, writes=writes)
    texts = _texts(answer.body)
    text = _plain(_without(hide, "; ".join(texts)))
    raise _failure(answer, what, text, texts, writes=writes, installed=installed)


def _document(answer: Answer, what: str, *, writes: bool) -> dict[str, Any]:
    try:
        document = jsontext.loads(answer.body)
    except Unreadable:
        document = None
    if isinstance(document, dict):
        return document
    kind = "not with JSON" if document is None else "not with a JSON object"
    said = f"HighLevel answered {what} with {answer.status}, but {kind}."
    if writes:
        raise Doubtful(said, remedy=LOOK_UP, status=answer.status)
    raise Unreadable(said, remedy=_CHECK_URL, status=answer.status)


def _failure(
    answer: Answer, what: str, text: str, texts: list[str], *, writes: bool, installed: bool
) -> SynclineError:
    status = answer.status
    said = f"HighLevel answered {what} with {status}: {text}"
    if status == _TOO_MANY:
        return RateLimited(said, after=_rest(answer.headers), status=status)
    if status >= _SERVER or status == _REQUEST_TIMEOUT:
        if writes:
            return Doubtful(said, remedy=LOOK_UP, status=status)
        return Again(said, after=timedelta(seconds=5), status=status)
    if status < _BAD:
        return Refused(said, remedy=_CHECK_URL, status=status)
    return _refusal(status, what, said, texts, installed=installed)


def _refusal(
    status: int, what: str, said: str, texts: list[str], *, installed: bool
) -> SynclineError:
    spoken = " ".join(texts).lower()
    if status in (_UNAUTHORIZED, _FORBIDDEN):
        return _unauthorized(status, what, said, spoken, installed=installed)
    if "not found" in spoken or (status == _NOT_FOUND and texts and "cannot " not in spoken):
        return Absent(
            said, remedy="Check the id, and that its location is the one asked.", status=status
        )
    if status == _NOT_FOUND:
        return Refused(said, remedy=_CHECK_URL, status=status)
    field = _FIELD.match(texts[0]) if texts else None
    return Rejected(
        said,
        text=said.partition(f"{status}: ")[2],
        field=field[1] if field else None,
        remedy="Correct what the text names, then retry.",
        status=status,
    )


def _unauthorized(
    status: int, what: str, said: str, spoken: str, *, installed: bool
) -> SynclineError:
    if "scope" in spoken:
        return MissingScope(said, remedy=_scope_remedy(what, installed=installed), status=status)
    if "version header" in spoken:
        return Refused(said, remedy=_CHECK_URL, status=status)
    if status == _FORBIDDEN:
        return WrongPlace(
            said,
            remedy="Check the location id, and that the token was made in that location.",
            status=status,
        )
    return BadCredentials(
        said,
        remedy=CONNECT_AGAIN
        if installed
        else "Make a new private integration token in HighLevel and store it here: "
        "syncline credentials set CONNECTION private-token.",
        status=status,
    )


def _scope_remedy(what: str, *, installed: bool) -> str:
    resource = _RESOURCE.search(what)
    access = "readonly" if what.startswith("GET ") else "write"
    scope = "of this call" if resource is None else f"payments/{resource[1]}.{access}"
    if installed:
        return f"Give the app the scope {scope} on HighLevel's marketplace. {CONNECT_AGAIN}"
    remedy = f"Give the token the scope {scope} in HighLevel, under Private Integrations."
    if scope == "payments/integration.write":
        # Source: the description of POST /payments/integrations/provider/whitelabel.
        return f"{remedy} HighLevel lets only the token of a marketplace app register a provider."
    return remedy


def _rest(headers: Mapping[str, str]) -> timedelta:
    """How long the key must rest: until the day turns, as asked, or one burst window."""
    asked = _retry_after(headers)
    if headers.get("x-ratelimit-daily-remaining", "").strip() == "0":
        return _milliseconds(headers, "x-ratelimit-daily-reset") or asked or DAILY_REST
    if asked is not None:
        return asked
    return _milliseconds(headers, "x-ratelimit-interval-milliseconds") or BURST_WINDOW


def _milliseconds(headers: Mapping[str, str], name: str) -> timedelta | None:
    count = _number(headers.get(name, ""))
    return None if count is None else min(timedelta(milliseconds=count), _DAY)


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    value = headers.get("retry-after", "")
    seconds = _number(value)
    if seconds is not None:
        return min(timedelta(seconds=seconds), _DAY)
    try:
        # Both times are the server's own, so that our clock does not matter.
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, timedelta(0)), _DAY)


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text[:12]) if text.isascii() and text.isdigit() else None


def _texts(body: bytes) -> list[str]:
    """The words of an error body: `message` is a text or an array of texts; [] if it is none."""
    try:
        document = jsontext.loads(body)
    except Unreadable:
        return []
    if not isinstance(document, dict):
        return []
    message = document.get("message") or document.get("error") or document.get("name") or ""
    found = message if isinstance(message, list) else [message]
    return [
        text if isinstance(text, str) else jsontext.dumps(text).decode() for text in found if text
    ]


def _without(secret: SecretStr | None, text: str) -> str:
    value = secret.get_secret_value() if secret else ""
    return text.replace(value, "***") if value else text


def _plain(text: str) -> str:
    """One readable line that is not endless."""
    printable = "".join(c if c.isprintable() else " " for c in text[: 4 * LONGEST_TEXT])
    line = " ".join(printable.split())
    if len(line) > LONGEST_TEXT:
        line = f"{line[: LONGEST_TEXT - 1]}…"
    return line or "(no text)"
