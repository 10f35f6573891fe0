"""Which element of an answer belongs to which element that was sent: by reference alone.

Arrays may come back short, longer or in another order, so a position says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from syncline.halo.models import HaloRow

Row = TypeVar("Row", bound=HaloRow)

WITHOUT_CASE = "emailaddress"
"""The field whose values are compared without regard to case."""


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
    came: dict[str, dict[int, Row]] = {}
    strangers: list[Row] = []
    for row in rows:
        ref = reference(row.raw, key)
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


def reference(row: Mapping[str, Any], key: str) -> str:
    """Our reference on a row, as it is compared; empty where there is none."""
    value = row.get(key)
    text = value.strip() if isinstance(value, str) else ""
    return text.lower() if key == WITHOUT_CASE else text
