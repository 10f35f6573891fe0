"""`syncline dry-run`: what it shows, what it leaves out, and that it says so."""

from __future__ import annotations

from sqlalchemy import text

from syncline.ledger import modes
from tests import moves
from tests.syncline.cli.conftest import LedgerScene, Run, document


def test_a_dry_run_shows_what_would_leave_and_what_would_be_parked(
    scene: LedgerScene, run: Run
) -> None:
    scene.see("o1")
    scene.see("o2", amount=1.234)
    held = document(run("dry-run", "acme", "--target", "order", "--json"))
    assert {one["field"] for one in held["would_park"]} == {"golive"}
    scene.ledger.run(lambda connection: modes.set_mode(connection, scene.link, "live"))
    shown = document(run("dry-run", "acme", "--bodies", "--json"))
    assert [call["path"] for call in shown["calls"]] == [
        *("/api/Client", "/api/Users", "/api/SalesOrder")
    ]
    [order] = shown["calls"][2]["body"]
    assert order["po_number"] == "HL-o1"
    assert order["client_id"] == "<client of email:ada@example.com>"
    assert order["currency_code"] == "<currency USD>"
    [parked] = shown["would_park"]
    assert (parked["source_id"], parked["target"]) == ("o2", "order")
    assert [call["reads"] for call in shown["calls"]] == [1, 1, 2]
    assert shown["halo_calls"] == 11
    told = run("dry-run", "acme").stdout
    assert "would be parked" in told
    assert "About 11 calls to Halo and 0 to HighLevel" in told
    assert "This is a part" not in told
    limited = document(run("dry-run", "acme", "--limit", "1", "--bodies", "--json"))
    assert limited == shown, "however little is shown, it is the truth of all"
    unknown = run("dry-run", "acme", "--target", "moon")
    assert unknown.exit_code == 2
    assert "Known: client" in unknown.stderr
    assert scene.ledger.run(lambda c: c.execute(text("select 1 from call")).all()) == []


def test_what_is_parked_already_is_told_where_nothing_is_due(scene: LedgerScene, run: Run) -> None:
    scene.see("o1")
    by_hand = "update delivery set state = 'parked', field = 'amount', reason = 'odd'"
    scene.ledger.run(lambda connection: moves.by_hand(connection, by_hand, {}))
    told = run("dry-run", "acme").stdout
    assert "Nothing is due: acme would write nothing now." in told
    assert "a person: syncline parked list --connection acme" in told


def test_a_dry_run_in_part_says_how_much_is_left_out_and_how_to_see_it(
    scene: LedgerScene, run: Run
) -> None:
    for number in range(3):
        scene.see(f"o{number}")
    scene.see("o3", amount=1.234)
    scene.see("o4", amount=1.2345)
    scene.ledger.run(lambda connection: modes.set_mode(connection, scene.link, "live"))
    whole = document(run("dry-run", "acme", "--limit", "0", "--json"))
    assert whole["left_out"] == {"calls": {}, "would_park": {}}
    part = document(run("dry-run", "acme", "--limit", "1", "--json"))
    assert part["left_out"] == {"calls": {"order": 1}, "would_park": {"order": 1}}
    assert len(part["calls"]) == len(whole["calls"]) - 1 == 3
    assert part["counts"] == whole["counts"]
    assert part["halo_calls"] == whole["halo_calls"]
    told = run("dry-run", "acme", "--limit", "1", "--target", "order", "--bodies").stdout
    left_out = "This is a part: 1 of 2 calls and 1 of 2 reasons are left out."
    see_all = "See all of it: syncline dry-run acme --target order --bodies --json --limit 0"
    assert f"{left_out} {see_all}" in " ".join(told.split())
