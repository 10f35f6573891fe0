"""Which element of an answer belongs to which element that was sent: by reference alone.

Arrays may come back short, longer or in another order, so a position says nothing. A row whose
reference the other side keeps otherwise may still be the one that was sent: such a one is told
apart, to be read by its id before anything is believed of it or made again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from syncline.halo.models import HaloRow

Row = TypeVar("Row", bound=HaloRow)

WITHOUT_CASE = "emailaddress"
"""The field whose values are compared without regard to case."""

LEAST_KEPT = 10
"""So much of a reference that a column cut must be left for it to be taken for ours."""


@dataclass(frozen=True, slots=True)
class Matched(Generic[Row]):
    """The outcome of one array.

    Attributes:
        found: reference → the one row that came back for it.
        missing: references for which nothing came back.
        strangers: rows that nobody asked for.
        doubled: references that were sent twice or for which two rows came back.
    """

    found: dict[str, Row]
    missing: list[str]
    strangers: list[Row]
    doubled: list[str]

    @property
    def clean(self) -> bool:
        """Whether every element came back once and nothing else did."""
        return not (self.missing or self.strangers or self.doubled)


def match(
    elements_sent: Sequence[Mapping[str, Any]], rows: Iterable[Row], key: str
) -> Matched[Row]:
    """Match the rows of an answer to the elements sent.

    Args:
        elements_sent: what was posted; each holds its reference under `key`.
        rows: what came back.
        key: the field that holds our reference, such as `po_number`; e-mail addresses are
            compared without regard to case.
    """
    sent = [reference(element, key) for element in elements_sent]
    ids = {ref: element.get("id") for ref, element in zip(sent, elements_sent, strict=True)}
    updated = {str(row_id): ref for ref, row_id in ids.items() if row_id is not None}
    came: dict[str, dict[int, Row]] = {}
    strangers: list[Row] = []
    for row in rows:
        # A row that was updated is known by its id, whatever is kept of its reference.
        ref = updated.get(str(row.id)) or reference(row.raw, key)
        # An update that comes back under another id was not done to the row that was meant.
        if ref and ref in ids and ids[ref] in (None, row.id):
            came.setdefault(ref, {})[row.id] = row
        else:
            strangers.append(row)
    doubled = [ref for ref in ids if sent.count(ref) > 1 or len(came.get(ref, ())) > 1]
    return Matched(
        found={
            ref: next(iter(found.values())) for ref, found in came.items() if ref not in doubled
        },
        missing=[ref for ref in ids if ref not in came and ref not in doubled],
        strangers=strangers,
        doubled=doubled,
    )


def may_be(
    elements_sent: Sequence[Mapping[str, Any]], rows: Sequence[HaloRow], key: str
) -> list[list[int]]:
    """For each element the ids of rows in the answer that may be it, as far as the answer tells.

    Those whose reference is ours but for letter case or length; else all that are nobody's. First
    comes the one at its place, where as many rows came as elements went: that is the likeliest.

    Args:
        elements_sent: what was posted.
        rows: what came back.
        key: the field that holds our reference.
    """
    sent = [reference(element, key) for element in elements_sent]
    came = [reference(row.raw, key) for row in rows]
    named = [(row.id, ref) for row, ref in zip(rows, came, strict=True) if row.id > 0]
    nobodys = [row_id for row_id, ref in named if ref not in sent]
    found = []
    for at, ref in enumerate(sent):
        ours = [row_id for row_id, it in named if it and it == ref]
        like = [row_id for row_id, it in named if is_like(it, ref)]
        at_place = rows[at].id if len(rows) == len(sent) else None
        maybe = dict.fromkeys(ours or like or nobodys)
        found.append(sorted(maybe, key=lambda row_id: row_id != at_place))
    return found


def is_like(kept: str, sent: str) -> bool:
    """Whether a reference may be ours in another letter case, or cut by a column."""
    kept, sent = kept.casefold(), sent.casefold()
    return kept == sent or (len(kept) >= LEAST_KEPT and sent.startswith(kept))


def reference(row: Mapping[str, Any], key: str) -> str:
    """Our reference on a row, as it is compared; empty where there is none."""
    value = row.get(key)
    text = value.strip() if isinstance(value, str) else ""
    return text.lower() if key == WITHOUT_CASE else text
