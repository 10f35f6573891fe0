"""Whatever either side does wrong, singly or all at once: both sides agree in the end."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.sandbox.process import SandboxProcess
from tests.variants import in_turn
from tests.world import PROFILES, World, Worlds, small

FAULTS: dict[str, dict[str, Any]] = {
    "latency": {"probability": 0.5, "min_ms": 1, "max_ms": 40},
    "429": {"probability": 0.002},
    "500": {"probability": 0.15},
    "500_after": {"probability": 0.15},
    "cut_before": {"probability": 0.15},
    "cut_after": {"probability": 0.15},
    "late": {"probability": 0.15, "late_seconds": 0.2},
    "too_few": {"probability": 0.3},
    "out_of_order": {"probability": 0.6},
}
SIDES: dict[str, tuple[str, ...]] = {
    "too_few": ("halo",),
    "out_of_order": ("halo",),
}


def rules(kind: str, share: float = 1) -> list[dict[str, Any]]:
    """The fault by chance on every call, and for certain on a write and a read of its sides."""
    fault = {"kind": kind, **FAULTS[kind]}
    fault["probability"] *= share
    sure: dict[str, Any] = {**fault, "probability": 0, "next": 1, "skip": 1}
    certain = [{**sure, "side": "halo", "operation": "POST /SalesOrder"}]
    if kind not in SIDES:
        certain += [
            {**sure, "skip": 0, "side": "highlevel", "operation": "*"},
            {**sure, "side": "halo", "operation": "POST /Users"},
        ]
    return [*certain, fault]


@pytest.mark.parametrize(("kind", "profile"), in_turn(FAULTS))
def test_a_fault_of_either_side_ends_with_both_sides_in_line(
    worlds: Worlds, sandbox: SandboxProcess, kind: str, profile: str
) -> None:
    small(sandbox, profile=profile, orders=8, customers=4)
    sandbox.faults(*rules(kind))
    fired = run_to_the_end(worlds(), sandbox)
    assert fired[kind] > 0


@pytest.mark.soak
@pytest.mark.parametrize("profile", PROFILES)
def test_all_faults_together_end_with_both_sides_in_line(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    small(sandbox, profile=profile, orders=12)
    sandbox.faults(*(rule for kind in FAULTS for rule in rules(kind, share=0.3)))
    fired = run_to_the_end(worlds(), sandbox)
    assert len(fired) > len(FAULTS) / 2


def run_to_the_end(world: World, sandbox: SandboxProcess) -> dict[str, int]:
    """Read everything under faults until it is in line; returns how often each fault fired."""
    world.request_pull()
    world.drive()
    sandbox.change_orders(3, fields="amount")
    world.request_pull()
    world.drive()
    fired: dict[str, int] = sandbox.faults()["fired"]
    verdict = sandbox.audit()
    assert verdict["clean"], {key: value for key, value in verdict.items() if value}
    assert {state for _, state in world.counts()} == {"delivered"}
    assert {row.state for row in world.rows("select state from pull")} <= {
        "certified",
        "provisional",
    }
    return fired
