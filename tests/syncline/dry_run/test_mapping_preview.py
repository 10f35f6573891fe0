"""What a mapping would do is counted before, is what it then does, and changes nothing."""

from __future__ import annotations

import pytest

from syncline.dry_run.mapping_preview import MappingPreview, preview
from syncline.mapping.shipped import default_document
from syncline.sandbox.process import SandboxProcess
from tests.shipping import map_as
from tests.world import INCLUDING_TESTS, World, Worlds, small

COUPON = """
[[orders.field]]
target = "title"
source = "coupon"
required = true
"""


@pytest.fixture
def world(worlds: Worlds, sandbox: SandboxProcess) -> World:
    def drive() -> World:
        small(sandbox, orders=16, transactions=10, subscriptions=0, money=True)
        world = worlds()
        for kind in ("order", "transaction"):
            world.pull(kind)
        world.drive()
        assert sandbox.audit()["clean"]
        return world

    return worlds.as_after(drive, "mapped")


def document(more: str = "", **options: dict[str, str]) -> str:
    return default_document("detail", {**INCLUDING_TESTS, **options}) + more


def previewed(world: World, mapping: str) -> MappingPreview:
    before = world.rows("select * from delivery order by id")
    found = preview(world.reopened(), mapping, lambda *_: None)
    assert world.rows("select * from delivery order by id") == before
    return found


def test_the_same_mapping_changes_nothing(world: World) -> None:
    found = previewed(world, f"{document()}# the same\n")
    assert (found.changes, found.parked, found.rewritten) == (0, [], [])
    assert found.targets["order"].as_they_are == found.targets["order"].deliveries == 16


def test_a_required_row_is_counted_with_an_example_and_parks_as_many_then(world: World) -> None:
    found = previewed(world, document(COUPON))
    [reason] = found.parked
    assert (reason.target, reason.field) == ("order", "title")
    assert "title is required" in reason.why
    assert 0 < reason.records == found.targets["order"].parked < 16
    [written] = found.rewritten
    assert (written.target, written.field, written.before) == ("order", "title", "")
    map_as(world, document(COUPON))
    world.follow_all()
    world.drive()
    parked = world.rows("select source_id from delivery where state = 'parked'")
    assert len(parked) == reason.records
    assert reason.example in {row.source_id for row in parked}
    assert previewed(world, document()).targets["order"].freed == reason.records


def test_a_field_that_is_not_written_any_more_is_why_a_row_is_rewritten(world: World) -> None:
    bare = "".join(f"[{flow}]\ntest_mode = 'include'\n" for flow in INCLUDING_TESTS)
    found = previewed(world, bare)
    assert found.targets["order"].rewritten == 16
    [reason] = [one for one in found.rewritten if one.target == "order"]
    assert reason.records == 16
    assert (bool(reason.before), reason.after) == (True, "")


def test_what_would_be_made_for_the_first_time_is_counted(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=6, transactions=6, subscriptions=0, money=True)
    world = worlds()
    map_as(world, document(payments={"into": "none"}))
    for kind in ("order", "transaction"):
        world.pull(kind)
    world.drive()
    found = previewed(world, document())
    assert found.targets["order"].as_they_are == 6
    assert (made := found.targets["payment"].made) > 0
    map_as(world, document())
    world.follow_all()
    world.drive()
    assert len(world.rows("select 1 from delivery where target = 'payment'")) == made
