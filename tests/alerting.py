"""What the tests of alerts share: evaluations, time that has passed, and how Halo is seen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from syncline.alerts.run import evaluate
from syncline.deliveries import unleased
from syncline.sandbox.process import SandboxProcess
from tests.world import World


def refuse(sandbox: SandboxProcess, ids: list[str]) -> None:
    """Let Halo refuse these orders, so that they are parked."""
    sandbox.post("/halo/refuse", {"po_numbers": [f"HL-{one}" for one in ids], "text": "On hold."})


def accept(world: World, sandbox: SandboxProcess) -> None:
    """Let Halo take all orders, and send those again that were parked."""
    refuse(sandbox, [])
    with world.worker.ledger.begin() as connection:
        unleased.retry(connection, None)
    world.drive()


def tell(world: World) -> None:
    """One evaluation, and what it asks for brought to Halo."""
    evaluate(world.worker)
    world.drive()


def pass_time(world: World, by: timedelta) -> None:
    """Let alerts look as if they had been like this for a while."""
    world.do(
        """
        update alert set first_at = first_at - cast(:by as interval),
                         gone_at = gone_at - cast(:by as interval),
                         told_at = told_at - cast(:by as interval)
        """,
        by=by,
    )
    world.do(
        "update record set changed_at = changed_at - cast(:by as interval) where kind = 'alert'",
        by=by,
    )


def alerts(world: World) -> list[Any]:
    """All alerts, in the order in which they were raised."""
    return world.rows("select * from alert order by id")
