"""What an answer of Halo means, as pure functions.

First, whether Halo itself has spoken (`is_own`): a page of a firewall is no answer, nor is the JSON
of a gateway. Then, what it says. Halo has many shapes of error and no documented codes, so all of
them end in the one tree of errors: the class says what to do next, Halo's own words are kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Any

from syncline import jsontext, strangers
from syncline.errors import (
    Absent,
    BadCredentials,
    Doubtful,
    MissingScope,
    RateLimited,
    Rejected,
    SynclineError,
    Troubled,
    Unreadable,
)
from syncline.operations import tells_of_trouble
from syncline.retry_after import LEAST_REST, retry_after, stated_limit
from syncline.transport import Answer

SIDE = "halo"
"""As refusals name it."""

LONGEST_TEXT = 500
"""Characters of Halo's own words that are kept in an error."""

REST_AFTER_429 = timedelta(seconds=60)
"""How long the key waits after a 429 that names neither a delay nor a shorter window."""

_TEXT_KEYS = ("errorMessage", "Message", "error_description", "error", "title")
_ELEMENT = re.compile(r"^\$?(?:\[\d+\])?\.?")
_PATH = re.compile(r"\$|\[\d+\]")
"""How the place of a fault in the array that was sent begins."""
_COUNT = "record_count"
_NO_TEXT = "(no text)"
TOO_MANY = 429
_OK, _REDIRECT, _BAD, _SERVER = 200, 300, 400, 500
_UNAUTHORIZED, _REQUEST_TIMEOUT = 401, 408
_OF_ROWS = frozenset({400, 409, 422})
"""What is said of the rows that were sent, and of nothing else."""

_WORDS_ALONE = frozenset({"error", "error_description"})


class Effect(Enum):
    """What a call does to Halo, which decides what a missing answer means."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a list.

    Attributes:
        rows: its rows.
        illegible: what stands among them and is no object, so that nobody knows what it is.
        record_count: how many Halo says there are in all; None: unsaid.
        is_there: whether the answer has a list at all. One without says that nothing is counted.
    """

    rows: list[dict[str, Any]]
    record_count: int | None
    is_there: bool = True
    illegible: list[Any] = field(default_factory=list)


def read(answer: Answer, what: str, effect: Effect) -> Any:
    """The document of an answer, or what went wrong.

    Args:
        answer: what came back.
        what: the call in words, such as `POST /SalesOrder`.
        effect: what the call does; a write without a clear answer is doubtful.

    Raises:
        BadCredentials: 401.
        MissingScope: 403.
        Absent: 404.
        RateLimited: 429 of Halo, or to a read, with the time that the key must rest.
        Rejected: any other 4xx, with Halo's text and the field where it names one.
        ForeignAnswer: a read that somebody else answered.
        Troubled: a read that met a server error.
        Doubtful: a write that met a server error, or that somebody else answered, also with 429.
    """
    if answer.status == TOO_MANY:
        raise rate_limited(answer, what, effect)
    document = document_of(answer.body)
    if not is_own(answer, document, effect):
        raise strangers.foreign(answer, "Halo", what, writes=effect is not Effect.READ)
    if answer.status < _BAD:
        return document
    raise _failure(answer, what, effect)


def is_own(answer: Answer, document: Any, effect: Effect) -> bool:
    """Whether Halo itself has spoken, by an answer and the document in it.

    A success is an object or an array, but for a removal, which may say nothing. A refusal has the
    names that Halo's have; of rows it may also be told by their places or in a mere text, but not
    of who asks or of what is there, since gateways say that as well. A token that is not taken may
    be refused by a header alone, as RFC 6750 has it.

    Source: the shapes that its clients know (`explained`).
    """
    status = answer.status
    if strangers.is_anothers(answer):
        return False
    if not answer.body.strip():
        wants_token = "bearer" in answer.headers.get("www-authenticate", "").lower()
        is_removed = effect is Effect.DELETE and _OK <= status < _REDIRECT
        return is_removed or (status == _UNAUTHORIZED and wants_token)
    if status < _BAD:
        is_shown = isinstance(document, dict | list) and not strangers.is_of_trouble(document)
        return is_shown and _OK <= status < _REDIRECT
    first = document[0] if isinstance(document, list) and document else document
    return _has_own_names(first) or (status in _OF_ROWS and _is_of_rows(answer.body, first))


