"""A tenant may leave out that invoices are not voided: that is learnt, and certificates say so."""

from __future__ import annotations

import pytest

from syncline.calls import capabilities
from syncline.reconciliation import certificate_text
from syncline.reconciliation.reading.voiding import PROOF, STILL_READ
from syncline.sandbox.process import SandboxProcess
from tests.from_halo import last_call, readings
from tests.reconciling import certified, in_line, pairs, reconciled, tampered
from tests.spoiling import spoil
from tests.world import World, Worlds

BY_ID = "GET /Invoice/{id}"


def hides(world: World) -> bool:
    return capabilities.known(world.reopened()).hides_voided


def teach(world: World, *, hidden: bool) -> None:
    now = world.worker.now()
    capabilities.teach(
        world.reopened(),
        lambda before: before.with_voided_hidden(hidden=hidden, found_at=now, how="a test"),
    )


def without_voided(document: dict[str, list[dict[str, object]]]) -> dict[str, object]:
    rows = document.get("invoices", [])
    return {**document, "invoices": [{**row, "voided": None} for row in rows]}


def test_what_no_invoice_shows_is_taken_as_not_voided_and_said(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = in_line(worlds, sandbox, profile="plain", voided_left_out=True)
    before = last_call(sandbox)
    first = certified(reconciled(world))
    invoices = readings(sandbox, "halo", before).count(BY_ID)
    assert invoices >= PROOF
    assert (first["clean"], first["unshown"], hides(world)) == (True, [], True)
    assert sum(one["count"] for one in first["taken"]) == invoices
    told = "\n".join(certificate_text.lines(first))
    assert "invoices taken as not voided: this Halo shows voided of no invoice that is not" in told
    before = last_call(sandbox)
    second = certified(reconciled(world))
    assert (second["clean"], second["taken"]) == (True, first["taken"])
    assert readings(sandbox, "halo", before).count(BY_ID) <= 2 * STILL_READ < invoices
    voided = tampered(sandbox, "invoice_voided")["invoice_voided"]["source"]
    assert not certified(reconciled(world))["clean"]
    assert pairs(world) == {(voided, "changed_in_halo")}
    assert hides(world)


def test_two_invoices_prove_nothing(worlds: Worlds, sandbox: SandboxProcess) -> None:
    few = {"orders": 2, "transactions": 2, "subscriptions": 0}
    world = in_line(worlds, sandbox, profile="plain", voided_left_out=True, **few)
    told = certified(reconciled(world))
    assert (told["clean"], told["taken"], hides(world)) == (False, [], False)
    assert [one["fields"] for one in told["unshown"]] == [["voided"]] * len(told["unshown"])
    assert told["unshown"]


def test_one_invoice_that_shows_it_after_all_ends_that(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = in_line(worlds, sandbox, profile="plain")
    spoil(monkeypatch, "/Invoice", without_voided)
    teach(world, hidden=True)
    told = certified(reconciled(world))
    assert (told["clean"], told["taken"], hides(world)) == (False, [], False)
    assert {field for one in told["unshown"] for field in one["fields"]} == {"voided"}
    again = certified(reconciled(world))
    assert (again["clean"], again["unshown"], again["taken"]) == (True, [], [])


def test_a_tenant_that_shows_it_is_read_as_before(worlds: Worlds, sandbox: SandboxProcess) -> None:
    world = in_line(worlds, sandbox, profile="plain")
    told = certified(reconciled(world))
    assert (told["clean"], told["taken"], hides(world)) == (True, [], False)
