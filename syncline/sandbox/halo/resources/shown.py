"""What a call shows of Halo's rows: the tenant's spelling, the dialled shape, odd values.

Source for what is published: the API's document. What .NET prints of a field that was not loaded
is null; that the answer to a write leaves the lines out so was reported by users.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from syncline.sandbox.config import SHAPES, SandboxConfig, Shape
from syncline.sandbox.halo.resources.entity import Entity
from syncline.sandbox.halo.resources.spelling import spelled
from syncline.sandbox.halo.tenant.store import Row

WRAPPED = {
    "currency": "currencies",
    "status": "statuses",
    "tickettype": "tickettypes",
    "priority": "priorities",
    "report": "reports",
    "customtable": "customtables",
    "lookup": "lookup",
    "webhook": "webhooks",
    "webhookevent": "webhookevents",
    "notification": "notifications",
}
"""Path in lower case → the key that a bare list stands under where lists are wrapped.

Source: `tickettypes` and `statuses` were seen; the others are guessed after them.
"""

_UNPUBLISHED_LINE = frozenset({"quantity", "tax", "qty_order", "seq"})
_LEFT_NULL = ("lines", "customfields")
# Only what Halo itself fills in: what a client wrote and does not get back is no nonsense.
_TIMES = ("datecreated", "date_created", "date_updated", "datepaid", "dateclosed")
_NUMBERS = ("total", "revenue", "tax_total", "amount", "amountpaid", "amountdue")
_RECKONED = ("revenue", "amountdue")
"""Follows from other numbers of the row."""
_NAMES = ("user_name", "client_name", "site_name", "toplevel_name", "currency", "team")


def wrapped(path: str, rows: list[Any]) -> Row:
    """A bare list as a tenant gives it that wraps all of them."""
    return {"record_count": len(rows), WRAPPED.get(path.lower(), f"{path.lower()}s"): rows}


def shown(
    config: SandboxConfig, entity: Entity, body: Any, *, written: bool, shapes: Counter[Shape]
) -> Any:
    """The body of an answer as the tenant shows it.

    Args:
        config: the dials.
        entity: whose rows are in it.
        body: a row, an array of rows, or a page of a list.
        written: whether it answers a write.
        shapes: counts the orders that are shown with their lines, by their shape.
    """
    if isinstance(body, list):
        return [_row(config, entity, one, written=written, shapes=shapes) for one in body]
    if entity.list_key is not None and isinstance(body.get(entity.list_key), list):
        listed = body[entity.list_key]
        rows = [_row(config, entity, one, written=False, shapes=shapes) for one in listed]
        return {**body, entity.list_key: rows}
    return _row(config, entity, body, written=written, shapes=shapes)


def _row(
    config: SandboxConfig, entity: Entity, row: Row, *, written: bool, shapes: Counter[Shape]
) -> Row:
    shape = _shape_of(config, entity, row)
    if entity.name == "SalesOrder" and row.get("lines"):
        shapes[shape] += 1
        row = {**row, "lines": [_line(config, shape, line) for line in row["lines"]]}
    if shape == "printed" and written:
        row = row | {name: None for name in _LEFT_NULL if name in row}
    if config.voided_left_out and not row.get("voided"):
        row = {name: value for name, value in row.items() if name != "voided"}
    if config.nonsense and len(row) > 1:
        row = _odd(config, entity, row)
    return row


def _shape_of(config: SandboxConfig, entity: Entity, row: Row) -> Shape:
    if config.halo_shape != "mixed":
        return config.halo_shape
    return random.Random(f"shape {config.seed} {entity.name} {row.get('id')}").choice(SHAPES)


def _line(config: SandboxConfig, shape: Shape, line: Row) -> Row:
    if shape == "rich":
        return spelled(config, line)
    if shape == "printed":
        return {key: value for key, value in spelled(config, line).items() if key != "seq"}
    line = {**line, "total_tax": line.get("tax", 0)}
    return {key: value for key, value in line.items() if key not in _UNPUBLISHED_LINE}


def _odd(config: SandboxConfig, entity: Entity, row: Row) -> Row:
    """A row with one kind of odd values, always the same one, or as it is."""
    rng = random.Random(f"{config.seed} {entity.name} {row.get('id')}")
    if rng.random() >= config.nonsense:
        return row
    return {**row, **rng.choice(_KINDS)(row)}


def _replaced(names: tuple[str, ...], replace: Callable[[Any], Any]) -> Callable[[Row], Row]:
    return lambda row: {name: replace(row[name]) for name in names if name in row}


_KINDS: tuple[Callable[[Row], Row], ...] = (
    _replaced(_TIMES, lambda _: ""),
    _replaced(_TIMES, lambda _: "0001-01-01T00:00:00"),
    _replaced(_NAMES, lambda _: None),
    _replaced(_NAMES, lambda value: {"name": value}),
    _replaced(_NUMBERS, str),
    _replaced(_RECKONED, lambda _: "n/a"),
    _replaced(_RECKONED, lambda value: {"value": value}),
    lambda _: {"profit": Decimal("1E+400"), "cost": Decimal("9" * 5000)},
    lambda _: {"attachments": "", "custombuttons": None, "external_links": None},
)