def document_of(body: bytes) -> Any:
    """The JSON of a body; None where it is none."""
    try:
        return jsontext.loads(body)
    except Unreadable:
        return None


def _has_own_names(document: Any) -> bool:
    """Whether an error has the names that Halo alone uses, and says something under them."""
    if not isinstance(document, dict):
        return False
    name = "errorMessage" if "resultCode" in document else "Message"
    text = document.get(name)
    return isinstance(text, str) and bool(text.strip())


def _is_of_rows(body: bytes, document: Any) -> bool:
    """Whether an error tells what is wrong with rows: at their places, or in a text."""
    if isinstance(document, dict):
        errors = document.get("errors", document)
        if isinstance(errors, dict) and any(_PATH.match(path) for path in errors):
            return True
        said = document.get("error") if document.keys() <= _WORDS_ALONE else None
        return _is_reason(said) and not tells_of_trouble(document)
    text = body.decode("utf-8", "replace") if document is None else document
    return _is_reason(text)


def _is_reason(text: Any) -> bool:
    """Whether it is a text that says why, and no page, no JSON that was cut and no mere status."""
    said = text.strip() if isinstance(text, str) else ""
    return said[:1] not in {"", "<", "{", "["} and not strangers.is_phrase(said)


def elements(document: Any, key: str | None = None) -> list[dict[str, Any]]:
    """The elements of an answer about rows: an object, an array of objects, or a list around them.

    Args:
        document: of the answer.
        key: the name under which a list of such rows comes.

    Raises:
        Unreadable: if it is none of these.
    """
    if _is_wrapped(document, key):
        return listing(document, key).rows
    found = [document] if isinstance(document, dict) else document
    if isinstance(found, list) and all(isinstance(element, dict) for element in found):
        return found
    raise Unreadable("The answer is neither an object nor an array of objects.")


def listing(document: Any, key: str | None = None) -> Listing:
    """The rows of a list's answer, which comes bare or wrapped, whatever the tenant calls it.

    Wrapped, they stand under `key`, or under another name if one list alone can be meant: that of
    rows with ids where there are several. A list that is not there holds nothing if nothing is
    counted. What is no object among objects is left out of them.

    Raises:
        Unreadable: if no single list of objects can be told.
    """
    if isinstance(document, list):
        return _sorted_out(document, None)
    if not isinstance(document, dict):
        raise Unreadable("The answer is not a list.")
    rows, count = _under(document, key), _count(document.get(_COUNT))
    if rows is None:
        rows = _only_list(document)
    if rows is None:
        return Listing([], count, is_there=False)
    return _sorted_out(rows, count)


def _sorted_out(found: list[Any], count: int | None) -> Listing:
    rows = [one for one in found if isinstance(one, dict)]
    if found and not rows:
        raise Unreadable("The answer is a list of something else than objects.")
    illegible = [one for one in found if not isinstance(one, dict)]
    return Listing(rows, count, illegible=illegible)


def _is_wrapped(document: Any, key: str | None) -> bool:
    if not isinstance(document, dict) or "id" in document:
        return False
    return _COUNT in document or _under(document, key) is not None


def _has_id(row: Any) -> bool:
    return isinstance(row, dict) and "id" in row


def _under(document: dict[str, Any], key: str | None) -> list[Any] | None:
    named = document.get(key) if key else None
    return named if isinstance(named, list) else None


def _only_list(document: dict[str, Any]) -> list[Any] | None:
    lists = [v for k, v in document.items() if isinstance(v, list) and k != "columns"]
    if len(lists) > 1:
        lists = [one for one in lists if any(_has_id(row) for row in one)]
    if not lists and _count(document.get(_COUNT)) == 0:
        return None
    if len(lists) != 1:
        raise Unreadable(f"The answer has {len(lists)} lists where one was expected.")
    return lists[0]


def explained(body: bytes) -> tuple[str, str | None]:
    """Halo's words in an error body of any shape, and the field where it names one."""
    document = document_of(body)
    if document is None:
        return _plain(body.decode("utf-8", "replace")), None
    return _explained(document)


