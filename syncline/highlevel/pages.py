"""A page of a list of HighLevel: what is readable of it, and what is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic

from syncline import leniency
from syncline.errors import NotOurs, Unreadable
from syncline.fingerprint import fingerprint
from syncline.highlevel.models import CORRECT, Model, is_id
from syncline.highlevel.resources import refuse_failed
from syncline.strangers import shape

NAMELESS = "?"
"""What the stand-in for an id begins with, of a row whose own cannot be used."""

TOTAL = "totalCount"
"""The field that says how many rows a list has."""

_CHECK_URL = "Check the base URL and the version of the HighLevel API in the settings."

_OTHER_SHAPE = (
    "It is asked again by itself. HighLevel has changed its API, or something between changes what "
    "it answers; then a newer version of syncline may read it."
)


@dataclass(frozen=True, slots=True)
class PageRecord(Generic[Model]):
    """One record of a page: as it came, and as it reads."""

    id: str
    payload: dict[str, Any]
    model: Model


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row that is not what the API promises.

    Attributes:
        index: its place in the page.
        id: its id; where that cannot be used, what stands for it: the same as long as the row is
            the same.
        state: tells this row from one with the same id that reads otherwise.
        reason: why it cannot be read.
    """

    index: int
    id: str
    state: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Page(Generic[Model]):
    """One page of a list.

    Attributes:
        rows: the readable rows.
        total_count: how many rows HighLevel says the whole list has; None where it does not say.
        headers: lower-case headers of the answer.
        unreadable: the rows that could not be read: they never lose the page.
        ids: of all rows in their order, readable or not, or what stands for one.
    """

    rows: list[PageRecord[Model]]
    total_count: int | None
    headers: Mapping[str, str]
    unreadable: list[UnreadableRow] = field(default_factory=list)
    ids: tuple[str, ...] = ()


def page(
    model: type[Model], document: Mapping[str, Any], headers: Mapping[str, str], location_id: str
) -> Page[Model]:
    """Read one page of a list of a location; a count that is none is left out, and noted.

    Raises:
        Unreadable: if the document is no page of it: no array `data`, no rows and something that
            says that it failed.
        NotOurs: if it has many rows, and all of them are those of another location.
    """
    data, total = document.get("data"), counted(document.get(TOTAL))
    if not isinstance(data, list):
        raise _misshapen(model.kind, document)
    if not data:
        refuse_failed(document, data, f"list of {model.kind}s")
    if total is None:
        leniency.note("highlevel", model.kind, [TOTAL], "")
    found: Page[Model] = Page([], total, headers)
    ids: list[str] = []
    stand_ins: Counter[str] = Counter()
    strangers = 0
    for index, payload in enumerate(data):
        try:
            read, _ = leniency.read(model, payload, f"This {model.kind}", CORRECT)
            strangers += read.alt_id not in (None, location_id)
            whose(read.alt_id, location_id, f"This {model.kind}")
        except Unreadable as error:
            row_id = _given_id(payload) or _stand_in(payload, stand_ins)
            found.unreadable.append(UnreadableRow(index, row_id, _state(payload), str(error)))
            ids.append(row_id)
        else:
            found.rows.append(PageRecord(read.id, payload, read))
            ids.append(read.id)
    if strangers > 1 and strangers == len(data):
        raise NotOurs(f"HighLevel gave the {model.kind}s of another location.", remedy=_CHECK_URL)
    return Page(found.rows, total, headers, found.unreadable, tuple(ids))


def _misshapen(kind: str, document: Mapping[str, Any]) -> Unreadable:
    """An answer that is no page, since it has no array of rows: what came."""
    came = f"is {shape(document['data'])}" if "data" in document else "is not there"
    return Unreadable(
        f"HighLevel answers the list of {kind}s in a shape that is not that of its API: "
        f"{shape(document)}, in which data {came} instead of an array.",
        remedy=_OTHER_SHAPE,
    )


def whose(alt_id: str | None, location_id: str, what: str) -> None:
    """Refuse what says itself that it is another location's.

    Raises:
        Unreadable: it is.
    """
    if alt_id not in (None, location_id):
        raise Unreadable(
            f"{what} cannot be read: altId: it is of the location {alt_id}, not of {location_id}.",
            remedy="Check that the connection's token is of its own location.",
        )


def counted(value: object) -> int | None:
    """A count, as a number or as text; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else None  # noqa: PLR2004


def _given_id(payload: object) -> str | None:
    given = payload.get("_id") if isinstance(payload, dict) else None
    return given.strip() if isinstance(given, str) and is_id(given.strip()) else None


def _stand_in(payload: object, before: Counter[str]) -> str:
    """What stands for the id of a row: by what is given as its id, else by the whole row."""
    given = payload.get("_id") if isinstance(payload, dict) else None
    stand_in = f"{NAMELESS}{_state(payload if given is None else given).hex()[:16]}"
    before[stand_in] += 1
    return stand_in if before[stand_in] == 1 else f"{stand_in}-{before[stand_in]}"


def _state(payload: object) -> bytes:
    return fingerprint(payload if isinstance(payload, dict) else {"": payload})
