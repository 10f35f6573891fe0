"""A second run with nothing changed writes nothing on either side, and only its own certificate."""

from __future__ import annotations

import pytest

from syncline.sandbox.process import SandboxProcess
from tests.catalog import TABLES
from tests.variants import mostly
from tests.world import World, Worlds, small

WRITES = (
    *("POST /SalesOrder", "POST /Client", "POST /Users"),
    *("POST /Invoice", "POST /InvoicePayment", "POST /RecurringInvoice"),
)
OF_THE_RUN_ITSELF = {"pull", "pull_page", "call", "session", "cursor"}


@pytest.fixture(params=mostly("awkward"))
def in_line(worlds: Worlds, sandbox: SandboxProcess, request: pytest.FixtureRequest) -> World:
    def drive() -> World:
        small(sandbox, profile=request.param, money=True)
        world = worlds()
        for kind in ("order", "transaction", "subscription"):
            world.pull(kind)
        world.drive()
        assert sandbox.audit()["clean"]
        return world

    return worlds.as_after(drive, f"a first run {request.param}")


def test_nothing_changed_nothing_written(in_line: World, sandbox: SandboxProcess) -> None:
    before, seen = versions(in_line), len(sandbox.calls())
    for kind in ("order", "transaction", "subscription"):
        finished = in_line.pull(kind)
        assert (finished.new, finished.changed) == (0, 0)
    in_line.drive()
    assert {call["method"] for call in sandbox.calls(after=seen)} == {"GET"}
    assert sandbox.calls("halo", after=seen) == []
    assert versions(in_line) == before


def test_only_what_changed_is_written(in_line: World, sandbox: SandboxProcess) -> None:
    changed = sandbox.change_orders(3, fields="amount")
    seen = len(sandbox.calls())
    entries = [written(in_line, target) for target in ("order", "invoice")]
    finished = in_line.pull()
    assert (finished.new, finished.changed) == (0, 3)
    in_line.drive()
    assert sandbox.audit()["clean"]
    orders, invoices = (
        written(in_line, target)[len(before) :]
        for target, before in zip(("order", "invoice"), entries, strict=True)
    )
    assert sorted(orders) == sorted(changed)
    paid = {row.source_id for row in in_line.rows(_INVOICED)}
    assert sorted(invoices) == sorted(paid & set(changed))
    operations = {call["operation"] for call in sandbox.calls("halo", after=seen)}
    assert operations & set(WRITES) <= {"POST /SalesOrder", "POST /Invoice"}


_INVOICED = "select source_id from delivery where flow = 'payments' and role = 'invoice'"


def versions(world: World) -> dict[str, list[str]]:
    """Every row's id and the transaction that wrote it, of all tables that are not the run's."""
    return {
        name: [
            str(row[0])
            for row in world.rows(
                f"select tableoid::text || ctid::text || ':' || xmin::text from {name} order by 1"  # noqa: S608 - our own tables
            )
        ]
        for (name,) in world.rows(TABLES)
        if name not in OF_THE_RUN_ITSELF
    }


def written(world: World, target: str) -> list[str]:
    """The sources of what was written, in order."""
    return [
        row.source_id
        for row in world.rows(
            "select source_id from audit_entry where target = :target order by id", target=target
        )
    ]
