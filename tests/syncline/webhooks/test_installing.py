"""Our webhook in the emulated Halo: made, kept right, bound once, and taken away."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from syncline.calls.calls import halo_calls
from syncline.errors import Again
from syncline.halo.entities.resources import CLIENT, ORDER, WEBHOOK
from syncline.halo.entities.rows import next_page, save_row, save_rows, walk_of
from syncline.halo.webhooks import registration as webhooks
from syncline.halo.webhooks.bindable import WANTED
from syncline.halo.webhooks.hints import ChangeHint, hints
from syncline.halo_changes.installed_webhook import bound
from syncline.queues import Lane
from syncline.sandbox.process import SandboxProcess
from syncline.webhooks.installing import InstalledWebhook, _key, install, look, remove
from syncline.webhooks.keys import inbound_keys
from tests.receiving import receiver_process, until
from tests.variants import mostly
from tests.world import NAME, PROFILES, World, Worlds, small

PUBLIC = "http://127.0.0.1:9"
WRITES = {"POST", "DELETE"}


def worlds_of(worlds: Worlds, sandbox: SandboxProcess, **config: Any) -> World:
    small(sandbox, orders=2, transactions=0, subscriptions=0, **config)
    return worlds()


def installed(world: World, url: str = PUBLIC, **options: Any) -> InstalledWebhook:
    asked = {"rotate": False, "dry_run": False, "cause": "a test", **options}
    return install(world.reopened(), url, **asked)


def writes(sandbox: SandboxProcess, after: int = 0) -> list[str]:
    return [
        call["operation"]
        for call in sandbox.calls("halo", after)
        if call["method"] in WRITES and "token" not in call["operation"].lower()
    ]


def last(sandbox: SandboxProcess) -> int:
    return max((call["id"] for call in sandbox.calls("halo")), default=0)


def in_halo(world: World) -> tuple[list[Any], list[Any]]:
    """All webhooks of the tenant, and what the first is bound to."""
    line = world.worker.open_line(NAME)
    api = halo_calls(line, Lane.UPKEEP)
    hooks = api.read(
        "GET /Webhook", lambda permit: webhooks.list_webhooks(line.halo, permit, lambda _: True)
    )
    if not hooks:
        return [], []
    rows = api.read(
        "GET /Notification",
        lambda permit: webhooks.list_bindings(line.halo, permit, hooks[0].id),
    )
    return hooks, rows


def remembered(world: World) -> Any:
    link = world.worker.open_line(NAME).link
    return world.worker.ledger.run(lambda c: bound(c, link.id))


def audited(world: World) -> list[tuple[str, str]]:
    sql = """
        select entry.effect, entry.target from audit_entry entry
        join call on call.id = entry.call_id where entry.flow = 'webhooks' order by entry.id
    """
    return [tuple(row) for row in world.rows(sql)]


@pytest.mark.parametrize("profile", PROFILES)
def test_it_is_made_bound_and_remembered_and_a_second_run_writes_nothing(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    world = worlds_of(worlds, sandbox, profile=profile)
    done = installed(world)
    hooks, rows = in_halo(world)
    assert [hook.id for hook in hooks] == [done.webhook_id]
    assert hooks[0].url == done.url
    assert done.key is not None
    assert done.url == f"{PUBLIC}/webhooks/halo/{NAME}/{done.key.secret.get_secret_value()}"
    assert done.fate == "made"
    assert {row.eventno for row in rows} == {event.number for event in done.fitting}
    assert (remembered(world).webhook_id, remembered(world).events) == (
        done.webhook_id,
        done.fitting,
    )
    missing = WANTED if profile == "plain" else ()
    assert done.missing == remembered(world).missing == missing
    assert all(event.name.endswith("- All") for event in done.fitting)
    assert audited(world) == [("create", "webhook")] + [("create", "notification")] * len(rows)

    before = last(sandbox)
    again = installed(world)
    assert (again.fate, again.bound, again.url) == ("unchanged", (), done.url)
    assert writes(sandbox, before) == []


def test_what_was_changed_by_hand_is_put_right(worlds: Worlds, sandbox: SandboxProcess) -> None:
    world = worlds_of(worlds, sandbox)
    done = installed(world)
    line = world.worker.open_line(NAME)
    api = halo_calls(line, Lane.UPKEEP)
    off = {"id": done.webhook_id, "url": "https://elsewhere.example", "active": False}
    api.read("POST /Webhook", lambda permit: save_row(line.halo, permit, WEBHOOK, off))
    hooks, rows = in_halo(world)
    api.read(
        "DELETE /Notification",
        lambda permit: webhooks.delete_binding(line.halo, permit, rows[0]),
    )

    again = installed(world)
    assert (again.fate, again.webhook_id) == ("repaired", done.webhook_id)
    assert [event.number for event in again.bound] == [rows[0].eventno]
    hooks, rows = in_halo(world)
    assert [(hook.url, hook.active) for hook in hooks] == [(done.url, True)]
    assert sorted(row.eventno for row in rows) == sorted(e.number for e in done.fitting)


def test_two_installations_at_once_use_one_key(worlds: Worlds, sandbox: SandboxProcess) -> None:
    world = worlds_of(worlds, sandbox)
    with ThreadPoolExecutor(4) as pool:
        line = world.worker.open_line(NAME)
        ask = partial(_key, line, rotate=False, dry_run=False)
        made = list(pool.map(lambda _: ask(), range(4)))
    kept = world.worker.ledger.run(lambda c: inbound_keys(c, world.worker.sealer, line.link.id))
    assert kept is not None
    assert {key.username for key in made if key} == {key.username for key in kept.keys}
    assert len(kept.keys) == 1


def test_another_address_repairs_the_webhook_and_makes_no_second_one(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = worlds_of(worlds, sandbox)
    first = installed(world)
    moved = installed(world, "http://127.0.0.1:10/behind/a/proxy/")
    assert (moved.fate, moved.webhook_id) == ("repaired", first.webhook_id)
    assert moved.url.startswith("http://127.0.0.1:10/behind/a/proxy/webhooks/halo/")
    assert len(in_halo(world)[0]) == 1


def test_a_rotation_installs_a_new_key_and_keeps_the_one_before(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = worlds_of(worlds, sandbox)
    first, second = installed(world), installed(world, rotate=True)
    assert second.fate == "repaired"
    assert first.key is not None
    assert second.key is not None
    assert second.url != first.url
    link = world.worker.open_line(NAME).link
    keys = world.worker.ledger.run(lambda c: inbound_keys(c, world.worker.sealer, link.id))
    assert keys is not None
    assert [key.secret for key in keys.keys] == [second.key.secret, first.key.secret]
    assert installed(world).fate == "unchanged"


def test_a_dry_run_writes_nothing_anywhere(worlds: Worlds, sandbox: SandboxProcess) -> None:
    world = worlds_of(worlds, sandbox)
    done = installed(world, dry_run=True)
    assert (done.fate, done.webhook_id, done.key) == ("made", None, None)
    assert (
        {event.number for event in done.bound} == {event.number for event in done.fitting} != set()
    )
    assert in_halo(world) == ([], [])
    assert writes(sandbox) == []
    assert remembered(world).webhook_id is None
    link = world.worker.open_line(NAME).link
    assert world.worker.ledger.run(lambda c: inbound_keys(c, world.worker.sealer, link.id)) is None


def test_an_application_without_the_right_is_done_by_hand_with_a_key_that_is_kept(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = worlds_of(worlds, sandbox, webhooks_allowed=False)
    done = installed(world)
    assert (done.fate, done.webhook_id, done.missing) == ("by hand", None, WANTED)
    assert done.why
    assert done.key is not None
    assert installed(world).url == done.url
    assert remembered(world).missing == WANTED


@pytest.mark.parametrize("kind", ["cut_after", "500_after"])
def test_a_write_without_an_answer_is_looked_up_and_not_doubled(
    worlds: Worlds, sandbox: SandboxProcess, kind: str
) -> None:
    world = worlds_of(worlds, sandbox)
    sandbox.faults(
        {"side": "halo", "operation": "POST /Webhook", "kind": kind, "next": 1},
        {"side": "halo", "operation": "POST /Notification", "kind": kind, "next": 1},
    )
    done = installed(world)
    hooks, rows = in_halo(world)
    assert [hook.id for hook in hooks] == [done.webhook_id]
    assert len(rows) == len(done.fitting)
    assert audited(world) == [("create", "webhook")] + [("create", "notification")] * len(rows)


def test_a_write_that_never_took_effect_is_told_and_the_next_run_makes_it(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = worlds_of(worlds, sandbox)
    sandbox.faults(
        {"side": "halo", "operation": "POST /Webhook", "kind": "500", "next": 1},
    )
    with pytest.raises(Again):
        installed(world)
    assert in_halo(world) == ([], [])
    assert installed(world).fate == "made"
    assert len(in_halo(world)[0]) == 1


def test_every_call_has_a_row_of_its_own(worlds: Worlds, sandbox: SandboxProcess) -> None:
    world = worlds_of(worlds, sandbox)
    installed(world)
    rows = world.rows("select operation, sent from call")
    assert len(rows) == len(sandbox.calls("halo"))
    assert all(row.sent for row in rows)


@pytest.mark.parametrize(
    "payload", mostly("small", "custom", of=("small", "full", "event", "custom"))
)
def test_what_halo_sends_to_it_is_let_in_and_says_which_row_to_read(
    worlds: Worlds,
    sandbox: SandboxProcess,
    database: str,
    redis_url: str,
    tmp_path: Path,
    payload: str,
) -> None:
    world = worlds_of(worlds, sandbox, halo_webhooks={"payload": payload, "batch": 5})
    env = {
        "SYNCLINE_DATABASE_URL": database,
        "SYNCLINE_REDIS_URL": redis_url,
        "SYNCLINE_KEY": "k" * 40,
    }
    with receiver_process(tmp_path / "data", env) as receiver:
        installed(world, receiver.url)
        line = world.worker.open_line(NAME)
        api = halo_calls(line, Lane.UPKEEP)
        listed = api.read(
            "GET /Client", lambda permit: next_page(line.halo, permit, CLIENT, walk_of(CLIENT))
        )
        order = {"client_id": listed[0].id, "lines": [{"name": "Box", "quantity": 1}]}
        [made] = api.read(
            "POST /SalesOrder", lambda permit: save_rows(line.halo, permit, ORDER, [order])
        )
        until(lambda: not sandbox.halo_deliveries()["pending"])
    assert sandbox.halo_deliveries()["failed"] == 0
    [row] = world.rows("select connection_id, body from event where source = 'halo'")
    assert row.connection_id == line.link.id
    assert hints(bytes(row.body)) == [ChangeHint("salesorder", made.id)]


def test_it_is_shown_and_removed_with_its_bindings(worlds: Worlds, sandbox: SandboxProcess) -> None:
    world = worlds_of(worlds, sandbox)
    done = installed(world)
    line = world.worker.open_line(NAME)
    [seen] = look(line)
    assert (seen.webhook_id, seen.active) == (done.webhook_id, True)
    assert len(seen.bound) == len(done.fitting)

    assert remove(line, dry_run=True, cause="a test") == [done.webhook_id]
    assert len(in_halo(world)[0]) == 1
    sandbox.faults({"side": "halo", "operation": "DELETE /*", "kind": "cut_after", "next": 1})
    assert remove(line, dry_run=False, cause="a test") == [done.webhook_id]
    assert in_halo(world) == ([], [])
    assert remembered(world).missing == WANTED
    assert ("delete", "webhook") in audited(world)
    assert remove(line, dry_run=False, cause="a test") == []
    assert look(line) == []
