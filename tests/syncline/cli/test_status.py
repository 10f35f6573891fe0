"""What `syncline status` tells, of a real ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from pydantic import SecretStr
from sqlalchemy import Connection, text

from syncline.deliveries import waits
from syncline.halo.capabilities import Capabilities
from syncline.halo.round_trip import Mismatch, RoundTrip
from syncline.halo.webhooks.bindable import BindableEvent
from syncline.halo_changes.installed_webhook import remember_bound
from syncline.highlevel.paging import PullPage
from syncline.ingest import missed, pull_windows
from syncline.ledger import calls, capabilities, connections, new_connections
from syncline.settings import Settings
from tests.syncline.cli.conftest import LedgerScene, Run, document, runner
from tests.world import beside


def kinds(run: Run) -> dict[str, dict[str, Any]]:
    found = document(run("status", "--json"))
    return {kind["kind"]: kind for kind in found["connections"][0]["kinds"]}


def test_without_any_connection_it_says_how_to_add_one(run: Run) -> None:
    result = run("status")
    assert result.exit_code == 0
    assert "syncline connection add" in result.stdout


def test_every_order_that_was_seen_is_counted_where_it_stands(scene: LedgerScene, run: Run) -> None:
    for order_id in ("o1", "o2", "o3", "o4"):
        scene.see(order_id)
    scene.see("test", liveMode=False)
    delivered, parked, *_ = scene.claim()
    scene.deliver(delivered, total="10.5")
    scene.park([parked], "no such currency")
    orders = kinds(run)["orders"]
    assert {key: orders[key] for key in ("seen", "owed", "in_line", "due", "parked")} == {
        "seen": 5,
        "owed": 4,
        "in_line": 1,
        "due": 2,
        "parked": 1,
    }


def test_a_customer_is_one_however_many_rows_it_makes_in_halo(scene: LedgerScene, run: Run) -> None:
    scene.see("o1")
    [client] = scene.claim("client")
    scene.deliver(client)
    customers = kinds(run)["customers"]
    assert (customers["seen"], customers["owed"], customers["in_line"]) == (1, 1, 0)
    [user] = scene.claim("user")
    scene.deliver(user)
    assert kinds(run)["customers"]["in_line"] == 1


def test_a_kind_that_waits_for_a_decision_is_told_first(scene: LedgerScene, run: Run) -> None:
    scene.see("o1")
    [order] = scene.claim()
    failed = Mismatch(order.id, "41", "total", "12.10", "10.00")
    known = Capabilities().with_round_trip(
        "order", RoundTrip(failed=failed), found_at=datetime.now(UTC), how="the row was read back"
    )
    scene.ledger.run(lambda c: capabilities.write(c, scene.link.tenant_place, known.to_rows()))
    assert "No order is written" not in run("status").stdout
    scene.park([order], "total: wanted 12.10, Halo holds 10.00", "total")
    assert run("status").stdout.startswith("No order is written: order 41 in Halo came back")
    [held] = document(run("status", "--json"))["connections"][0]["held"]
    assert (held["field"], held["wanted"], held["got"]) == ("total", "12.10", "10.00")


def test_a_finished_pull_shows_its_certificate_and_a_running_one_its_progress(
    scene: LedgerScene, run: Run
) -> None:
    day = scene.link.start_from

    def read(connection: Connection) -> None:
        pull_windows.request_windows(connection, scene.link.id, "order", [(day, day)])
        first = pull_windows.open_window(
            connection, scene.link.id, "order", day, day, scene.session
        )
        assert first is not None
        page = PullPage(0, 3, ("a", "b", "c"))
        pull_windows.add_pages(
            connection, first.id, scene.session, [page], new=3, changed=0, unreadable=0
        )
        pull_windows.close(connection, first.id, scene.session, "certified", None)
        pull_windows.request_windows(connection, scene.link.id, "order", [(day, day)])
        second = pull_windows.open_window(
            connection, scene.link.id, "order", day, day, scene.session
        )
        assert second is not None
        page = PullPage(0, 30, ("a", "b", "c"))
        pull_windows.add_pages(
            connection, second.id, scene.session, [page], new=0, changed=0, unreadable=0
        )

    scene.ledger.run(read)
    orders = kinds(run)["orders"]
    assert (orders["pull"]["state"], orders["pull"]["seen"], orders["pull"]["total"]) == (
        "certified",
        3,
        3,
    )
    assert orders["pull"]["age_s"] >= 0
    assert (orders["running"]["seen"], orders["running"]["total"]) == (3, 30)
    assert "reading 3 of 30" in run("status").stdout


def test_fields_that_were_left_out_are_told_with_how_many_and_an_example(
    scene: LedgerScene, run: Run
) -> None:
    assert "left out" not in run("status").stdout
    for order_id in ("o1", "o2"):
        scene.see(order_id, sourceName=["Spring"], contactName={"first": "Ada"})
    [connection] = document(run("status", "--json"))["connections"]
    assert {
        (one["side"], one["kind"], one["path"], one["count"]) for one in connection["left_out"]
    } == {("highlevel", "order", path, 2) for path in ("contactName", "sourceName")}
    assert {one["example"] for one in connection["left_out"]} == {"o2"}
    shown = run("status").stdout
    assert "fields left out" in shown
    assert "HighLevel's orders" in shown
    assert "Spring" not in shown
    assert "all else of these records is taken" in shown
    assert "createdAt is left out" not in shown
    scene.see("o3", createdAt="30.11.2026")
    assert "Where createdAt is left out" in run("status").stdout


def test_windows_that_nobody_has_read_yet_are_counted(scene: LedgerScene, run: Run) -> None:
    day = scene.link.start_from
    windows = [(day, day), (day.replace(day=2), day.replace(day=3))]
    scene.ledger.run(lambda c: pull_windows.request_windows(c, scene.link.id, "order", windows))
    orders = kinds(run)["orders"]
    assert (orders["pull"], orders["running"], orders["unread"]) == (None, None, 2)


def test_a_window_that_is_not_shown_is_told_with_what_highlevel_says(
    scene: LedgerScene, run: Run
) -> None:
    day = scene.link.start_from
    why = "Row 3 of the orders created from 2026-01-01 to 2026-01-03 is not shown: 422: no"

    def refuse(connection: Connection) -> None:
        pull_windows.request_windows(connection, scene.link.id, "order", [(day, day)])
        opened = pull_windows.open_window(
            connection, scene.link.id, "order", day, day, scene.session
        )
        assert opened is not None
        pull_windows.leave_failed(
            connection,
            opened.id,
            scene.session,
            timedelta(minutes=1),
            failures=4,
            note=why,
            refused=True,
        )

    assert document(run("status", "--json"))["connections"][0]["unfinished"] == []
    scene.ledger.run(refuse)
    [told] = document(run("status", "--json"))["connections"][0]["unfinished"]
    assert (told["first"], told["failures"], told["refused"]) == (f"{day}", 4, True)
    shown = run("status").stdout
    assert "not read" in shown
    assert "is not shown: 422: no" in " ".join(shown.split())


def test_a_stopped_connection_says_why_and_how_it_goes_on(scene: LedgerScene, run: Run) -> None:
    scene.ledger.run(lambda c: connections.stop(c, scene.link, "The token is wrong."))
    shown = run("status").stdout
    assert "The token is wrong." in shown
    assert "syncline connection start acme" in shown


def test_quota_is_shown_for_both_sides(scene: LedgerScene, run: Run) -> None:
    quota = document(run("status", "--json"))["connections"][0]["quota"]
    assert [(key["key"], key["left"]["windows"][0]["left"]) for key in quota] == [
        ("highlevel:loc1", 100),
        (f"halo:{scene.link.tenant}", 300),
    ]


def test_workers_are_told_apart_by_their_heartbeat(scene: LedgerScene, run: Run) -> None:
    scene.ledger.run(
        lambda c: c.execute(
            text(
                "insert into session (id, name, heartbeat_at)"
                " values (:id, 'host:2', clock_timestamp() - interval '1 minute')"
            ),
            {"id": uuid4()},
        )
    )
    workers = document(run("status", "--json"))["workers"]
    assert {worker["name"]: worker["alive"] for worker in workers} == {
        "host:1": True,
        "host:2": False,
    }


def test_an_unknown_connection_is_named_with_those_there_are(scene: LedgerScene, run: Run) -> None:
    result = run("status", "--connection", "nobody")
    assert result.exit_code == 2
    assert result.stderr == "error: There is no connection named 'nobody'. Known: acme.\n"


def test_an_unreachable_database_is_one_line_and_exit_2(settings: Settings) -> None:
    away = settings.model_copy(
        update={"database_url": SecretStr("postgresql://x:hidden@127.0.0.1:1/none")}
    )
    result = runner(away)("status")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "SYNCLINE_DATABASE_URL" in result.stderr
    assert "hidden" not in result.output


def test_text_from_outside_neither_marks_up_nor_steers_the_terminal(
    scene: LedgerScene, run: Run
) -> None:
    note = "[red]boo[/red] \x1b[2J end"
    scene.ledger.run(lambda c: connections.stop(c, scene.link, note))
    shown = run("status").stdout
    assert "[red]boo[/red]" in shown
    assert "\x1b[2J" not in shown


def test_what_waits_for_something_parked_is_told(scene: LedgerScene, run: Run) -> None:
    scene.see("o1")
    scene.see("o2")
    [client] = scene.claim("client")
    orders = scene.claim()
    scene.park([client], "no such site")
    edges = {one.id: [(client.flow, client.source_id, client.role)] for one in orders}
    scene.ledger.run(lambda c: waits.wait(c, scene.link.tenant, scene.session, edges))
    told = kinds(run)["orders"]
    assert (told["waiting"], told["held_up"]) == (2, 2)
    assert "2, 2 behind parked" in run("status").stdout


def test_a_side_that_does_not_answer_is_told_with_the_reason(scene: LedgerScene, run: Run) -> None:
    key = f"halo:{scene.link.tenant}"

    def call(
        connection: Connection,
        status: int | None,
        error: str | None = None,
        fault: calls.Fault | None = None,
        by: str | None = None,
    ) -> None:
        row = calls.CallRow(uuid4(), key, scene.link.id, "GET /SalesOrder", 0)
        calls.begin(connection, scene.session, [row], timedelta(seconds=5))
        calls.end(connection, [calls.CallEnd(row.id, True, status, error, fault, by)])

    def halo() -> dict[str, Any]:
        quota = document(run("status", "--json"))["connections"][0]["quota"]
        told: dict[str, Any] = quota[1]["last_answer"]
        return told

    assert (halo()["answered_s"], halo()["error"], halo()["failing"]) == (None, None, [])
    scene.ledger.run(lambda c: call(c, 200))
    assert halo()["error"] is None
    scene.ledger.run(lambda c: call(c, None, "The connection was cut."))
    assert (halo()["error"], halo()["fault"]) == ("The connection was cut.", "silent")
    assert "silent since" in run("status").stdout
    scene.ledger.run(lambda c: call(c, 404, "not found"))
    assert halo()["error"] is None
    scene.ledger.run(lambda c: call(c, 503, "Halo answered 503.", calls.Fault.FAILING))
    assert halo()["error"] == "Halo answered 503."
    assert "fails since" in run("status").stdout
    for _ in range(2):
        scene.ledger.run(lambda c: call(c, 403, "no", calls.Fault.FOREIGN, "a page, 'Wait' (403)"))
    assert (halo()["many"], halo()["answered_by"]) == (3, "a page, 'Wait' (403)")
    assert "somebody else answers since" in run("status").stdout
    assert "(3 calls): a page, 'Wait' (403)" in run("status").stdout
    scene.ledger.run(lambda c: call(c, 429, "slow down"))
    assert halo()["fault"] == "foreign"
    scene.ledger.run(lambda c: call(c, 400, "not active", calls.Fault.SUSPENDED))
    assert "suspended since" in run("status").stdout
    scene.ledger.run(lambda c: call(c, 200))
    assert (halo()["fault"], halo()["strangers"]) == (None, 2)
    assert "somebody else answered 2 in 5 minutes" in run("status").stdout


def test_with_a_private_token_it_says_polling_only_and_offers_the_app(
    scene: LedgerScene, run: Run
) -> None:
    shown = run("status").stdout
    assert "polling only" in shown
    assert "syncline connect highlevel acme" in shown
    scene.ledger.run(lambda c: missed.first_event(c, scene.link.location))
    told = document(run("status", "--json"))["connections"][0]["events"]
    assert told["highlevel"] == "webhooks"
    assert not any("HighLevel" in one for one in told["advice"])


def test_how_halo_tells_of_changes_is_said_and_what_must_be_polled(
    scene: LedgerScene, run: Run
) -> None:
    def halo() -> str:
        found: str = document(run("status", "--json"))["connections"][0]["events"]["halo"]
        return found

    assert halo() == "polling only"
    assert "syncline halo webhooks install acme" in run("status").stdout
    orders = BindableEvent(7, "New Sales Order - All", "salesorder")
    scene.ledger.run(lambda c: remember_bound(c, scene.link.id, "w1", [orders]))
    assert halo() == "webhook, polling for payment, consignment"


def test_a_token_that_is_due_for_rotation_is_told(scene: LedgerScene, run: Run) -> None:
    assert document(run("status", "--json"))["secrets"]["warnings"] == []
    assert "to be replaced" in run("status").stdout
    old = "update credential set updated_at = updated_at - interval '80 days'"
    scene.ledger.run(lambda c: c.execute(text(old)))
    warnings = document(run("status", "--json"))["secrets"]["warnings"]
    assert any("token" in one for one in warnings)
    assert warnings[0][:40] in run("status").stdout


def test_of_one_connection_only_the_secrets_that_it_works_with_are_told(
    scene: LedgerScene, run: Run
) -> None:
    def add_another(connection: Connection) -> str:
        mapping = connection.execute(text("select mapping from connection")).scalar_one()
        other = new_connections.add(connection, beside(scene.link, mapping))
        connection.execute(
            text(
                """
                insert into credential (owner, purpose, sealed, updated_at, sealed_at)
                select :owner, purpose, sealed, updated_at - interval '80 days', sealed_at
                from credential where owner = :known
                """
            ),
            {"owner": other.location_place, "known": scene.link.location_place},
        )
        return other.location_place

    def told(*options: str) -> tuple[set[str], int]:
        secrets = document(run("status", "--json", *options))["secrets"]
        return {one["owner"] for one in secrets["credentials"]}, len(secrets["warnings"])

    other = scene.ledger.run(add_another)
    location, tenant = scene.link.location_place, scene.link.tenant_place
    assert told() == ({location, other, tenant}, 1)
    assert told("--connection", scene.link.name) == ({location, tenant}, 0)
    assert told("--connection", "other") == ({other, tenant}, 1)
