"""What an answer of HighLevel means, as pure functions.

First, whether HighLevel itself has spoken (`_is_own`): a page of a firewall is no answer, nor is
the JSON of a gateway. Then, what it says. Status codes alone mislead: a missing scope is 401 and
not 403, an unknown record is 400 or 404, and a 404 may just as well mean that the path does not
exist under this version. So the text counts.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from pydantic import SecretStr

from syncline import jsontext, strangers
from syncline.errors import (
    Absent,
    BadCredentials,
    Doubtful,
    MissingScope,
    RateLimited,
    Refused,
    Rejected,
    Suspended,
    SynclineError,
    Troubled,
    Unreadable,
    WrongPlace,
)
from syncline.operations import TOKENS, refuses_credentials, tells_of_trouble
from syncline.retry_after import LEAST_REST, retry_after
from syncline.transport import Answer

LONGEST_TEXT = 500
"""Characters of HighLevel's own words that are kept in an error."""

BURST_WINDOW = timedelta(seconds=10)
"""How long the key waits after a 429 that says nothing. Source: 100 requests per 10 seconds."""

DAILY_REST = timedelta(hours=1)
"""How long the key waits when the day's calls are gone and nothing says until when."""

CONNECT_AGAIN = "Install the app anew: syncline connect highlevel CONNECTION."
"""The remedy where the token of an installed app is not accepted any more."""

SUSPENDED_REST = timedelta(minutes=1)
"""How soon a location that is suspended is asked again for the first time."""

_DAY = timedelta(days=1)
_OK, _REDIRECT, _BAD, _SERVER = 200, 300, 400, 500
_REQUEST_TIMEOUT, _TOO_MANY = 408, 429
_DIGITS_OF_A_STATUS = 3
_SHORT = 400
"""Characters of a text without JSON that are looked through."""
_NO_TEXT = "(no text)"
_OWN_WORDS = re.compile(
    r"This authClass type is not allowed to access this scope"
    r"|The token (?:is not authorized for this scope|does not have access to this location)"
    r"|version header (?:was not found|is invalid)"
)
"""What nobody else says, so that it may come without the rest.

Source: texts that users quote, some of them without what stands around.
"""

_OF_A_GATEWAY = re.compile(
    r"Access denied due to (?:missing|invalid) subscription key|Out of call volume quota"
    r"|Resource not found\W*$|Rate limit is exceeded\. Try again",
    re.IGNORECASE,
)
"""What a gateway says that answers in the very shape of HighLevel.

Source: the policies of Azure API Management.
"""

_OWN_LIMITS = (
    "x-ratelimit-limit-daily",
    "x-ratelimit-daily-remaining",
    "x-ratelimit-interval-milliseconds",
    "x-ratelimit-max",
)
"""Headers that HighLevel alone puts on its answers."""
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404
_CHECK_URL = "Check the base URL and the version of the HighLevel API in the settings."
_RESOURCE = re.compile(r"/payments/(orders|transactions|subscriptions|integration)")
_FIELD = re.compile(r"([A-Za-z_][\w.\[\]]*) (?:should|must) ")
_SUSPENDED = re.compile(
    r"\W*(?:this |the |your )?(?:location|(?:sub-?)?account|company|agency)"
    r"(?:\s+(?:id\W*)?[\w'\"-]{12,40})?\s+(?:is |was |has been |has |currently )*"
    r"(?:not active|inactive|suspended|deactivated|disabled|paused|on hold|locked|cancell?ed|"
    r"expired)",
    re.IGNORECASE,
)
"""Source: 400 `Location is not active` in a public issue; the other words are its kind."""


