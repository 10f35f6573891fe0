"""A parked delivery on both sides, the field that is to blame marked in each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rich.console import RenderableType
from rich.table import Table
from sqlalchemy import Connection

from syncline import jsontext
from syncline.cli.parked_remedies import in_two
from syncline.deliveries import parked
from syncline.deliveries.parked import ParkedDelivery, SourceRecord
from syncline.ledger import connections
from syncline.mapping.apply import MappingRow
from syncline.mapping.parsing import load
from syncline.terminal.output import plain, stack, table

MARK: Final = "►"
"""Stands before a field that is to blame."""

_FROM: Final[Mapping[str, tuple[str, ...]]] = {
    "amount": ("amount", "amount_refunded"),
    "client_id": ("contact", "email"),
    "currency_code": ("currency",),
    "emailaddress": ("contact", "email"),
    "invoice_id": ("entity_id",),
    "lines": ("items", "amount", "discount", "shipping", "tax"),
    "salesorder_id": ("entity_id",),
    "site_id": ("contact",),
    "tax_total": ("tax", "items"),
    "total": ("amount", "items"),
    "user_id": ("contact",),
}
"""A field of Halo's → where in the record its value comes from, for fields no mapping row sets."""

_HELD: Final = (
    r"(?:^|[;:] ){field}: wanted (?P<wanted>.*?), Halo holds (?P<got>.*?)\.?$",
    r"^Halo keeps our reference (?P<wanted>.*?) as (?P<got>.*?): \w+ \d+ holds all else ",
)
"""How a reason says what was wanted of the field to blame, and what the other side holds."""

_LINE: Final = "line "
_ROOT: Final = re.compile(r"[\w]+")


@dataclass(frozen=True, slots=True)
class Marked:
    """The fields to blame: of the record, and of Halo's row."""

    highlevel: list[str]
    halo: list[str]


@dataclass(frozen=True, slots=True)
class TwoSides:
    """A parked delivery with all that is known of both sides.

    Attributes:
        delivery: what is parked, with what was last sent and last confirmed.
        said: the reason without its remedy.
        remedy: what a person can do, where that is known.
        source: the record in HighLevel, None if it was not seen yet.
        marked: the fields to blame.
        retry: the command that sends it again.
        wanted: what was wanted of the field to blame, where the reason says it.
        held: what the other side holds there.
    """

    delivery: ParkedDelivery
    said: str
    remedy: str | None
    source: SourceRecord | None
    marked: Marked
    retry: str
    wanted: str | None = None
    held: str | None = None


def both_sides(database: Connection, delivery: ParkedDelivery) -> TwoSides:
    """All that is known of a parked delivery."""
    source = parked.source_of(database, delivery.id)
    said, remedy = in_two(delivery.reason)
    retry = f"syncline parked retry {delivery.id}"
    return TwoSides(
        delivery,
        said,
        remedy,
        source,
        _marked(database, delivery, source),
        f"{retry} --create" if delivery.may_be_there else retry,
        *_told(delivery),
    )


def _told(delivery: ParkedDelivery) -> tuple[str | None, str | None]:
    """What was wanted of the field to blame, and what the other side holds, as the reason says."""
    for form in _HELD if delivery.field else ():
        pattern = form.replace("{field}", re.escape(delivery.field or ""))
        if (told := re.search(pattern, delivery.reason or "", re.DOTALL)) is not None:
            return told["wanted"], told["got"]
    return None, None


def sent_again_with(retry: str) -> str:
    """How it is sent again, with a warning where Halo may hold it already."""
    if retry.endswith(" --create"):
        return f"Halo may hold it already. Only if it does not, have it made with: {retry}"
    return f"Send it again with: {retry}"


def render(sides: TwoSides) -> RenderableType:
    """Both sides beside each other, for a person."""
    one, source = sides.delivery, sides.source
    row = f"row {one.target_id} in Halo" if one.target_id else "no row in Halo yet"
    parts = [
        plain(
            f"{one.flow}/{one.role} of {one.source_kind} {one.source_id}, connection "
            f"{one.connection}: {row}, parked since {one.parked_at:%Y-%m-%d %H:%M:%S} UTC"
        ),
        plain(f"Reason{f' ({one.field})' if one.field else ''}: {sides.said}"),
        *([plain(f"Remedy: {sides.remedy}")] if sides.remedy else []),
        _beside(_highlevel(sides), _halo(sides)),
        *(
            _payload(name, payload, sides.marked.highlevel)
            for name, payload in sorted((source.facets if source else {}).items())
        ),
        plain(f"Cause {one.cause}. {sent_again_with(sides.retry)}"),
    ]
    return stack(*parts)


