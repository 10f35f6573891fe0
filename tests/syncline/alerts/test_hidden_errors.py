"""Integration errors, which Halo need not show: given up where the first is not found again."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.alerts.tickets import INTEGRATION_ERROR
from syncline.calls import capabilities
from syncline.errors import NoAnswer
from syncline.halo.sql.finding import LookupResult
from syncline.sandbox.process import SandboxProcess
from syncline.sending import prove
from syncline.sending.find import find
from syncline.sending.first_rows import looking
from tests.alerting import alerts, tell
from tests.tenants import parked
from tests.world import World, Worlds, small


class Hidden:
    """Integration errors that no way finds; of the first one it is not even answered that.

    Attributes:
        looks: how often they were looked for.
    """

    def __init__(self, patched: pytest.MonkeyPatch) -> None:
        self.looks = 0
        patched.setattr(prove, "find", self._found)

    def _found(self, line: Any, api: Any, target: Any, way: Any, references: Any) -> LookupResult:
        if target.name != INTEGRATION_ERROR:
            return find(line, api, target, way, references)
        self.looks += 1
        if self.looks == 1:
            raise NoAnswer("Halo did not answer the look for it.")
        return LookupResult({one: [] for one in references}, frozenset())


def an_alert(world: World, sandbox: SandboxProcess, place: int) -> None:
    """One more cause of which people are told: an order that is refused in words of its own."""
    order_id = sandbox.get("/state/orders")["ids"][place]
    refusal = {"po_numbers": [f"HL-{order_id}"], "text": f"On hold since week {'one' * place}."}
    sandbox.post("/halo/refuse", refusal)
    sandbox.change_orders(ids=[order_id], fields="amount")
    world.pull()
    world.drive()
    tell(world)


def test_a_kind_that_halo_need_not_show_is_given_up_once_its_first_row_was_looked_for_in_vain(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look right after it was made was cut short, so the next one of the kind looks for it."""
    small(sandbox, profile="generous", orders=3, transactions=0, subscriptions=0)
    world, hidden = worlds(), Hidden(monkeypatch)
    an_alert(world, sandbox, 0)
    known = capabilities.known(world.reopened())
    assert (hidden.looks, known.shows_integration_errors) == (1, None)
    an_alert(world, sandbox, 1)
    known = capabilities.known(world.reopened())
    assert (hidden.looks > 1, known.shows_integration_errors) == (True, False)
    assert known.by_name["integration_errors"].how == looking.NOT_SHOWN
    looks = hidden.looks
    an_alert(world, sandbox, 2)
    assert hidden.looks == looks
    assert len(sandbox.integration_errors()) == 1
    assert len(alerts(world)) == len(sandbox.tickets()) == 3
    assert {row.target for row in parked(world)} == {"order"}
    assert states(world) == {"delivered"}


def states(world: World) -> set[str]:
    found = world.rows("select state from delivery where target = :name", name=INTEGRATION_ERROR)
    return {row.state for row in found}