def read(
    answer: Answer,
    what: str,
    *,
    writes: bool = False,
    shows: Collection[str] = (),
    hide: SecretStr | None = None,
    installed: bool = False,
) -> dict[str, Any]:
    """The document of an answer, or what went wrong.

    Args:
        answer: what came back.
        what: the call in words, such as `GET /payments/orders`.
        writes: whether the call has an effect; a write without a clear answer is doubtful.
        shows: fields of which every success of this call has one: an object without any of them is
            somebody else's.
        hide: the token of the call, which is cut out of any text that repeats it.
        installed: whether the token is that of an installed app, and no private one.

    Raises:
        RateLimited: 429 of HighLevel, or to a read, with the time that the key must rest.
        ForeignAnswer: a read that somebody else answered.
        Suspended: a refusal because the location as a whole is shut for now.
        MissingScope: 401 that speaks of a scope.
        BadCredentials: any other 401 about the token.
        WrongPlace: 403.
        Absent: 404, or 400 that speaks of something not found.
        Rejected: any other 4xx, with HighLevel's texts joined and the field where they name one.
        Refused: a path or a version that the API does not know.
        Troubled: a read that met a server error, or that is told of trouble in OAuth's words.
        Doubtful: a write that met a server error, or that somebody else answered, also with 429.
    """
    document = _document(answer)
    texts = _texts(document) if answer.status >= _BAD else []
    said = _plain(_without(hide, "; ".join(texts)))
    is_own = isinstance(document, dict) and _is_own(answer, what, document, shows)
    own: dict[str, Any] | None = document if is_own else None
    if answer.status == _TOO_MANY:
        if own is not None:
            raise _rate_limited(answer, what, said)
        raise _limited_by_a_stranger(answer, what, writes=writes, hide=hide)
    if _is_suspended(answer, document, texts):
        raise _suspended(answer, what, said)
    if own is None:
        secrets = [] if hide is None else [hide.get_secret_value()]
        raise strangers.foreign(answer, "HighLevel", what, writes=writes, hide=secrets)
    if answer.status < _BAD:
        return own
    if answer.status >= _SERVER or answer.status == _REQUEST_TIMEOUT or _passes(what, own):
        raise _troubled(answer, what, said, writes=writes)
    raise _refusal(answer.status, what, _said(what, answer, said), texts, installed=installed)


def _is_own(answer: Answer, what: str, document: Mapping[str, Any], shows: Collection[str]) -> bool:
    """Whether HighLevel itself has spoken: every answer of its API is a JSON object.

    That of a success has one of the fields that this call shows, where they are known. That of an
    error says it in words, and repeats the status: a gateway has words alone. Where tokens are
    given, OAuth's own words are enough.

    Source: the published error DTOs, and the answers that were seen.
    """
    if strangers.is_anothers(answer):
        return False
    if answer.status < _BAD:
        is_shown = not document.keys().isdisjoint(shows)
        is_known = is_shown if shows else not strangers.is_of_trouble(document)
        return is_known and _OK <= answer.status < _REDIRECT
    if what in TOKENS and refuses_credentials(document) and answer.status < _SERVER:
        return True
    return _passes(what, document) or _is_own_error(answer, document)


def _is_own_error(answer: Answer, document: Mapping[str, Any]) -> bool:
    texts, repeated = _texts(document), _repeated(document)
    if not texts or any(_OF_A_GATEWAY.match(text) for text in texts):
        return False
    is_limit = answer.status == _TOO_MANY and not answer.headers.keys().isdisjoint(_OWN_LIMITS)
    if is_limit or any(_OWN_WORDS.match(text) for text in texts):
        return repeated <= {answer.status}
    return repeated == {answer.status}


def _repeated(document: Mapping[str, Any]) -> set[int]:
    """The statuses that an error names.

    One under `status` alone counts beside what HighLevel puts there: others write it so as well.
    """
    told = [document.get("statusCode"), document.get("status")]
    is_named = "message" in document and not document.keys().isdisjoint(("name", "traceId"))
    if not _is_status(told[0]) and not is_named:
        return set()
    return {int(str(status)) for status in told if _is_status(status)}


def _passes(what: str, document: Mapping[str, Any]) -> bool:
    """Whether a token is not given for a reason that OAuth knows to pass by itself."""
    return what in TOKENS and tells_of_trouble(document)


def _is_status(value: Any) -> bool:
    return str(value).isdecimal() and len(str(value)) == _DIGITS_OF_A_STATUS


