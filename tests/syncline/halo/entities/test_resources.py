"""What the table of resources says of Halo's database holds in the emulated one, and in itself."""

from __future__ import annotations

import re

import pytest

from syncline.halo.entities import resources
from syncline.halo.entities.resources import AnyResource, Resource
from syncline.sandbox.halo.sql.dialect import translate
from syncline.sandbox.halo.sql.tables import TABLES

EVERY = [one for one in vars(resources).values() if isinstance(one, Resource)]
REPORTED = [one for one in EVERY if one.table is not None]


def test_no_name_stands_for_two_resources() -> None:
    names = [one.name for one in EVERY]
    assert len(names) == len(set(names)) > 10


@pytest.mark.parametrize("resource", REPORTED, ids=lambda one: one.name)
def test_a_report_of_all_fields_is_a_select_over_columns_that_are_there(
    resource: AnyResource,
) -> None:
    table = resource.known_table
    assert translate(table.select(table.columns, where=[table.only], order=table.id, top=1))
    known = {one.name.upper(): {name.upper() for name, *_ in one.columns} for one in TABLES}
    plain = {text.upper() for text in table.columns.values() if re.fullmatch(r"\w+", text)}
    assert plain <= known[table.name.upper()] | known["SITE"]
    assert set(table.joins) <= set(table.columns)


@pytest.mark.parametrize("resource", REPORTED, ids=lambda one: one.name)
def test_what_is_looked_for_or_changes_has_a_column(
    resource: AnyResource,
) -> None:
    wanted = {resource.reference, resource.changed} - {""}
    assert wanted <= set(resource.known_table.columns)


def test_a_resource_without_a_table_says_so() -> None:
    with pytest.raises(LookupError, match="action"):
        _ = resources.ACTION.known_table
