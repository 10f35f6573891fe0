"""Sources: where in a record a row of the mapping reads.

A plain dotted path is looked up directly; anything else is a JMESPath expression. Both are checked
against the record's canonical form when the document is loaded, so a misspelt path is found then
and not at the first order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions

Read = Callable[[Mapping[str, Any]], Any]

ANY_NAME = "*"
"""In a shape: any name may stand here, since it is somebody's own, such as a custom field's."""

_PLAIN = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_ANY: Any = object()
"""The shape of what cannot be known beforehand, such as a function's result."""


class BadPathError(ValueError):
    """A source that cannot be read or leads nowhere."""


def compile_path(source: str, shape: Mapping[str, Any]) -> Read:
    """A function that reads `source` from a record; absent parts give None.

    Args:
        source: a dotted path or a JMESPath expression.
        shape: the canonical form: None for a value, a mapping, or a list of one element's shape.

    Raises:
        BadPathError: if it is no expression, or reads what the record cannot have.
    """
    if _PLAIN.fullmatch(source):
        keys = tuple(source.split("."))
        reduce(_field, keys, shape)
        return lambda record: _look_up(record, keys)
    try:
        expression = jmespath.compile(source)
    except JMESPathError as error:
        raise BadPathError(f"{source!r} is no path: {str(error).splitlines()[0]}") from None
    _shape_of(expression.parsed, shape)
    return expression.search


def _look_up(record: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    value: Any = record
    for key in keys:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def _field(shape: Any, name: str) -> Any:
    if shape is _ANY:
        return _ANY
    if isinstance(shape, list):
        raise BadPathError(f"{name!r} is read from a list; write [].{name} for all of its elements")
    if not isinstance(shape, Mapping):
        raise BadPathError(f"nothing lies below a plain value, so there is no {name!r}")
    if ANY_NAME in shape:
        return shape[ANY_NAME]
    if name not in shape:
        raise BadPathError(f"there is no {name!r} here, only {', '.join(shape)}")
    return shape[name]


def _element(shape: Any) -> Any:
    if isinstance(shape, list):
        return shape[0]
    if shape is _ANY:
        return _ANY
    raise BadPathError("[] reads a list, and here is none")


def _shape_of(node: Mapping[str, Any], shape: Any) -> Any:
    kind, children = node["type"], node["children"]
    if kind == "field":
        return _field(shape, node["value"])
    if kind in {"identity", "current"}:
        return shape
    if kind in {"subexpression", "index_expression", "pipe"}:
        return reduce(lambda so_far, child: _shape_of(child, so_far), children, shape)
    if kind in {"index", "flatten", "slice"}:
        return _reached(kind, children, shape)
    if kind in {"projection", "filter_projection"}:
        element = _element(_shape_of(children[0], shape))
        for child in children[2:]:
            _shape_of(child, element)
        return [_shape_of(children[1], element)]
    if kind == "function_expression" and node["value"] not in Functions.FUNCTION_TABLE:
        known = ", ".join(sorted(Functions.FUNCTION_TABLE))
        raise BadPathError(f"there is no function {node['value']!r}, only {known}")
    # Inside &expression the element's shape depends on the function, so anything may be read.
    inside = _ANY if kind == "expref" else shape
    for child in children:
        _shape_of(child, inside)
    return _ANY


def _reached(kind: str, children: list[Any], shape: Any) -> Any:
    if kind == "index":
        return _element(shape)
    if kind == "slice":
        _element(shape)
        return shape
    inner = _shape_of(children[0], shape)
    element = _element(inner)
    return element if isinstance(element, list) else inner
