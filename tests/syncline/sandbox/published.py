"""The published schemas of both APIs, and what in a value departs from them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

_FOLDER = Path(__file__).parents[4] / "shared/apis"
_PREFIX = "#/components/schemas/"
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
_encoder = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True)
class Published:
    """The schemas of one API by name."""

    schemas: Mapping[str, Any]

    def misfits(self, value: Any, name: str) -> set[str]:
        """What of a value, as it is on the wire, the schema of that name does not tell.

        Each is a path without indices and what is wrong there: `unknown`, `missing`, or the type
        that stands where another one is published.
        """
        on_the_wire = json.loads(_encoder.encode(value))
        return set(self._misfits(on_the_wire, {"$ref": _PREFIX + name}, ""))

    def properties(self, name: str) -> dict[str, Any]:
        """The published properties of a schema, each resolved as far as its type."""
        return {
            key: self._resolved(schema) for key, schema in self.schemas[name]["properties"].items()
        }

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        for inner in schema.get("allOf", ()):
            return self._resolved(inner)
        if "$ref" in schema:
            return self._resolved(self.schemas[schema["$ref"].removeprefix(_PREFIX)])
        return schema

    def _misfits(self, value: Any, schema: Mapping[str, Any], path: str) -> Iterator[str]:
        # Halo marks a reference to another schema nowhere as nullable, and answers null there.
        if value is None and (schema.get("nullable") or "$ref" in schema):
            return
        schema = self._resolved(schema)
        wanted = schema.get("type", "object")
        if not _is_a(value, wanted):
            yield f"{path}: {type(value).__name__} for {wanted}"
            return
        if "enum" in schema and value not in schema["enum"]:
            yield f"{path}: {value} is not in the enum"
        if isinstance(value, list):
            for one in value:
                yield from self._misfits(one, schema.get("items", {}), f"{path}[]")
        if isinstance(value, dict) and "properties" in schema:
            yield from self._misfits_of(value, schema, path)

    def _misfits_of(
        self, value: dict[str, Any], schema: Mapping[str, Any], path: str
    ) -> Iterator[str]:
        prefix = f"{path}." if path else ""
        for key in set(schema.get("required", ())) - set(value):
            yield f"{prefix}{key}: missing"
        for key, inner in value.items():
            if key in schema["properties"]:
                yield from self._misfits(inner, schema["properties"][key], f"{prefix}{key}")
            else:
                yield f"{prefix}{key}: unknown"


def _is_a(value: Any, wanted: str) -> bool:
    if isinstance(value, bool):
        return wanted == "boolean"
    return isinstance(value, _TYPES[wanted])


@cache
def _load(file: str) -> Published:
    return Published(json.loads((_FOLDER / file).read_text())["components"]["schemas"])


def published(file: str) -> Published:
    """The schemas in one file below the folder of published ones; skips where it is absent."""
    if not (_FOLDER / file).exists():
        pytest.skip(f"the published schema {file} is not beside this checkout")
    return _load(file)
