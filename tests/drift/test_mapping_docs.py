"""docs/mapping.md says of money and transforms what the code does: its examples are run."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from syncline.errors import Unmappable
from syncline.mapping.options import SECTIONS
from syncline.mapping.shapes import FLOWS
from syncline.mapping.transforms import TRANSFORMS, Context, compile_steps, names_of, run_steps

PAGE = (Path(__file__).parents[2] / "docs" / "mapping.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^transform = (.+) : (.+?)(?: in ([A-Z]{3}))? → (.+)$", PAGE, re.MULTILINE)
PARKED = object()


def _value(written: str) -> Any:
    if written == "parked":
        return PARKED
    return json.loads(re.sub(r"\bnothing\b", "null", written), parse_float=Decimal)


def _tables() -> Mapping[str, Mapping[str, str]]:
    blocks = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    tables: Mapping[str, Mapping[str, str]] = tomllib.loads("\n".join(blocks))["tables"]
    return tables


def _cells(table: str) -> dict[str, list[str]]:
    rows = re.findall(r"^\| `([^`|]+)` \|(.*)\|$", table, re.MULTILINE)
    return {first: [cell.strip() for cell in rest.split("|")] for first, rest in rows}


def _paths(shape: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for name, inner in shape.items():
        if isinstance(inner, Mapping):
            yield from _paths(inner, f"{above}{name}.")
        else:
            yield f"{above}{name}"


@pytest.mark.parametrize(("transform", "read", "currency", "written"), EXAMPLES)
def test_every_example_of_a_transform_comes_out_as_it_says(
    transform: str, read: str, currency: str, written: str
) -> None:
    named = tomllib.loads(f"transform = {transform}")["transform"]
    steps = compile_steps(named, _tables())
    try:
        result = run_steps(steps, _value(read), Context("note", currency or None))
    except Unmappable:
        result = PARKED
    wanted = _value(written)
    assert (result, str(result)) == (wanted, str(wanted))


def test_every_transform_has_an_example() -> None:
    shown = {
        name
        for transform, *_ in EXAMPLES
        for name in names_of(tomllib.loads(f"transform = {transform}")["transform"])
    }
    assert shown == set(TRANSFORMS)


@pytest.mark.parametrize("section", ["payments", "subscriptions"])
def test_every_option_for_money_is_documented_with_default_and_choices(section: str) -> None:
    rows = _cells(PAGE.split(f"| option of `[{section}]` |")[1].split("\n\n")[0])
    fields = SECTIONS[section].model_fields
    assert list(rows) == list(fields)
    for name, field in fields.items():
        assert rows[name][0] == f"`{json.dumps(field.default)}`"
        choices = getattr(field.annotation, "__args__", ())
        assert all(f'"{one}"' in rows[name][1] for one in choices if isinstance(one, str))


@pytest.mark.parametrize("section", SECTIONS)
def test_every_option_says_its_meaning(section: str) -> None:
    assert all(field.description for field in SECTIONS[section].model_fields.values())


@pytest.mark.parametrize("prefix", FLOWS["payments"].sources)
def test_what_an_invoice_and_a_credit_note_read_is_documented(prefix: str) -> None:
    [paths] = _cells(PAGE.split("### Sources")[1])[prefix]
    assert re.findall(r"`([^`]+)`", paths) == list(_paths(FLOWS["payments"].sources[prefix]))


def test_every_flow_has_a_section_of_options_and_the_other_way_round() -> None:
    assert list(FLOWS) == list(SECTIONS)
