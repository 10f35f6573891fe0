"""What a mapping document says, in words: options, rows with an example each, and the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from syncline.errors import Unmappable
from syncline.mapping.apply import MappingRow, read, value_of
from syncline.mapping.document import Document
from syncline.mapping.options import SECTIONS
from syncline.mapping.shapes import FLOWS
from syncline.mapping.statuses import in_words
from syncline.mapping.values import is_missing
from syncline.parcels.carriers import CARRIERS
from syncline.parcels.numbers import FORMS
from syncline.parcels.words import PARCELS

Examples = Mapping[str, Sequence[Mapping[str, Any]]]
"""Stored records by the rows that read them, as `Document.rows` names those."""


@dataclass(frozen=True, slots=True)
class DescribedOption:
    """An option with the value that holds, and what it decides."""

    name: str
    value: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Example:
    """What a row reads from a stored record, and what it writes; both as text."""

    read: str
    written: str


@dataclass(frozen=True, slots=True)
class DescribedRow:
    """A row in words; `example` is None where no stored record has a value for it."""

    target: str
    source: str
    transform: str
    type: str
    required: bool
    owner: str
    example: Example | None


@dataclass(frozen=True, slots=True)
class Filled:
    """A field of Halo that the flow fills by itself, and why."""

    target: str
    why: str


@dataclass(frozen=True, slots=True)
class DescribedFlow:
    """One flow of a document."""

    name: str
    about: str
    options: tuple[DescribedOption, ...]
    rows: tuple[DescribedRow, ...]
    filled: tuple[Filled, ...]


def describe(
    document: Document, examples: Examples, flows: Iterable[str] = tuple(FLOWS)
) -> list[DescribedFlow]:
    """The flows of a document in words.

    Args:
        document: the loaded document.
        examples: stored records to show values of; the first that has one is taken.
        flows: the names of the flows to describe, in this order.
    """
    return [_flow(name, document, examples) for name in flows]


def _flow(name: str, document: Document, examples: Examples) -> DescribedFlow:
    shape = FLOWS[name]
    rows = [
        _row(prefix, row, examples.get(shape.rows_key(name, prefix), ()))
        for prefix in shape.prefixes
        for row in document.rows[shape.rows_key(name, prefix)]
    ]
    return DescribedFlow(
        name,
        shape.about,
        (
            *_options(name, getattr(document, name)),
            *_statuses(name, document),
            *_tracking_forms(name, document),
        ),
        tuple(rows),
        tuple(Filled(target, why) for target, why in shape.filled.items()),
    )


def _options(name: str, chosen: BaseModel) -> Iterable[DescribedOption]:
    for option, field in SECTIONS[name].model_fields.items():
        value = getattr(chosen, option)
        yield DescribedOption(option, _text(value) or "none", field.description or "")


def _statuses(name: str, document: Document) -> Iterable[DescribedOption]:
    """The rows of the table of statuses, beside the options of the flow that they belong to."""
    for at, row in enumerate(document.statuses if name == "orders" else (), start=1):
        yield DescribedOption(f"status {at}", str(row.halo), f"status in Halo for {in_words(row)}")


def _tracking_forms(name: str, document: Document) -> Iterable[DescribedOption]:
    """How tracking numbers look that are taken from a note, beside the option that asks for it."""
    if name != "fulfillments" or not document.fulfillments.tracking_in_note:
        return
    for at, one in enumerate(FORMS, start=1):
        where = "wherever it stands, if that is right" if one.speaks else "beside the name"
        yield DescribedOption(f"tracking {at}", f"{one.carrier}: {one.told}", f"taken {where}")
    named = ", ".join(CARRIERS)
    yield DescribedOption(
        "tracking names", named, "names beside which a number of 9 and more places is taken"
    )
    yield DescribedOption(
        "tracking words",
        ", ".join(PARCELS),
        "what a number may be called that has the form of a carrier who is named on the same line "
        "or on the next one",
    )


def _row(prefix: str, row: MappingRow, records: Sequence[Mapping[str, Any]]) -> DescribedRow:
    return DescribedRow(
        target=f"{prefix}{row.target}",
        source=", ".join(row.sources),
        transform=", then ".join(row.transforms),
        type=row.type,
        required=row.required,
        owner=row.owner,
        example=next(filter(None, (_example(row, record) for record in records)), None),
    )


def _example(row: MappingRow, record: Mapping[str, Any]) -> Example | None:
    try:
        found = read(row, record)
    except Unmappable as error:
        return Example("", f"parked: {error.what}")
    if found and all(is_missing(one) for one in found):
        return None
    said = ", ".join(_text(one) or "nothing" for one in found)
    try:
        written = value_of(row, record, record.get("currency"))
    except Unmappable as error:
        return Example(said, f"parked: {error.what}")
    return Example(said, _text(written))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(_text(one) for one in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_text(one)}" for key, one in value.items())
    return str(value)
