"""Amounts are exact to the cent, or to whatever the currency's smallest coin is."""

from __future__ import annotations

from decimal import Decimal

import pytest

from syncline.sandbox.process import SandboxProcess
from tests.variants import in_turn
from tests.world import Worlds, small


@pytest.mark.parametrize(("style", "profile"), in_turn(["detail", "summary"]))
def test_amounts_arrive_as_they_left_also_without_cents(
    worlds: Worlds, sandbox: SandboxProcess, profile: str, style: str
) -> None:
    small(sandbox, profile=profile, orders=24, currencies=["JPY", "USD"], details=style == "detail")
    world = worlds(style=style)
    world.pull()
    world.drive()
    sandbox.change_orders(5, fields="amount")
    world.pull()
    world.drive()
    verdict = sandbox.audit()
    assert verdict["clean"], verdict["counts"]
    rows = world.rows(
        """
        select r.canonical ->> 'currency' as currency, r.canonical ->> 'amount' as amount,
               d.projection ->> 'total' as total
        from delivery d join record r on r.foreign_id = d.source_id and r.kind = 'order'
        where d.flow = 'orders'
        """
    )
    assert {row.currency for row in rows} == {"JPY", "USD"}
    assert all(Decimal(row.amount) == Decimal(row.total) for row in rows)
