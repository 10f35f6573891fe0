"""A mapping document read from its TOML: checked and compiled, or refused with all its errors.

Everything that can be known to be wrong is refused here, with its line, and not at the first order.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from syncline.errors import BadDocument
from syncline.mapping.apply import MappingRow, Owner
from syncline.mapping.document import Document
from syncline.mapping.options import (
    SECTIONS,
    CustomerOptions,
    NewOrderRule,
    Options,
    PaymentOptions,
)
from syncline.mapping.paths import BadPathError, Read, compile_path
from syncline.mapping.positions import Place, Positions
from syncline.mapping.shapes import FLOWS, FieldType, FlowShape
from syncline.mapping.statuses import StatusRow, unreachable
from syncline.mapping.transforms import (
    OF_SEVERAL,
    BadTransformError,
    Scalar,
    Step,
    Tables,
    compile_steps,
    in_words,
    names_of,
)

_TABLES: TypeAdapter[dict[str, dict[str, Scalar]]] = TypeAdapter(
    dict[str, dict[str, Scalar]], config=ConfigDict(strict=True)
)
_Options = TypeVar("_Options", bound=BaseModel)


class _FieldRow(Options):
    target: str
    source: str | list[str] | None = None
    transform: Any = None
    type: FieldType | None = None
    required: bool = False
    owner: Owner = "highlevel"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong in a document.

    Attributes:
        line: its 1-based line, where known.
        what: what is wrong, as half a sentence.
        remedy: what to do about it, as a sentence.
    """

    line: int | None
    what: str
    remedy: str


@lru_cache(maxsize=64)
def load(text: str) -> Document:
    """Check and compile a mapping document.

    Raises:
        BadDocument: with the 1-based line of the first problem: broken TOML, an unknown option,
            target, transform or table, a wrong type, a path that is none or leads nowhere, a
            target given twice.
    """
    document, found = _read(text)
    if document is None or found:
        first = found[0]
        where = "" if first.line is None else f", line {first.line}"
        raise BadDocument(
            f"Mapping document{where}: {first.what}.", line=first.line, remedy=first.remedy
        )
    return document


def problems(text: str) -> list[Problem]:
    """Everything that is wrong in a mapping document, in the order of its lines."""
    return _read(text)[1]


def _read(text: str) -> tuple[Document | None, list[Problem]]:
    reading = _DocumentReader(text)
    try:
        raw = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        return None, [_no_toml(error, text)]
    except RecursionError:
        return None, [Problem(None, "it is nested too deeply", "Write flat sections and rows.")]
    document = reading.document(raw)
    return document, sorted(reading.found, key=lambda one: one.line or 0)


def _no_toml(error: tomllib.TOMLDecodeError, text: str) -> Problem:
    at = re.search(r"\(at line (\d+)", str(error))
    line = int(at[1]) if at else len(text.splitlines())
    return Problem(
        line,
        f"this is not TOML: {str(error).split(' (at ')[0]}",
        "Write one name = value a line, texts in quotes, sections in brackets.",
    )


