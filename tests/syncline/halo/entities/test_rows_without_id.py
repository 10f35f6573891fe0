"""A row of a list that nobody can name is left out and counted; nothing is concluded from it."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.errors import Unreadable
from syncline.halo.capabilities import FindWay
from syncline.halo.client import HaloClient
from syncline.halo.entities import resources
from syncline.halo.entities.resources import SITE, AnyResource, Resource
from syncline.halo.entities.rows import list_legible, list_rows, next_page, walk_of
from syncline.halo.paging import PageWalk
from syncline.halo.sql.changes import NewestFirst
from syncline.halo.sql.finding import RowLookup
from syncline.halo.sql.order_holdings import people_by_pages
from syncline.leniency import noting
from syncline.transport import Permit
from tests.syncline.halo.conftest import HaloServer

RESOURCES: dict[str, AnyResource] = {
    one.name: one for one in vars(resources).values() if isinstance(one, Resource)
}
NO_ID: list[Any] = [None, "", {}, [], True, -1.5, "abc", "1e400", 10**400]
GOOD = [{"id": 7, "ticket_id": 1, "name": "A"}, {"id": 3, "ticket_id": 1, "name": "B"}]


def is_no_id(resource: AnyResource, row_id: Any) -> bool:
    """Whether rows of a resource can do with no such id: a webhook's may be any text."""
    field = resource.model.model_fields["id"]
    is_text = field.annotation is str
    return field.is_required() and not (is_text and row_id and type(row_id) in (str, float, int))


@pytest.mark.parametrize("name", RESOURCES)
@pytest.mark.parametrize("row_id", NO_ID, ids=lambda one: repr(one)[:9])
def test_the_others_of_its_list_are_read(
    server: HaloServer, client: HaloClient, permit: Permit, name: str, row_id: Any
) -> None:
    resource = RESOURCES[name]
    bad = {"id": row_id, "ticket_id": 1, "name": "C"}
    if not is_no_id(resource, row_id):
        return
    wanted = resource.model.all_of(GOOD)
    server.on(f"GET /api{resource.path}", lambda _: (200, [GOOD[0], bad, GOOD[1]]))
    with noting() as noted:
        walk = walk_of(resource)
        assert next_page(client, permit, resource, walk) == wanted
        assert walk.illegible == [bad]
        assert list_rows(client, permit, resource, sought=lambda _: False) == wanted
        assert list_legible(client, permit, resource) == wanted
    assert noted == [("halo", resource.model.kind(), "id", "")] * 3
    with pytest.raises(Unreadable, match="without an id, which may be the one"):
        list_rows(client, permit, resource)


@pytest.mark.parametrize("row", [None, "x", [], 5])
def test_what_is_no_row_at_all_is_left_out_too(
    server: HaloServer, client: HaloClient, permit: Permit, row: Any
) -> None:
    server.on("GET /api/Site", lambda _: (200, {"record_count": 3, "sites": [*GOOD, row]}))
    with noting() as noted:
        walk = walk_of(SITE)
        assert [one.id for one in next_page(client, permit, SITE, walk)] == [7, 3]
    assert noted == [("halo", "site", "[]", "")]
    assert walk.complete
    assert not walk.proves_absence_of(lambda _: False)
    server.on("GET /api/Site", lambda _: (200, [row, row]))
    with pytest.raises(Unreadable):
        next_page(client, permit, SITE, walk_of(SITE))


def test_a_list_that_repeats_what_is_no_row_comes_to_its_end() -> None:
    walk = PageWalk()
    for _ in range(2):
        walk.take([{"id": 1}, None, None])
    assert walk.finished
    assert not walk.proves_absence


def test_a_walk_proves_no_absence_of_what_may_be_among_the_rows_that_were_left_out(
    server: HaloServer, client: HaloClient, permit: Permit
) -> None:
    bad = {"id": None, "client_id": 5}
    server.on("GET /api/Site", lambda _: (200, {"record_count": 2, "sites": [{"id": 7}, bad]}))
    walk = walk_of(SITE)
    next_page(client, permit, SITE, walk)
    assert walk.complete
    assert not walk.proves_absence
    assert walk.proves_absence_of(lambda row: row["client_id"] == 4)
    assert not walk.proves_absence_of(lambda row: row["client_id"] == 5)


@pytest.mark.parametrize(
    ("row", "unsure"),
    [
        ({"id": {}, "emailaddress": "b@example.com"}, False),
        ({"id": {}, "emailaddress": "A@example.com"}, True),
        ({"id": 5, "emailaddress": {"value": "x"}}, True),
        ({"id": 5, "emailaddress": ["x"]}, True),
        ({"id": 5, "emailaddress": None}, False),
        ({"id": 5, "emailaddress": 12}, False),
        (None, True),
    ],
)
def test_a_look_up_is_unsure_of_whom_a_row_may_be_and_of_nobody_else(
    row: Any, *, unsure: bool
) -> None:
    lookup = RowLookup(FindWay.PAGES, "user", ["a@example.com", "c@example.com"])
    lookup.take({"record_count": 2, "users": [{"id": 1, "emailaddress": "c@example.com"}, row]})
    found = lookup.found()
    assert [one.id for one in found.rows["c@example.com"]] == [1]
    assert ("a@example.com" in found.unsure) is unsure


def test_a_walk_down_a_list_still_sees_that_it_descends() -> None:
    walk = NewestFirst("payment", floor=8)
    with noting() as noted:
        walk.take([{"id": 9}, {"id": "x"}, {"id": 8}, {"id": 7}])
    assert walk.descends
    assert walk.pending() is None
    assert [row["id"] for row in walk.above()] == [9, 8]
    assert noted == [("halo", "payment", "id", "")]


def test_users_without_an_id_are_still_known_by_their_client() -> None:
    users: list[Any] = [
        {"id": 1, "emailaddress": "a@example.com", "client_id": 4},
        {"id": "?", "emailaddress": "b@example.com", "client_id": 4},
        {"id": "?", "emailaddress": None},
    ]
    people = people_by_pages(lambda _: {"record_count": len(users), "users": users})
    assert people.of(None, 4) == {"a@example.com", "b@example.com"}
    assert people.of(2, 4) == frozenset()
    users.append({"id": "?", "emailaddress": "c@example.com"})
    with pytest.raises(Unreadable, match="neither an id nor a client"):
        people_by_pages(lambda _: {"record_count": len(users), "users": users})
