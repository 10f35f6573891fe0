"""What `syncline parked` hints at can be done, and both values are shown of what differs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncline.deliveries import leased
from syncline.deliveries.delivery import Confirmation
from tests.syncline.cli.conftest import LedgerScene, Run, document, send

ACCEPT = "Leave the other side as it is"
KEPT = "Halo keeps our reference HL-o1 as 4711: order 77 holds all else as it was sent."
OTHERS_WAIT = (
    f"{KEPT} No other order is written, since none could be found again after an unknown outcome. "
    "Have Halo keep po_number as it is sent. Then retry this."
)


def parked_as(scene: LedgerScene, reason: str, field: str | None, target_id: str | None) -> None:
    """An order that was sent and parked, with or without its row."""
    scene.see("o1")
    [lease] = scene.claim()
    sent = replace(lease, sent_version=lease.wanted_version)
    send(scene, lease, {"po_number": "HL-o1", "total": "10.50"})
    held = None if target_id is None else Confirmation(sent, target_id, {"change_seq": 4}, None)
    scene.ledger.run(lambda c: leased.park(c, [lease], reason=reason, field=field, known=held))


@pytest.mark.parametrize(
    ("reason", "field", "target_id", "is_hinted"),
    [
        ("total: wanted 10.50, Halo holds 9.00", "total", "77", True),
        (KEPT, "po_number", "77", True),
        ("order 77 was there and is gone from Halo", None, None, True),
        ("order 77 in Halo is no longer ours: it carries PO-1.", None, None, True),
        ("Halo has no currency XTS.", "currency_code", None, False),
        ("Halo holds several rows with reference HL-o1: 77, 78", None, None, False),
        ("It is not found by our reference, and our reference may stand on 77.", None, None, False),
        (
            OTHERS_WAIT,
            "po_number",
            "77",
            False,
        ),
    ],
)
def test_accept_is_hinted_at_only_where_it_is_not_refused(
    scene: LedgerScene,
    run: Run,
    reason: str,
    field: str | None,
    target_id: str | None,
    is_hinted: bool,
) -> None:
    parked_as(scene, reason, field, target_id)
    [cause] = document(run("parked", "list", "--json"))["causes"]
    assert cause["may_be_accepted"] is is_hinted
    assert (ACCEPT in run("parked", "list").stdout) is is_hinted


def test_of_several_causes_those_are_named_that_can_be_accepted(
    scene: LedgerScene, run: Run
) -> None:
    parked_as(scene, "total: wanted 10.50, Halo holds 9.00", "total", "77")
    scene.see("o2", currency="XTS")
    leases = scene.claim()
    scene.ledger.run(
        lambda c: leased.park(c, leases, reason="Halo has no currency XTS.", field="currency_code")
    )
    causes = document(run("parked", "list", "--json"))["causes"]
    [able] = [one["cause"]["id"] for one in causes if one["may_be_accepted"]]
    assert f"{ACCEPT} ({able} alone):" in run("parked", "list").stdout


@pytest.mark.parametrize(
    ("reason", "field", "wanted", "held"),
    [
        (KEPT, "po_number", "HL-o1", "4711"),
        ("changed in Halo by hand: site_id: wanted 3, Halo holds 5", "site_id", "3", "5"),
        ("po_number: wanted HL-o1, Halo holds ", "po_number", "HL-o1", ""),
        (
            "tried 12 times in a row without effect; total: wanted 10.50, Halo holds 9.00",
            "total",
            "10.50",
            "9.00",
        ),
    ],
)
def test_the_field_that_halo_keeps_otherwise_is_shown_with_both_values(
    scene: LedgerScene, run: Run, reason: str, field: str, wanted: str, held: str
) -> None:
    parked_as(scene, reason, field, "77")
    [one] = document(run("parked", "show", "o1", "--json"))
    assert (one["wanted"], one["held"]) == (wanted, held)
    shown = run("parked", "show", "o1").stdout
    [marked] = [line for line in shown.splitlines() if "►" in line and f" {field} " in line]
    assert wanted in marked
    assert held in marked


def test_a_reason_without_two_values_shows_none(scene: LedgerScene, run: Run) -> None:
    parked_as(scene, "Halo says no.", "total", "77")
    [one] = document(run("parked", "show", "o1", "--json"))
    assert (one["wanted"], one["held"]) == (None, None)