class _DocumentReader:
    """One reading of a document: it goes on after a problem, to find all of them."""

    def __init__(self, text: str) -> None:
        self.found: list[Problem] = []
        self._positions = Positions(text)

    def document(self, raw: Mapping[str, Any]) -> Document:
        """The document, as far as it can be read."""
        for name in raw:
            if name not in SECTIONS and name != "tables":
                self._unknown((name,), [*SECTIONS, "tables"])
        tables = self._tables(raw.get("tables", {}))
        options: dict[str, Any] = {"statuses": ()}
        rows: dict[str, tuple[MappingRow, ...]] = {}
        for flow, model in SECTIONS.items():
            section = self._section(flow, raw.get(flow, {}))
            fields = section.pop("field", [])
            if flow == "orders":
                options["statuses"] = self._statuses(section.pop("status", []), fields)
            if flow == "alerts" and "new_order" in section:
                section["new_order"] = self._new_orders(section["new_order"])
            options[flow] = self._options(flow, model, section)
            shape = FLOWS[flow]
            compiled = self._rows(flow, fields, tables)
            for prefix in shape.prefixes:
                rows[shape.rows_key(flow, prefix)] = tuple(
                    replace(row, target=row.target.removeprefix(prefix))
                    for row in compiled
                    if row.target.startswith(prefix)
                )
        return Document(**options, rows=rows)

    def _statuses(self, written: Any, fields: Any) -> tuple[StatusRow, ...]:
        place = ("orders", "status")
        rows = written if isinstance(written, list) else [written]
        read = [
            self._validated(StatusRow, row if isinstance(row, Mapping) else {}, (*place, at))
            for at, row in enumerate(rows)
        ]
        whole = [row for row, bad in read if row is not None and not bad]
        if len(whole) < len(read):
            return ()
        for at in unreachable(whole):
            remedy = "Put it above the row that takes everything of it, or take it out."
            self._add((*place, at), "this row of orders.status is never reached", remedy)
        named = [row.get("target") for row in fields if isinstance(row, Mapping)]
        if whole and "status" in named:
            what = "status is set by orders.status and by a row of orders.field"
            self._add(("orders", "field", named.index("status")), what, "Leave one of the two.")
        return tuple(whole)

    def _new_orders(self, written: Any) -> list[NewOrderRule]:
        rows = written if isinstance(written, list) else [written]
        read = [
            self._validated(
                NewOrderRule, row if isinstance(row, Mapping) else {}, ("alerts", "new_order", at)
            )
            for at, row in enumerate(rows)
        ]
        return [row for row, _ in read if row is not None]

    def _add(self, place: Place, what: str, remedy: str) -> None:
        self.found.append(Problem(self._positions.line(place), what, remedy))

    def _section(self, name: str, raw: Any) -> dict[str, Any]:
        if isinstance(raw, Mapping):
            return dict(raw)
        self._add((name,), f"{name} is no section", f"Write [{name}] above its options.")
        return {}

    def _options(self, flow: str, model: type[_Options], given: Mapping[str, Any]) -> _Options:
        further = ["field", "status"] if flow == "orders" else ["field"]
        options, bad = self._validated(model, given, (flow,), further)
        if not bad and isinstance(options, CustomerOptions):
            self._check_customers(options)
        if not bad and isinstance(options, PaymentOptions):
            self._check_payments(options)
        return cast("_Options", options)

    def _check_customers(self, options: CustomerOptions) -> None:
        if options.without_email == "default-client" and options.default_client is None:
            self._add(
                ("customers", "without_email"),
                'without_email = "default-client" needs default_client, a client\'s id',
                "Add default_client = and the id of a client in Halo.",
            )

    def _check_payments(self, options: PaymentOptions) -> None:
        for status in dict.fromkeys(options.paid):
            if status in options.unpaid:
                given = {"paid", "unpaid"} & options.model_fields_set
                self._add(
                    ("payments", "unpaid" if "unpaid" in given else "paid"),
                    f"the status {status!r} is in both paid and unpaid",
                    "Leave it in one of the two; a list that is not written is the shipped one.",
                )

    def _validated(
        self,
        model: type[_Options],
        given: Mapping[str, Any],
        place: Place,
        further: Collection[str] = (),
    ) -> tuple[_Options | None, set[str]]:
        """What a model makes of those values that fit, and the names of those that do not.

        None where what is left is not enough.
        """
        bad: set[str] = set()
        while True:
            kept = {name: value for name, value in given.items() if name not in bad}
            try:
                return model.model_validate(kept), bad
            except ValidationError as error:
                # A value that fits none of several types gives an error for each of them.
                firsts = {str(one["loc"][0]): one for one in reversed(error.errors())}
            for name, one in firsts.items():
                at = (*place, name)
                if name in bad:
                    continue  # said already; without it the row is not whole
                if one["type"] == "extra_forbidden":
                    self._unknown(at, [*model.model_fields, *further])
                elif one["type"] == "missing":
                    self._add(at, f"{_dotted(at)} is missing", "Add it.")
                else:
                    self._add(at, f"{_dotted(at)}: {_in_words(one)}", "Write what it takes.")
            bad |= firsts.keys()
            if not firsts.keys() <= kept.keys():
                return None, bad

    def _unknown(self, place: Place, known: Collection[str]) -> None:
        close = get_close_matches(str(place[-1]), known, n=1)
        hint = f"did you mean {close[0]}" if close else f"known are {', '.join(known)}"
        self._add(
            place, f"{_dotted(place)} is unknown; {hint}", "Correct the name, or take it out."
        )

    def _tables(self, raw: Any) -> Tables:
        tables: dict[str, dict[str, Scalar]] = {}
        for name, table in self._section("tables", raw).items():
            try:
                tables |= _TABLES.validate_python({name: table})
            except ValidationError as error:
                keys = {one["loc"][:2]: one for one in reversed(error.errors())}
                for loc, one in keys.items():
                    place = ("tables", *loc)
                    remedy = 'Write a row of a table as from = "to".'
                    self._add(place, f"{_dotted(place)}: {_in_words(one)}", remedy)
                tables[name] = {}
        return tables

    def _rows(self, flow: str, written: Any, tables: Tables) -> list[MappingRow]:
        if not isinstance(written, list):
            remedy = f"Write [[{flow}.field]] above each row."
            self._add((flow, "field"), f"{flow}.field is no list of rows", remedy)
            return []
        compiled: dict[str, MappingRow] = {}
        for at, raw in enumerate(written):
            place = (flow, "field", at)
            if not isinstance(raw, Mapping):
                remedy = f"Write [[{flow}.field]] above each row."
                self._add(place, f"{flow}.field holds {raw!r}, which is no row", remedy)
                continue
            row, bad = self._validated(_FieldRow, raw, place)
            if row is None:
                continue
            if row.target in compiled:
                remedy = "Leave one of the two rows."
                self._add((*place, "target"), f"{row.target} is already set above", remedy)
            compiled[row.target] = self._row(flow, row, bad, place, tables)
        return list(compiled.values())

    def _row(
        self, flow: str, row: _FieldRow, bad: Collection[str], place: Place, tables: Tables
    ) -> MappingRow:
        shape = FLOWS[flow]
        kind = self._type(shape, row, place)
        sources = [row.source] if isinstance(row.source, str) else row.source or []
        names = [] if row.transform is None else names_of(row.transform)
        if not sources and "const" not in names and "source" not in bad:
            remedy = 'Add source = "…", or transform = { use = "const", value = "…" }.'
            self._add(place, f"{row.target} needs a source", remedy)
        if "money" in {*names, kind} and not shape.has_currency:
            remedy = "Map it as a number or text."
            self._add((*place, "type"), f"{flow} have no currency, so no money", remedy)
        if len(sources) > 1 and names[:1] != ["const"] and not {*names[:1]} & {*OF_SEVERAL}:
            known = " or ".join(f'"{name}"' for name in reversed(OF_SEVERAL))
            what = f"several sources need transform {known}, before any other"
            self._add((*place, "source"), what, "Add the transform, or leave one source.")
        return MappingRow(
            *(row.target, kind, row.owner, row.required),
            self._reads(sources, shape.source_of(row.target), place),
            self._steps(row.transform, tables, place) if names else (),
            tuple(sources),
            in_words(row.transform) if names else (),
        )

    def _reads(
        self, sources: list[str], shape: Mapping[str, Any], place: Place
    ) -> tuple[Read, ...]:
        reads: list[Read] = []
        for source in sources:
            try:
                reads.append(compile_path(source, shape))
            except BadPathError as error:
                remedy = "Correct the path; docs/mapping.md lists those of each section."
                self._add((*place, "source"), str(error), remedy)
        return tuple(reads)

    def _steps(self, written: Any, tables: Tables, place: Place) -> tuple[Step, ...]:
        try:
            return compile_steps(written, tables)
        except BadTransformError as error:
            remedy = "Correct the transform; docs/mapping.md shows each with an example."
            self._add((*place, "transform"), str(error), remedy)
            return ()

    def _type(self, shape: FlowShape, row: _FieldRow, place: Place) -> FieldType:
        at = (*place, "target")
        if row.target in shape.filled:
            what = f"{row.target} cannot be mapped: {shape.filled[row.target]}"
            self._add(at, what, "Take the row out: this field is filled without it.")
            return row.type or "text"
        if shape.takes_custom(row.target):
            return row.type or "text"
        if row.target not in shape.targets:
            close = get_close_matches(row.target, shape.targets, n=1)
            hint = f"did you mean {close[0]}" if close else f"known are {', '.join(shape.targets)}"
            what = f"{shape.side} has no field {row.target!r} that can be mapped; {hint}"
            self._add(at, what, "Name a field that docs/mapping.md lists, or a custom field.")
            return row.type or "text"
        wanted = shape.targets[row.target]
        if row.type is not None and row.type != wanted:
            what = f"{row.target} takes {wanted}, not {row.type}"
            self._add((*place, "type"), what, f'Write type = "{wanted}", or leave type out.')
        return wanted


def _dotted(place: Place) -> str:
    return ".".join(str(part) for part in place if not isinstance(part, int))


def _in_words(error: ErrorDetails) -> str:
    return f"{error['msg'][:1].lower()}{error['msg'][1:]}, not {error['input']!r}"