def _is_suspended(answer: Answer, document: Any, texts: list[str]) -> bool:
    """Whether it says that the location is shut; it may say so in words alone."""
    if not _BAD <= answer.status < _SERVER or strangers.is_anothers(answer):
        return False
    words = texts if isinstance(document, dict) else [answer.body[:_SHORT].decode(errors="replace")]
    return any(_SUSPENDED.match(text) for text in words)


def _suspended(answer: Answer, what: str, text: str) -> Suspended:
    said = text if text != _NO_TEXT else _plain(answer.body[:_SHORT].decode(errors="replace"))
    return Suspended(
        f"HighLevel answered {what} with {answer.status}: {said}. The location is suspended.",
        after=SUSPENDED_REST,
        remedy="It is asked again by itself, ever more seldom. See in HighLevel why the location "
        "is not active; nothing is to be installed anew.",
        status=answer.status,
    )


def _document(answer: Answer) -> Any:
    """The JSON of a body; None where it is none."""
    try:
        return jsontext.loads(answer.body)
    except Unreadable:
        return None


def _said(what: str, answer: Answer, text: str) -> str:
    return f"HighLevel answered {what} with {answer.status}: {text}"


def _troubled(answer: Answer, what: str, text: str, *, writes: bool) -> Troubled | Doubtful:
    status, said = answer.status, _said(what, answer, text)
    if writes:
        return Doubtful(said, remedy=strangers.LOOK_UP, status=status)
    return Troubled(said, after=timedelta(seconds=5), status=status)


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


def _rate_limited(answer: Answer, what: str, text: str) -> RateLimited:
    """What a 429 of HighLevel's own asks for."""
    of_day = answer.headers.get("x-ratelimit-daily-remaining", "").strip() == "0"
    rest = _rest(answer, of_day=of_day)
    error = RateLimited(_said(what, answer, text), after=rest, status=answer.status)
    error.of_day = of_day
    return error


def _limited_by_a_stranger(
    answer: Answer, what: str, *, writes: bool, hide: SecretStr | None
) -> RateLimited | Doubtful:
    """What a 429 of somebody else asks for: a short rest; what became of a write nobody knows."""
    by = strangers.described(answer, [] if hide is None else [hide.get_secret_value()])
    said = f"Somebody else answered {what} in place of HighLevel: {by}."
    rest = min(_rest(answer, of_day=False), strangers.LONGEST_PAUSE)
    if writes:
        return strangers.limited_write(answer, said, rest, by)
    return RateLimited(said, after=rest, status=answer.status, answered_by=by)


def _rest(answer: Answer, *, of_day: bool) -> timedelta:
    """How long the key must rest: until the day turns, as asked, or one burst window."""
    headers = answer.headers
    asked = retry_after(headers, now=answer.at)
    if of_day:
        rest = _milliseconds(headers, "x-ratelimit-daily-reset") or asked or DAILY_REST
    else:
        rest = asked or _milliseconds(headers, "x-ratelimit-interval-milliseconds") or BURST_WINDOW
    return max(rest, LEAST_REST)


def _milliseconds(headers: Mapping[str, str], name: str) -> timedelta | None:
    text = headers.get(name, "").strip()
    if not (text.isascii() and text.isdigit()):
        return None
    return min(timedelta(milliseconds=int(text[:12])), _DAY)


def _texts(document: Any) -> list[str]:
    """The words of an error body: `message` is a text or an array of texts; [] if it has none."""
    if not isinstance(document, dict):
        return []
    names = ("message", "error_description", "error", "name")
    message = next((document[name] for name in names if document.get(name)), "")
    found = message if isinstance(message, list) else [message]
    return [
        text if isinstance(text, str) else jsontext.dumps(text).decode() for text in found if text
    ]


def _without(secret: SecretStr | None, text: str) -> str:
    value = secret.get_secret_value() if secret else ""
    return text.replace(value, "***") if value else text


def _plain(text: str) -> str:
    return strangers.one_line(text, LONGEST_TEXT) or _NO_TEXT
