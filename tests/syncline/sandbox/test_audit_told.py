"""The audit asks for what was told, and for nothing that nobody could know."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.sandbox.audit.verdict import audit
from syncline.sandbox.highlevel.nonsense import is_indispensable
from syncline.sandbox.wire.calls import CallLog
from tests.syncline.sandbox.held import held
from tests.syncline.sandbox.tenant_calls import TenantCalls

FEW: dict[str, Any] = {"orders": 150, "transactions": 150, "subscriptions": 30, "customers": 30}


def verdict(halo: TenantCalls) -> dict[str, Any]:
    return audit(halo.store, CallLog(), {}, each=True)


@pytest.fixture(params=["published", "printed", "rich", "mixed"])
def halo(request: pytest.FixtureRequest) -> TenantCalls:
    """Everything stands in Halo as it truly is, also what nobody was told."""
    return held(highlevel_shape=request.param, nonsense=0.4, **FEW)


def test_what_was_told_is_in_line_where_the_truth_stands_in_halo(halo: TenantCalls) -> None:
    said = verdict(halo)
    owed = [one for one in said["records"] if one["owed"]]
    assert all(one["in_line"] and one["decidable"] for one in owed)
    assert len(owed) > 0.6 * len(said["records"])
    for kind in ("orders", "transactions", "subscriptions"):
        assert said[f"{kind}_in_line"] == said[f"{kind}_owed"] > 0


def test_what_was_not_told_is_not_owed_and_strange_if_it_is_there(halo: TenantCalls) -> None:
    said = verdict(halo)
    untold = [one for one in said["records"] if not one["decidable"]]
    spoilt = {one["id"] for one in said["records"] if is_indispensable(one["nonsense"])}
    assert {one["id"] for one in untold if one["kind"] == "orders"} <= spoilt
    assert all(one["id"] in spoilt or one["order"] in spoilt for one in untold)
    assert said["counts"]["strangers"] == said["undecidable"]["orders"] > 0
    assert said["counts"]["strange_money"] > 0
    assert said["counts"]["missing"] == 0


def test_what_was_told_and_is_not_there_is_missing(halo: TenantCalls) -> None:
    row = next(iter(halo.halo.orders.values()))
    owed = {one["id"] for one in verdict(halo)["records"] if one["owed"]}
    del halo.halo.orders[row["id"]]
    said = verdict(halo)
    order_id = row["po_number"].removeprefix("HL-")
    assert said["missing"] == ([order_id] if order_id in owed else [])


def test_a_wrong_total_is_wrong_whatever_else_is_told(halo: TenantCalls) -> None:
    owed = {one["id"] for one in verdict(halo)["records"] if one["owed"]}
    row = next(
        row for row in halo.halo.orders.values() if row["po_number"].removeprefix("HL-") in owed
    )
    halo.halo.orders[row["id"]] = {**row, "total": row["total"] + 0.01}
    assert verdict(halo)["wrong_amounts"] == [row["po_number"].removeprefix("HL-")]
