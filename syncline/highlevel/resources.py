"""What all resources share: ids in a path, parts of an answer, what was made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from syncline import jsontext, leniency
from syncline.errors import Doubtful, SynclineError, UnknownName, Unreadable
from syncline.highlevel.models import Part, is_id
from syncline.strangers import LOOK_UP, one_line
from syncline.transport import Permit

SomePart = TypeVar("SomePart", bound=Part)

_OK = 200
_VERDICTS = ("status", "success", "statusCode")
_GOOD = frozenset({"true", "ok", "success", str(_OK), "201"})
_FAULTS = ("error", "errors")
_WORDS = ("message", "msg")
_TROUBLE = re.compile(
    r"error|fail|time|unavail|invalid|denied|refus|forbid|permi|limit|again|later|unable|cannot"
    r"|could|not\b|n't|wrong|bad\b",
    re.IGNORECASE,
)
_LONGEST = 100
"""Characters of a text that is told."""


class Body(BaseModel):
    """What we send: anything that HighLevel's documents forbid is refused before it leaves.

    Raises:
        pydantic.ValidationError: on construction; `reasons` puts it in words.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=to_camel,
        populate_by_name=True,
        str_strip_whitespace=True,
    )

    def document(self) -> dict[str, Any]:
        """The body in HighLevel's spelling, without what is not given."""
        return self.model_dump(by_alias=True, exclude_none=True)


def checked_id(record_id: str) -> str:
    """The id, as it may stand in a path.

    Raises:
        UnknownName: if it cannot be an id.
    """
    if not is_id(record_id):
        raise UnknownName(
            f"{record_id!r:.80} is not an id of HighLevel.",
            remedy="Copy the id from HighLevel, without spaces or a link around it.",
        )
    return record_id


def each(found: object, what: str) -> list[Any]:
    """The elements of an array, which may be one object where only one is there.

    Raises:
        Unreadable: if it is neither.
    """
    if isinstance(found, list):
        return found
    if isinstance(found, dict):
        return [found]
    raise Unreadable(
        f"HighLevel's answer holds no {what}.",
        remedy="Check the base URL and the version of the HighLevel API in the settings.",
    )


def refuse_failed(document: Mapping[str, Any], held: object, what: str) -> None:
    """Refuse an answer that may say that it failed, though its status is that of a success.

    What a list that failed does not show may be there. A message beside nothing at all may say why
    there is nothing; where it is said that all went well, only if it speaks of trouble.

    Args:
        document: the answer.
        held: what it holds.
        what: what it is, such as `list of fulfillments`.

    Raises:
        Unreadable: naming what came with it.
    """
    names = [name for name in _VERDICTS if not _is_good(document.get(name))]
    names += [name for name in _FAULTS if document.get(name)]
    is_said = any(document.get(name) is not None for name in _VERDICTS)
    words = [name for name in _WORDS if document.get(name)] if not held else []
    names += [name for name in words if not is_said or _TROUBLE.search(str(document[name]))]
    if names:
        told = "; ".join(f"{name}: {_shown(document[name])}" for name in names)
        raise Unreadable(
            f"HighLevel's {what} may have failed: with it came {told}.",
            remedy="If that stays so, ask HighLevel what is wrong with it.",
        )


def _is_good(verdict: object) -> bool:
    """Whether a word or status says that all went well; nothing at all is said of most answers."""
    return verdict is None or str(verdict).strip().casefold() in _GOOD


def _shown(value: object) -> str:
    return one_line(jsontext.dumps(value).decode(), _LONGEST)


def read_part(model: type[SomePart], found: object, what: str) -> SomePart:
    """One part of an answer.

    Raises:
        Unreadable: naming the indispensable fields that are nonsense.
    """
    return leniency.read(model, found, what, "Look at it in HighLevel.")[0]


def read_made(
    model: type[SomePart], document: Mapping[str, Any], found: object, what: str
) -> SomePart:
    """What a write made, from its answer.

    Raises:
        Doubtful: it cannot be read, or may have failed, so that nobody knows what was made.
    """
    try:
        refuse_failed(document, found, "answer to a write")
        return read_part(model, found, what)
    except Unreadable as error:
        raise Doubtful(error.what, remedy=LOOK_UP, status=_OK) from None


@contextmanager
def naming(permit: Permit) -> Iterator[None]:
    """Put the id of the call on what its answer raises."""
    try:
        yield
    except SynclineError as error:
        error.call_id = permit.call_id
        raise


def reasons(error: ValidationError) -> str:
    """Which fields are wrong and how, without their values: those may be personal."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(
        f"{'.'.join(map(str, one['loc'])) or 'the whole'}: {one['msg']}" for one in found[:5]
    )
