"""Who answered, where it was not the API itself: a firewall, a gateway, a proxy, a log-in page.

Such an answer says nothing about credentials or records. Each service judges in its own
`answers.py` whether an answer has the API's own shape; what every API's has not, and what is made
of such an answer, is here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from syncline import jsontext
from syncline.errors import Doubtful, ForeignAnswer, NoAnswer, Unreadable
from syncline.retry_after import retry_after
from syncline.transport import Answer

LONGEST_PAUSE = timedelta(seconds=60)
"""So long anybody's word is taken for it that a side is to be left alone."""

LONGEST_TITLE = 80
"""Characters of a page's title that are told."""

_IN_BETWEEN = frozenset({407, 511})
"""Said by a proxy that wants a password and by a network that wants a log-in, never by an API."""

_MARKS = (
    "x-amzn-errortype",
    "x-kong-response-latency",
    "x-squid-error",
    "cf-mitigated",
    "proxy-authenticate",
)
"""Headers by which a gateway says that it made an answer itself and fetched it nowhere.

Source: the manuals of AWS API Gateway, Kong, Squid and Cloudflare; RFC 9110 for the last one.
"""

_OF_TROUBLE = frozenset(
    {
        *("message", "msg", "error", "errors", "errormessage", "errordescription"),
        *("detail", "details", "fault", "title"),
    }
)
_BESIDE_TROUBLE = frozenset(
    {
        *("status", "statuscode", "code", "errorcode", "errortype", "type", "name", "instance"),
        *("path", "success", "ok", "timestamp", "requestid", "traceid", "stacktrace", "trace"),
    }
)
"""Names of fields, without underscores, with which a gateway tells of trouble and of nothing else.
"""

_PHRASES = frozenset(
    [status.phrase.casefold() for status in HTTPStatus]
    + ["request entity too large", "unprocessable entity", "error code", "error", "access denied"]
)

LOOK_UP = "It is looked up before it is sent again."
"""The remedy for a write whose outcome is unknown."""

_LOOK_BETWEEN = (
    "It is asked again by itself. Look at what stands between syncline and {side}: a firewall, a "
    "gateway, a proxy, a log-in page, maintenance."
)
_PAUSE = timedelta(seconds=5)
_LONGEST_NAME = 40
_MOST_NAMES = 6
_NAME = re.compile(r"[A-Za-z_]\w{0,23}", re.ASCII)
_REDIRECT, _BAD = 300, 400
_PAGE_TYPES = ("html", "xml", "javascript", "css", "image/", "video/", "audio/", "font/", "pdf")
_TITLE = re.compile(r"<title[^>]{0,200}>(.{0,2000}?)</title", re.IGNORECASE | re.DOTALL)
_LOOKS_SECRET = re.compile(r"[\w.~+/-]{24,}={0,2}")
_KIND = re.compile(r"[\w.+-]{1,40}/[\w.+-]{1,60}", re.ASCII)


def is_anothers(answer: Answer) -> bool:
    """Whether an answer shows by itself that no API has made it, whatever it says.

    It may be made for a browser, carry the mark of a gateway, or have a status of what is between.
    """
    headers = answer.headers
    is_marked = any(mark in headers for mark in _MARKS)
    wants_a_key = "azureapimanagementkey" in headers.get("www-authenticate", "").lower()
    return answer.status in _IN_BETWEEN or is_marked or wants_a_key or _is_page(answer)


def is_of_trouble(document: Any) -> bool:
    """Whether an object tells of trouble and of nothing else, as gateways do even with a 200."""
    if not isinstance(document, dict):
        return False
    names = {str(name).replace("_", "").casefold() for name in document}
    return bool(names & _OF_TROUBLE) and names <= _OF_TROUBLE | _BESIDE_TROUBLE


def is_phrase(text: str) -> bool:
    """Whether a text says no more than a status does, such as `403 Forbidden`."""
    words = re.sub(r"[\d\W_]+", " ", text).strip().casefold()
    return words in _PHRASES


def _is_page(answer: Answer) -> bool:
    """Whether it is made for a browser, by what it says of itself or by how it begins."""
    kind = answer.headers.get("content-type", "").lower()
    return any(one in kind for one in _PAGE_TYPES) or _begins_as_page(answer.body)


def foreign(
    answer: Answer, side: str, what: str, *, writes: bool, hide: Iterable[str] = ()
) -> ForeignAnswer | Doubtful:
    """What an answer means that is not the API's own.

    Args:
        answer: what came.
        side: who was asked, in words.
        what: the call in words, such as `GET /payments/orders`.
        writes: whether the call has an effect, so that it must be looked up.
        hide: secrets of the call, which are told nowhere.
    """
    by = described(answer, hide)
    said = f"Somebody else answered {what} in place of {side}: {by}."
    if writes:
        return Doubtful(said, remedy=LOOK_UP, status=answer.status, answered_by=by)
    asked = retry_after(answer.headers, now=answer.at) or _PAUSE
    return ForeignAnswer(
        said,
        after=min(asked, LONGEST_PAUSE),
        remedy=_LOOK_BETWEEN.format(side=side),
        status=answer.status,
        answered_by=by,
    )


