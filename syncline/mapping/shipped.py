"""The mapping document that ships."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Literal

from syncline.mapping.positions import Positions


def default_document(
    style: Literal["detail", "summary"],
    options: Mapping[str, Mapping[str, str | int | Sequence[str]]] | None = None,
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