def rate_limited(answer: Answer, what: str, effect: Effect = Effect.READ) -> RateLimited | Doubtful:
    """What a 429 asks for: the key waits as long as Halo says, or a safe default.

    One without a word may be Halo's or anybody's, and what is not as Halo writes it is somebody
    else's: they ask for a short rest only, and nobody knows what became of a write.
    """
    text, _ = explained(answer.body)
    is_anothers = _is_anothers_limit(answer)
    said = f"Halo answered {what} with {answer.status}: {text}"
    by = strangers.described(answer) if is_anothers else None
    after = _rest(answer, "" if is_anothers else text)
    if by is not None:
        said = f"Somebody else answered {what} in place of Halo: {by}."
    if is_anothers or text == _NO_TEXT or strangers.is_phrase(text):
        after = min(after, strangers.LONGEST_PAUSE)
        if effect is not Effect.READ:
            return strangers.limited_write(answer, said, after, by)
    return RateLimited(said, after=after, status=answer.status, answered_by=by)


def _is_anothers_limit(answer: Answer) -> bool:
    """Whether a 429 is not Halo's, which says its limit in a text, or under its own names."""
    document = document_of(answer.body)
    is_json = isinstance(document, dict | list)
    return strangers.is_anothers(answer) or (is_json and not _has_own_names(document))


def troubled(answer: Answer, what: str, effect: Effect) -> Troubled | Doubtful:
    """What an error of Halo's own server means, by what the call does."""
    text, _ = explained(answer.body)
    said = f"Halo answered {what} with {answer.status}: {text}"
    if effect is Effect.READ:
        return Troubled(said, after=timedelta(seconds=5), status=answer.status)
    return Doubtful(said, remedy=strangers.LOOK_UP, status=answer.status)


def _failure(answer: Answer, what: str, effect: Effect) -> SynclineError:
    status = answer.status
    if status >= _SERVER or status == _REQUEST_TIMEOUT:
        return troubled(answer, what, effect)
    text, field = explained(answer.body)
    return _refusal(status, f"Halo answered {what} with {status}: {text}", text, field)


def _refusal(status: int, said: str, text: str, field: str | None) -> SynclineError:
    if status == _UNAUTHORIZED:
        return BadCredentials(
            said, remedy="Check the client id and secret of the tenant.", status=status
        )
    if status == 403:  # noqa: PLR2004
        return MissingScope(
            said,
            remedy="Give the API application this permission in Halo, and its agent the role.",
            status=status,
        )
    if status == 404:  # noqa: PLR2004
        return Absent(said, status=status)
    return Rejected(
        said,
        text=text,
        field=field,
        remedy="Correct the record or the mapping, then retry.",
        status=status,
    )


def _rest(answer: Answer, text: str) -> timedelta:
    asked = retry_after(answer.headers, now=answer.at)
    if asked is not None:
        return asked
    limit = stated_limit(text)
    return max(min(limit.window, REST_AFTER_429), LEAST_REST) if limit else REST_AFTER_429


def _explained(document: Any) -> tuple[str, str | None]:
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict):
        return _plain(document if isinstance(document, str) else ""), None
    errors = document.get("errors")
    if isinstance(errors, dict) and errors:
        return _by_path(errors)
    for key in _TEXT_KEYS:
        value = document.get(key)
        if isinstance(value, str) and value.strip():
            return _plain(value), None
    if document and all(isinstance(value, list) for value in document.values()):
        return _by_path(document)
    return _plain(", ".join(document)), None


def _by_path(errors: dict[str, Any]) -> tuple[str, str | None]:
    """Errors keyed by JSON path, such as `{"[0].outcome_id": ["Could not convert …"]}`."""
    path, texts = next(iter(errors.items()))
    listed = texts if isinstance(texts, list) else [texts]
    text = " ".join(text for text in listed if isinstance(text, str))
    return _plain(text or path), _ELEMENT.sub("", path, count=1) or None


def _plain(text: str) -> str:
    """One readable line: no control characters, no page of HTML, not endless."""
    if text.lstrip()[:1] == "<":
        text = strangers.page_in_words(text)
    return strangers.one_line(text, LONGEST_TEXT) or _NO_TEXT


def _count(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        return int(value)
    except ValueError:
        return None
