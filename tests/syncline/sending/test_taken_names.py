"""At tenants where the names of clients must be unique, people of one name each get a client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest

from syncline.deliveries.delivery import Lease
from syncline.deliveries.target_rows import NAME_TAKEN
from syncline.errors import Rejected
from syncline.halo.entities.resources import CLIENT
from syncline.halo.entities.rows import save_rows
from syncline.sandbox.process import SandboxProcess
from syncline.sending.tenant import taken_names
from tests.tenants import operations, parked
from tests.world import World, Worlds, small

NAME = "John Smith"
SHOP: Mapping[str, Any] = {
    "orders": 12,
    "customers": 6,
    "transactions": 0,
    "subscriptions": 0,
    "namesakes": True,
}
ONE = {**SHOP, "orders": 1, "customers": 1}


def names(world: World) -> dict[str, str]:
    """The names of the clients that were confirmed, by customer."""
    return {
        row.source_id: row.name
        for row in world.rows(
            "select source_id, projection ->> 'name' as name from delivery where target = 'client'"
        )
    }


@pytest.mark.parametrize("profile", ["generous", "awkward"])
def test_people_of_one_name_each_get_a_client(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    small(sandbox, unique_client_names=True, profile=profile, **SHOP)
    world = worlds()
    world.pull()
    world.drive()
    assert parked(world) == []
    assert sandbox.audit()["clean"]
    found = names(world)
    plain = [one for one, name in found.items() if name == NAME]
    others = {one: name for one, name in found.items() if name != NAME}
    assert len(plain) == 1
    assert others
    assert others == {one: f"{NAME} ({one.partition(':')[2]})" for one in others}


def test_a_name_of_its_own_stays_wanted_and_a_changed_one_keeps_what_tells_it_apart(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, unique_client_names=True, **SHOP)
    world = worlds()
    world.pull()
    world.drive()
    wrote, before = operations(sandbox)["POST /Client"], names(world)
    world.do(
        "update delivery set state = 'due', wanted_version = wanted_version where target = 'client'"
    )
    world.drive()
    assert operations(sandbox)["POST /Client"] == wrote
    world.do(
        "update record set canonical = jsonb_set(canonical, '{name}', '\"Jo Smith\"')"
        " where kind = 'customer'"
    )
    world.do("update delivery set state = 'due' where target = 'client'")
    world.drive()
    renamed = {one: name.replace(NAME, "Jo Smith") for one, name in before.items()}
    assert names(world) == renamed
    assert parked(world) == []


def test_a_person_is_asked_where_that_is_refused_too(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    def refused(client: Any, permit: Any, resource: Any, bodies: Any, *given: Any) -> list[Any]:
        if resource is not CLIENT:
            return list(save_rows(client, permit, resource, bodies, *given))
        sent.extend(body["name"] for body in bodies)
        raise Rejected("Halo answered POST /Client with 400.", text="Name must be unique")

    monkeypatch.setattr("syncline.sending.targets.save_rows", refused)
    small(sandbox, **ONE)
    world = worlds()
    world.pull()
    world.drive(60, at_rest=("parked", "waiting", "delivered"))
    [client] = parked(world)
    assert (client.target, client.reason) == ("client", "Halo says: Name must be unique")
    assert sent[0] == NAME
    assert len(set(sent[1:])) == 1
    assert sent[1].startswith(f"{NAME} (")


@pytest.mark.parametrize(
    ("text", "field", "is_taken"),
    [
        ("Name must be unique", None, True),
        ("NAME MUST BE UNIQUE.", None, True),
        ("must be unique", "name", True),
        ("A client with this name already exists.", None, True),
        ("Client name is already in use", None, True),
        ("The customer name John Smith is already taken", None, True),
        ("Duplicate client name", None, True),
        ("must be unique", "ref", False),
        ("A user with this e-mail address already exists.", None, False),
        ("A Customer Name is required.", None, False),
        ("The reference must be unique", None, False),
    ],
)
def test_it_is_told_by_what_halo_says(text: str, field: str | None, is_taken: bool) -> None:
    error = Rejected(f"Halo answered POST /Client with 400: {text}", text=text, field=field)
    assert taken_names.is_taken(error, [lease()]) is is_taken
    assert not taken_names.is_taken(error, [lease(), lease()])
    assert not taken_names.is_taken(error, [lease(target="user")])
    assert not taken_names.is_taken(error, [lease(target_meta={NAME_TAKEN: True})])


def lease(**given: Any) -> Lease:
    known: dict[str, Any] = dict.fromkeys(Lease.__slots__)
    return Lease(**{**known, "id": 1, "target": "client", "owner": uuid4(), **given})
