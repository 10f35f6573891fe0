"""`syncline audit` and `syncline show --at`, as a person and as a program see them."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from syncline.audit import sealing
from syncline.ledger import records
from syncline.ledger.records import NewVersion
from syncline.settings import Settings
from tests.moves import by_hand
from tests.syncline.cli.conftest import LedgerScene, Run, document
from workers.console import enqueue

ROOT = Path(__file__).parents[3]
CONFIRMED = {"po_number": "HL-o1", "client_id": "5", "currency_code": "1", "total": "10.5"}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "MARGIN", timedelta(0))


def synced(scene: LedgerScene) -> None:
    """An order that was delivered and refunded since."""
    scene.see("o1")
    [lease] = scene.claim()
    scene.deliver(lease, **CONFIRMED)
    scene.see("o1", status="refunded")


def test_an_order_is_shown_as_it_was_at_a_moment(scene: LedgerScene, run: Run) -> None:
    synced(scene)
    moments = scene.ledger.run(
        lambda c: c.execute(text("select at from change where foreign_id = 'o1' order by at")).all()
    )
    first, second = (row.at.isoformat() for row in moments)
    then = document(run("show", "order", "o1", "--at", first, "--json"))
    assert (then["record"]["version"], then["record"]["proof"]) == (1, "proved")
    assert then["record"]["canonical"]["status"] == "completed"
    assert (then["delivered"], then["record"]["audit"]) == ([], [])
    now = document(run("show", "order", "o1", "--at", second, "--json"))
    assert (now["record"]["version"], now["record"]["proof"]) == (2, "proved")
    assert now["record"]["canonical"]["status"] == "refunded"
    assert [one["fields"] for one in now["delivered"]] == [CONFIRMED]
    table = run("show", "order", "o1", "--at", second).stdout
    assert "order 77 held" in table
    too_early = run("show", "order", "o1", "--at", "2020-01-01")
    assert (too_early.exit_code, "was known on" in too_early.stderr) == (2, True)
    for no_moment in ("yesterday", "0001-01-01T00:00+05:00"):
        assert run("show", "order", "o1", "--at", no_moment).exit_code == 2
    # As it is shown, in whole seconds; and by another zone's clock.
    assert run("show", "order", "o1", "--at", first[:19]).exit_code == 0
    east = moments[0].at.astimezone(timezone(timedelta(hours=5, minutes=30))).isoformat()
    assert document(run("show", "order", "o1", "--at", east, "--json"))["record"]["version"] == 1

    # A clock that was set back between both versions.
    scene.ledger.run(
        lambda c: c.execute(
            text(
                "update change set at = at - interval '1 hour' "
                "where foreign_id = 'o1' and version = 2"
            )
        )
    )
    back = document(run("show", "order", "o1", "--at", first, "--json"))["record"]
    assert (back["version"], back["proof"], len(back["changes"])) == (2, "proved", 2)

    scene.ledger.run(
        lambda c: c.execute(
            text(
                "update change set at = at + interval '2 hours', "
                'fields = \'{"status": ["x", "y"]}\' where foreign_id = \'o1\' and version = 2'
            )
        )
    )
    doubted = document(run("show", "order", "o1", "--at", first, "--json"))
    assert doubted["record"]["proof"] == "unproved"


def test_the_log_is_listed_anchored_checked_and_exported(
    scene: LedgerScene,
    run: Run,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    synced(scene)
    run("connection", "stop", "acme", "--dry-run")
    scene.ledger.run(lambda c: c.execute(text("update connection set state = 'stopped'")))
    assert run("connection", "start", "acme").exit_code == 0
    monkeypatch.setattr(enqueue, "_publish", lambda _tasks: None)
    assert run("enqueue", "send", "-c", "acme", "--target", "order").exit_code == 0
    listed = document(run("audit", "list", "--json"))
    assert [(one["source"], one.get("target") or one["kind"]) for one in listed] == [
        ("effect", "enqueue send"),
        ("effect", "connection start"),
        ("change", "order"),
        ("effect", "order"),
        ("change", "customer"),
        ("change", "order"),
        ("effect", "connection add"),
    ]
    asked, start = listed[:2]
    assert asked["after"] == {"tasks": [["syncline.deliveries.send", "acme", "order"]]}
    assert re.fullmatch(r"enqueue send by \w+", asked["cause"])
    assert (start["before"]["state"], start["after"]["state"]) == ("stopped", "active")
    assert re.fullmatch(r"connection start by \w+", start["cause"])
    shown = document(run("audit", "show", "effect", str(start["id"]), "--json"))
    assert shown["sealed"] is None
    assert [one["id"] for one in document(run("audit", "list", "--record", "o1", "--json"))]

    assert "without a seal" not in run("status").stdout
    scene.ledger.run(
        lambda c: c.execute(text("update audit_entry set at = at - interval '1 hour' where id = 1"))
    )
    assert "without a seal is of 60 min ago" in run("status").stdout
    heads = [json.loads(line) for line in run("audit", "anchor").stdout.splitlines()]
    assert {(one["chain"], one["position"]) for one in heads} == {
        ("connection:1", 4),
        ("location:1", 2),
        ("tenant:1", 1),
    }
    assert (settings.data / "anchors" / "heads.jsonl").exists()
    assert "nothing was changed" in run("audit", "verify").stdout
    assert document(run("audit", "verify", "-c", "acme", "--json"))["entries"] == 7
    ends = " ".join(f"{one['chain']}:{one['position']}:{one['head'][:32]}" for one in heads)
    expected = document(run("audit", "verify", "--expect", ends, "--json"))
    assert (expected["findings"], expected["anchors"]) == ([], 6)
    other = run("audit", "verify", "--expect", f"tenant:1:1:{'0' * 32}", "--json")
    assert document(other)["findings"][0]["what"] == "rewritten"
    assert run("audit", "verify", "--expect", "tenant:1").exit_code == 2

    out = tmp_path / "log.jsonl"
    assert run("audit", "export", str(out), "--dry-run").exit_code == 0
    assert not out.exists()
    assert run("audit", "export", str(tmp_path)).exit_code == 2
    assert run("audit", "export", str(out)).exit_code == 0
    assert checked(out) == "7 entries are what was sealed"
    lines = out.read_text(encoding="utf-8").splitlines()
    out.write_text("\n".join([lines[0].replace("connection add", "connection odd"), *lines[1:]]))
    assert "AssertionError" in checked(out)
    of_record = run("audit", "export", "-", "--format", "csv", "--record", "o1").stdout
    assert [row["chain"] for row in csv.DictReader(of_record.splitlines())] == [
        "connection:1",
        "location:1",
        "location:1",
    ]

    scene.ledger.run(lambda c: c.execute(text("update audit_entry set cause = 'x' where id = 1")))
    found = run("audit", "verify", "--json")
    assert (found.exit_code, document(found)["findings"][0]["what"]) == (1, "edited")
    assert "effect 1" in run("audit", "verify").stdout


def test_an_erasure_is_said_first_and_done_only_when_that_is_meant(
    scene: LedgerScene, run: Run
) -> None:
    synced(scene)
    scene.ledger.run(lambda c: by_hand(c, "update delivery set state = 'delivered'"))
    assert run("audit", "erase", "ada@example.com").exit_code == 2
    said = document(run("audit", "erase", "ada@example.com", "--dry-run", "--json"))
    assert (said["records"], said["entry"]) == (2, None)
    assert "brings it back" in run("audit", "erase", "ada@example.com", "--dry-run").stdout
    done = document(run("audit", "erase", "ada@example.com", "--yes", "--json"))
    assert done["entry"] is not None
    gone = run("audit", "erase", "ada@example.com", "--yes")
    assert (gone.exit_code, "Nothing is known" in gone.stderr) == (2, True)
    assert [is_erased(scene, form) for form in FORMS] == [True, False]
    then = document(run("show", "order", "o1", "--at", "2999-01-01", "--json"))
    assert then["record"]["proof"] == "unknown"
    assert "Ada" not in json.dumps(then)


FORMS: list[dict[str, Any]] = [{"id": "c9"}, {"id": "c9", "name": "Ada"}]
"""What is heard of a customer without an address after it was erased."""


def is_erased(scene: LedgerScene, form: dict[str, Any]) -> bool:
    """Whether a customer of whom this is heard anew still counts as erased."""

    def work(connection: Connection) -> bool:
        connection.execute(
            text(
                "insert into record (place, kind, foreign_id, version, canonical, fingerprint, "
                "erased_at) values ('tenant:1', 'customer', 'contact:c9', 1, '{}', 'x', now()) "
                "on conflict do nothing"
            )
        )
        version = NewVersion("contact:c9", 2, form, b"x", None, None, {})
        records.save_versions(connection, "tenant:1", "customer", [version], "pull 2")
        found = connection.execute(
            text("select erased_at from record where foreign_id = 'contact:c9'")
        )
        return found.scalar_one() is not None

    return scene.ledger.run(work)


def checked(file: Path) -> str:
    """What the script of docs/audit.md says of an export: its last line."""
    page = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    [script] = re.findall(r"^```python\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=file.read_bytes(),
        capture_output=True,
        check=False,
    )
    return (done.stdout or done.stderr).decode().strip().splitlines()[-1]