def _marked(database: Connection, delivery: ParkedDelivery, source: SourceRecord | None) -> Marked:
    field = delivery.field
    if field is None:
        return Marked([], [])
    root = field.partition(".")[0]
    mapping = load(connections.by_name(database, delivery.connection).mapping)
    canonical = source.canonical if source else {}
    names = [*_sources(mapping.rows, delivery, field), field, *_FROM.get(root, (root,))]
    names = [name for name in dict.fromkeys(names) if name in canonical]
    held = dict.fromkeys([*_fields(delivery), field])
    return Marked(names, [name for name in held if _is_meant(name, field)])


def _sources(
    rows: Mapping[str, tuple[MappingRow, ...]], delivery: ParkedDelivery, field: str
) -> Iterator[str]:
    """The record's fields that the mapping's row for this field reads."""
    own = (*rows.get(delivery.flow, ()), *rows.get(f"{delivery.flow}.{delivery.target}", ()))
    for row in own:
        if row.target == field:
            for path in row.sources:
                yield from _ROOT.findall(path)[:1]


def _is_meant(name: str, field: str) -> bool:
    """Whether a field of Halo's row is the one to blame; the order's lines are one each."""
    root = field.partition(".")[0]
    return name in {field, root} or (root == "lines" and name.startswith(_LINE))


def _fields(delivery: ParkedDelivery) -> dict[str, None]:
    """The fields of Halo's row, in the order in which they were sent."""
    told = (delivery.wanted, delivery.delivered, delivery.target_meta)
    return {name: None for one in told for name in one or {}}


def _highlevel(sides: TwoSides) -> RenderableType:
    if sides.source is None:
        return plain("The record was not seen in HighLevel yet.")
    rows = [
        [_mark(name.partition(".")[0] in sides.marked.highlevel), name, value]
        for name, value in _flat(sides.source.canonical)
    ]
    title = f"HighLevel's record, version {sides.source.version}"
    return table(title, ["", "field", "value"], rows)


def _halo(sides: TwoSides) -> RenderableType:
    one = sides.delivery
    wanted, delivered, answered = one.wanted or {}, one.delivered or {}, one.target_meta or {}
    if one.field and sides.held is not None:
        wanted = {one.field: sides.wanted, **wanted}
        answered = {**answered, one.field: sides.held}
    names = dict.fromkeys([*_fields(one), *sides.marked.halo])
    rows = [
        [
            _mark(name in sides.marked.halo),
            name,
            *(_value(told.get(name)) for told in (wanted, delivered, answered)),
        ]
        for name in names
    ]
    sent = f"sent {one.sent_at:%Y-%m-%d %H:%M:%S} UTC" if one.sent_at else "never sent"
    columns = ["", "field", "last sent", "last confirmed", "last answer"]
    return table(f"Halo's {one.target}, {sent}", columns, rows)


def _payload(name: str, payload: Mapping[str, Any], marked: list[str]) -> RenderableType:
    """What HighLevel said in one shape; its names begin as the record's do, in camel case."""
    blamed = tuple(key.replace("_", "") for key in marked)
    rows = [[_mark(path.lower().startswith(blamed)), path, value] for path, value in _flat(payload)]
    return table(f"HighLevel's answer: {name}", ["", "field", "value"], rows)


def _beside(left: RenderableType, right: RenderableType) -> RenderableType:
    grid = Table.grid(padding=(0, 3), expand=True)
    grid.add_column(ratio=2)
    grid.add_column(ratio=3)
    grid.add_row(left, right)
    return grid


def _flat(document: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in document.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", _value(value)


def _value(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return jsontext.dumps(value).decode()


def _mark(blamed: bool) -> str:  # noqa: FBT001 - a condition, written where it is asked
    return MARK if blamed else ""
