"""Every list of Halo's is read alike, whether a tenant gives it bare or under whatever name."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from syncline.halo.client import HaloClient
from syncline.halo.entities import resources
from syncline.halo.entities.resources import AnyResource, Resource
from syncline.halo.entities.rows import count_rows, list_rows, next_page, walk_of
from syncline.halo.sql.changes import _RESOURCES, NewestFirst, Noun
from syncline.transport import Permit
from tests.syncline.halo.conftest import HaloServer

RESOURCES: dict[str, AnyResource] = {
    one.name: one for one in vars(resources).values() if isinstance(one, Resource)
}
ROWS = [{"id": 7, "ticket_id": 1, "name": "A"}, {"id": 3, "ticket_id": 1, "name": "B"}]
OTHERS = [{"id": 99}]
"""Another list that stands beside, as columns and views do."""


def shapes(resource: AnyResource, rows: list[dict[str, Any]]) -> list[Any]:
    """The same page as a tenant may give it: bare, or wrapped in the ways that were seen."""
    by_path = f"{resource.path[1:].lower()}s"
    key = resource.list_key or by_path
    count = {"record_count": len(rows)}
    beside = {"columns": OTHERS}
    wrapped = [
        {key: rows, **count},
        {by_path: rows, **count},
        {key: rows, **beside},
        {"include_children": False, "anything": rows, **beside, **count},
    ]
    if resource.list_key is not None:
        wrapped.append({key: rows, "views": OTHERS, **count})
    return [rows, *wrapped]


@pytest.mark.parametrize("name", RESOURCES)
def test_a_list_reads_alike_bare_and_wrapped(
    server: HaloServer, client: HaloClient, permit: Permit, name: str
) -> None:
    resource = RESOURCES[name]
    wanted = resource.model.all_of(ROWS)
    for shape in shapes(resource, ROWS):
        server.on(f"GET /api{resource.path}", lambda _: (200, shape))  # noqa: B023 - asked at once
        assert list_rows(client, permit, resource) == wanted, shape
        assert next_page(client, permit, resource, walk_of(resource)) == wanted, shape
        count = shape.get("record_count") if isinstance(shape, dict) else None
        assert count_rows(client, permit, resource) == count, shape


@pytest.mark.parametrize("noun", get_args(Noun))
def test_what_changed_is_read_alike_from_bare_and_wrapped_lists(noun: Noun) -> None:
    for shape in shapes(_RESOURCES[noun], ROWS):
        walk = NewestFirst(noun)
        walk.take(shape)
        assert walk.rows == ROWS, shape
