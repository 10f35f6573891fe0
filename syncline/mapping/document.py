"""The mapping document: one TOML text per connection, checked and compiled when it is loaded.

Everything that can be known to be wrong is refused here, with its line, and not at the first order.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from syncline.errors import BadDocument
from syncline.mapping.apply import Owner, Row
from syncline.mapping.paths import BadPathError, compile_path
from syncline.mapping.positions import Positions
from syncline.mapping.shapes import CUSTOM, FLOWS, FieldType, FlowShape
from syncline.mapping.transforms import (
    BadTransformError,
    Scalar,
    Tables,
    compile_steps,
    names_of,
)

_REMEDY = "Correct the mapping document and load it again."


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class OrderOptions(_Section):
    """The options of `[orders]`.

    Attributes:
        lines: a line for each item, which needs the order's detail, or one for the whole order.
        adjustment: whether a rest within the limit becomes a line of its own or is parked.
        adjustment_limit: the largest such rest, in major units of the order's currency.
        test_mode: what becomes of orders made in HighLevel's test mode.
    """

    lines: Literal["detail", "summary"] = "detail"
    adjustment: Literal["line", "park"] = "line"
    adjustment_limit: Annotated[Decimal, Field(strict=False, ge=0)] = Decimal("0.05")
    test_mode: Literal["skip", "include"] = "skip"


class CustomerOptions(_Section):
    """The options of `[customers]`.

    Attributes:
        without_email: whose order it is when the contact has no e-mail.
        default_client: Halo's id of the client that takes such orders.
        default_site: Halo's id of that client's site, where Halo asks for one.
        client_name: what a new client is named after; the others follow where it is missing.
    """

    without_email: Literal["default-client", "own-client", "park"] = "own-client"
    default_client: Annotated[int, Field(gt=0)] | None = None
    default_site: Annotated[int, Field(gt=0)] | None = None
    client_name: Literal["company", "person", "email"] = "company"


class _FieldRow(_Section):
    target: str
    source: str | list[str] | None = None
    transform: Any = None
    type: FieldType | None = None
    required: bool = False
    owner: Owner = "highlevel"


class _Orders(OrderOptions):
    field: list[_FieldRow] = []


class _Customers(CustomerOptions):
    field: list[_FieldRow] = []


class _Written(_Section):
    orders: _Orders = _Orders()
    customers: _Customers = _Customers()
    tables: dict[str, dict[str, Scalar]] = {}


@dataclass(frozen=True, slots=True)
class Document:
    """A checked and compiled mapping document.

    Attributes:
        orders: the options of the orders flow.
        customers: the options of the customers flow.
        rows: compiled rows by flow and, for customers, by row of Halo: `orders`,
            `customers.client`, `customers.user`.
    """

    orders: OrderOptions
    customers: CustomerOptions
    rows: Mapping[str, tuple[Row, ...]]


@lru_cache(maxsize=64)
def load(text: str) -> Document:
    """Check and compile a mapping document.

    Raises:
        BadDocument: with the 1-based line: broken TOML, an unknown option, target, transform or
            table, a wrong type, a path that is none or leads nowhere, a target given twice.
    """
    positions = Positions(text)
    written = _parse(text, positions)
    if written.customers.without_email == "default-client" and (
        written.customers.default_client is None
    ):
        line = positions.line(("customers", "without_email"))
        _refuse('without_email = "default-client" needs default_client, a client\'s id', line)
    rows: dict[str, tuple[Row, ...]] = {}
    for flow, section in (("orders", written.orders), ("customers", written.customers)):
        compiled = _compile(flow, section.field, written.tables, positions)
        for prefix in FLOWS[flow].prefixes:
            rows[f"{flow}.{prefix}".rstrip(".")] = tuple(
                replace(row, target=row.target.removeprefix(prefix))
                for row in compiled
                if row.target.startswith(prefix)
            )
    return Document(written.orders, written.customers, rows)


def default_document(
    style: Literal["detail", "summary"],
    options: Mapping[str, Mapping[str, str | int]] | None = None,
) -> str:
    """The text of the mapping that ships, with a line for each item or one for each order.

    Args:
        style: the orders' `lines`.
        options: section → option → value, written over the shipped ones.
    """
    text = (files("syncline.mapping") / "defaults" / "default.toml").read_text(encoding="utf-8")
    given = options or {}
    merged = {**given, "orders": {"lines": style, **given.get("orders", {})}}
    for section, values in merged.items():
        for name, value in values.items():
            text = _with_option(text, section, name, json.dumps(value, ensure_ascii=False))
    return text


def _with_option(text: str, section: str, name: str, value: str) -> str:
    positions = Positions(text)
    lines = text.splitlines(keepends=True)
    header, at = positions.line((section,)), positions.line((section, name))
    if header is None:
        return f"{text}\n[{section}]\n{name} = {value}\n"
    if at is None or at == header:
        lines.insert(header, f"{name} = {value}\n")
    else:
        # A comment behind the old value says what the option means, so it stays.
        comment = re.search(r"\s+#.*", lines[at - 1])
        lines[at - 1] = f"{name} = {value}{comment[0] if comment else ''}".rstrip() + "\n"
    return "".join(lines)


def _refuse(what: str, line: int | None) -> NoReturn:
    where = "" if line is None else f", line {line}"
    raise BadDocument(f"Mapping document{where}: {what}.", line=line, remedy=_REMEDY)


def _parse(text: str, positions: Positions) -> _Written:
    try:
        raw = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"\(at line (\d+)", str(error))
        line = int(at[1]) if at else len(text.splitlines())
        _refuse(f"this is not TOML: {str(error).split(' (at ')[0]}", line)
    try:
        return _Written.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        _refuse(_in_words(first), positions.line(first["loc"]))


def _in_words(error: ErrorDetails) -> str:
    *_, name = error["loc"] or ("",)
    where = ".".join(str(part) for part in error["loc"] if not isinstance(part, int))
    if error["type"] == "extra_forbidden":
        known = _known(error["loc"])
        close = get_close_matches(str(name), known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
        return f"{where} is unknown; {hint}".rstrip("?")
    if error["type"] == "missing":
        return f"{where} is missing"
    return f"{where}: {error['msg'][:1].lower()}{error['msg'][1:]}, not {error['input']!r}"


def _known(place: tuple[str | int, ...]) -> list[str]:
    sections: dict[str, type[BaseModel]] = {"orders": _Orders, "customers": _Customers}
    model = _FieldRow if "field" in place[:-1] else sections.get(str(place[0]), _Written)
    return list((model if len(place) > 1 else _Written).model_fields)


def _compile(flow: str, rows: list[_FieldRow], tables: Tables, positions: Positions) -> list[Row]:
    compiled: dict[str, Row] = {}
    for at, row in enumerate(rows):
        place = (flow, "field", at)
        shape = FLOWS[flow]
        kind = _checked_type(shape, row, place, positions)
        if row.target in compiled:
            _refuse(f"{row.target} is already set above", positions.line((*place, "target")))
        sources = [row.source] if isinstance(row.source, str) else row.source or []
        names = [] if row.transform is None else names_of(row.transform)
        if not sources and "const" not in names:
            _refuse(f"{row.target} needs a source", positions.line(place))
        if "money" in {*names, kind} and not shape.has_currency:
            _refuse(f"{flow} have no currency, so no money", positions.line((*place, "type")))
        try:
            reads = tuple(compile_path(source, shape.source) for source in sources)
        except BadPathError as error:
            _refuse(str(error), positions.line((*place, "source")))
        try:
            steps = compile_steps(row.transform, tables) if names else ()
        except BadTransformError as error:
            _refuse(str(error), positions.line((*place, "transform")))
        if len(reads) > 1 and "join" not in names:
            _refuse('several sources need transform "join"', positions.line((*place, "source")))
        compiled[row.target] = Row(row.target, kind, row.owner, row.required, reads, steps)
    return list(compiled.values())


def _checked_type(
    shape: FlowShape, row: _FieldRow, place: tuple[str | int, ...], positions: Positions
) -> FieldType:
    line = positions.line((*place, "target"))
    if row.target in shape.filled:
        _refuse(f"{row.target} cannot be mapped: {shape.filled[row.target]}", line)
    if any(
        row.target.startswith(f"{prefix}{CUSTOM}") and row.target != f"{prefix}{CUSTOM}"
        for prefix in shape.prefixes
    ):
        return row.type or "text"
    if row.target not in shape.targets:
        close = get_close_matches(row.target, shape.targets, n=1)
        hint = f"did you mean {close[0]}" if close else f"known are {', '.join(shape.targets)}"
        _refuse(f"Halo has no field {row.target!r} that can be mapped; {hint}", line)
    wanted = shape.targets[row.target]
    if row.type is not None and row.type != wanted:
        _refuse(f"{row.target} takes {wanted}, not {row.type}", positions.line((*place, "type")))
    return wanted
