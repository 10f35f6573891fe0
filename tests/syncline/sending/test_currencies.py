"""A row that Halo converts at another rate than its own table's is not called done."""

from __future__ import annotations

import pytest

from syncline.deliveries import unleased
from syncline.engine.failures import PARK_AFTER
from syncline.sandbox.process import SandboxProcess
from tests.spoiling import answered, spoil
from tests.variants import mostly
from tests.world import Worlds, small

EURO = 4


@pytest.mark.parametrize("profile", mostly("plain"))
def test_an_order_that_halo_converts_at_another_rate_is_parked_with_both_rates(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    small(sandbox, profile=profile, orders=6, currencies=["EUR"])
    sandbox.post("/halo/convert_at", {"rates": {str(EURO): 0.99}})
    world = worlds(style="summary")
    world.pull()
    world.drive()
    parked = world.rows("select reason, field, target_id from delivery where state = 'parked'")
    assert len(parked) == 6
    assert {row.field for row in parked} == {"currency_conversion_rate"}
    assert "wanted 0.92, Halo holds 0.99" in parked[0].reason
    assert all(row.target_id for row in parked)


def test_a_rate_that_has_changed_in_halos_own_table_is_read_again_and_is_right(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=6, currencies=["EUR"], details=False)
    world = worlds(style="summary")
    world.pull()
    world.drive()
    # What was known yesterday is not the table of today.
    world.do(
        """
        update ability set value = jsonb_set(value, '{EUR}', '"0.5"')
        where name = 'currency_rates'
        """
    )
    sandbox.add_orders(3)
    world.pull()
    world.drive()
    assert sandbox.audit()["clean"]
    assert not world.rows("select 1 from delivery where state = 'parked'")


def test_an_order_at_another_rate_is_parked_also_where_the_rates_cannot_be_read_again(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(sandbox, orders=3, currencies=["EUR"], details=False)
    world = worlds(style="summary")
    world.pull()
    world.drive()
    answered(monkeypatch, "GET /Currency", lambda _: (404, {"Message": "No such list."}))
    sandbox.post("/halo/convert_at", {"rates": {str(EURO): 0.99}})
    sandbox.add_orders(2)
    world.pull()
    world.drive()
    parked = world.rows("select field from delivery where state = 'parked'")
    assert [row.field for row in parked] == ["currency_conversion_rate"] * 2


def test_a_currency_without_an_id_harms_no_other(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(sandbox, orders=2, currencies=["EUR"], details=False)
    spoil(monkeypatch, "/Currency", lambda rows: [{"name": "GBP"}, *rows])
    world = worlds(style="summary")
    world.pull()
    world.drive()
    assert sandbox.audit()["clean"]
    noted = world.rows("select kind, path from left_out where side = 'halo'")
    assert [(row.kind, row.path) for row in noted] == [("currency", "id")]


def test_orders_whose_currency_cannot_be_asked_for_ask_a_person_in_the_end(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(sandbox, orders=2, currencies=["EUR"], details=False)
    refused = answered(monkeypatch, "GET /Currency", lambda _: (404, {"Message": "No such list."}))
    world = worlds(style="summary")
    world.pull()
    world.do("update delivery set failures = :many where target = 'order'", many=PARK_AFTER - 1)
    world.drive()
    parked = world.rows("select reason from delivery where target = 'order' and state = 'parked'")
    assert len(parked) == 2
    assert all("No such list." in row.reason for row in parked)
    refused.on = False
    world.worker.ledger.run(lambda connection: unleased.retry(connection, None))
    world.drive()
    assert sandbox.audit()["clean"]