def limited_write(answer: Answer, said: str, rest: timedelta, by: str | None = None) -> Doubtful:
    """A write that met a 429 which may be anybody's: it may have got through before that was said.

    Args:
        answer: what came.
        said: what happened, in words.
        rest: how long the key rests.
        by: who answered, where it surely was somebody else.
    """
    error = Doubtful(said, remedy=LOOK_UP, status=answer.status, answered_by=by)
    error.rest = rest
    return error


def unanswered(
    error: Doubtful | Unreadable, call_id: str, *, writes: bool
) -> Doubtful | ForeignAnswer | NoAnswer | Unreadable:
    """What it means that the transport brought no answer, or none of which anything can be made.

    A read that was cut changed nothing over there, so there is nothing to look up.

    Args:
        error: what the transport said.
        call_id: our id of the call.
        writes: whether the call has an effect.
    """
    by = error.answered_by
    if writes:
        return Doubtful(
            error.what, remedy=LOOK_UP, status=error.status, call_id=call_id, answered_by=by
        )
    if isinstance(error, Unreadable):
        error.call_id = call_id
        return error
    if by is not None:
        return ForeignAnswer(error.what, call_id=call_id, answered_by=by)
    return NoAnswer(error.what, call_id=call_id)


def described(answer: Answer, hide: Iterable[str] = ()) -> str:
    """Who answered, in a short line: what came, its status and type, and who says to have sent it.

    Nothing of it is a secret: of an address the host alone is told, and what looks like a token in
    the title of a page is left out.
    """
    kind = _KIND.match(answer.headers.get("content-type", ""))
    marks = [str(answer.status), kind[0] if kind else ""]
    for header in ("server", "via"):
        value = one_line(answer.headers.get(header, ""), _LONGEST_NAME)
        marks.append(f"{header} {value}" if value else "")
    told = f"{_what_came(answer)} ({', '.join(mark for mark in marks if mark)})"
    for secret in hide:
        told = told.replace(secret, "…") if secret else told
    return told


def page_in_words(text: str) -> str:
    """A page of HTML by its title, where it has one."""
    found = _TITLE.search(text)
    title = _harmless(found[1]) if found else ""
    return f"an HTML page, {title!r}" if title else "an HTML page"


def shape(document: object) -> str:
    """What kind of JSON something is, an object by the names of its fields; no value is told."""
    if isinstance(document, list):
        return f"an array of {len(document)}"
    if not isinstance(document, dict):
        return "null" if document is None else "no object and no array"
    names = [name for name in document if isinstance(name, str) and _NAME.fullmatch(name)]
    named = ", ".join(names[:_MOST_NAMES]) + (
        ", …" if len(document) > len(names[:_MOST_NAMES]) else ""
    )
    return f"an object with {named}" if names else "an object"


def one_line(text: str, longest: int) -> str:
    """A text as one readable line that is not endless; "" where nothing can be read."""
    printable = "".join(c if c.isprintable() else " " for c in text[: 4 * longest])
    line = " ".join(printable.split())
    return f"{line[: longest - 1]}…" if len(line) > longest else line


def _what_came(answer: Answer) -> str:
    body = answer.body.lstrip(b"\xef\xbb\xbf \t\r\n")
    if _REDIRECT <= answer.status < _BAD:
        return f"a redirect{_to_host(answer.headers.get('location', ''))}"
    if not body:
        return "an empty body"
    if _begins_as_page(body):
        return page_in_words(body[:65_536].decode("utf-8", "replace"))
    if body[:1] in b"{[":
        return _json_in_words(answer.status, body)
    return "a text" if body[:1] == b'"' or body[:1].isalnum() else "something else"


def _json_in_words(status: int, body: bytes) -> str:
    try:
        document = jsontext.loads(body)
    except Unreadable:
        return "JSON that breaks off, or is none"
    found = f"JSON that is not in the shape of the API: {shape(document)}"
    words = _words(document) if status >= _BAD else ""
    return f"{found}, {words!r}" if words else found


def _words(document: object) -> str:
    """What an error says, where it is a text; a success may hold anybody's words."""
    if not isinstance(document, dict):
        return ""
    named = ("message", "Message", "error_description", "error", "title")
    texts = [document[name] for name in named if isinstance(document.get(name), str)]
    return _harmless(texts[0]) if texts else ""


def _harmless(text: str) -> str:
    """A text of somebody's in a short line, without what looks like a secret."""
    return one_line(_LOOKS_SECRET.sub("…", one_line(text, 10 * LONGEST_TITLE)), LONGEST_TITLE)


def _to_host(location: str) -> str:
    try:
        host = urlsplit(location).hostname or ""
    except ValueError:
        host = ""
    return f" to {one_line(host, _LONGEST_NAME)}" if host else ""


def _begins_as_page(body: bytes) -> bool:
    return body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"
