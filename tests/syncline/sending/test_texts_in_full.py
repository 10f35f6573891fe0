"""A text that is cut stands whole in its row's note, whenever it became so long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from syncline.calls.calls import halo_calls
from syncline.errors import MissingScope
from syncline.flows.texts.in_full import part_of
from syncline.halo.entities.resources import USER
from syncline.halo.entities.rows import read_row, save_rows
from syncline.sandbox.process import SandboxProcess
from tests.from_halo import last_call, writes
from tests.tenants import operations, paid_by, parked
from tests.world import NAME, World, Worlds, small

LONG = "Ada " * 150 + "!"


@pytest.fixture
def world(worlds: Worlds, sandbox: SandboxProcess) -> World:
    small(sandbox, orders=0, transactions=0, subscriptions=0, column_lengths=True)
    return worlds()


def is_called(world: World, name: str, day: int) -> None:
    """The contact pays once more, under this name."""
    contact = {"contactId": "c1", "contactEmail": "a@example.com", "contactName": name}
    paid_by(world, f"t{day}", day, **contact)


def in_halo(world: World) -> Mapping[str, Any]:
    [[user]] = world.rows("select target_id from delivery where target = 'user'")
    line = world.worker.open_line(NAME)
    api = halo_calls(line, line.lane)
    row = api.read("GET /Users/id", lambda permit: read_row(line.halo, permit, USER, int(user)))
    return row.raw


def by_a_person(world: World, notes: str) -> None:
    line, row = world.worker.open_line(NAME), {"id": in_halo(world)["id"], "notes": notes}
    api = halo_calls(line, line.lane)
    api.read("POST /Users", lambda permit: save_rows(line.halo, permit, USER, [row]))


def in_full(name: str) -> str:
    first, _, last = " ".join(name.split()).partition(" ")
    texts = [f"name: {first} {last}"] + ([f"surname: {last}"] if len(last) > 200 else [])
    return part_of(texts)


def test_a_long_name_stands_whole_in_the_note_and_is_written_once(
    world: World, sandbox: SandboxProcess
) -> None:
    for day in (1, 2):
        is_called(world, LONG, day)
    row = in_halo(world)
    assert (len(row["name"]), row["name"][-1]) == (255, "…")
    assert row["notes"] == in_full(LONG)
    assert operations(sandbox)["POST /Users"] == 1


def test_a_name_that_becomes_long_stands_whole_behind_what_people_wrote(
    world: World, sandbox: SandboxProcess
) -> None:
    is_called(world, "Ada King", 1)
    by_a_person(world, "Calls on Mondays.")
    is_called(world, LONG, 2)
    assert in_halo(world)["name"].endswith("…")
    assert in_halo(world)["notes"] == f"Calls on Mondays.\n\n{in_full(LONG)}"
    after = last_call(sandbox)
    is_called(world, LONG, 3)
    assert "POST /Users" not in writes(sandbox, after)
    # What is changed behind the end of the column is a change, and takes the place of the other.
    is_called(world, f"{LONG}!", 4)
    assert in_halo(world)["notes"] == f"Calls on Mondays.\n\n{in_full(LONG + '!')}"
    is_called(world, "Ada King", 5)
    assert in_halo(world)["name"] == "Ada King"
    assert in_halo(world)["notes"] == "Calls on Mondays."


def test_a_part_that_a_person_took_out_is_no_difference_and_comes_with_the_next_change(
    world: World,
) -> None:
    is_called(world, LONG, 1)
    by_a_person(world, "Mine alone.")
    is_called(world, f"{LONG}!", 2)
    assert in_halo(world)["notes"] == f"Mine alone.\n\n{in_full(LONG + '!')}"


def test_where_the_note_cannot_be_read_nothing_is_cut_in_silence(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_called(world, "Ada King", 1)

    def refused(*_: Any) -> Any:
        raise MissingScope("Halo does not let us read /Users.")

    with monkeypatch.context() as at_halo:
        at_halo.setattr("syncline.sending.tenant.by_id.read_row", refused)
        with pytest.raises(AssertionError):
            is_called(world, LONG, 2)
    [user] = parked(world)
    assert (user.target, user.field) == ("user", "notes")
    assert in_halo(world)["name"] == "Ada King"
