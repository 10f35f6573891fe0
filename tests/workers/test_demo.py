from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ORDERS = 30


@pytest.mark.timeout(150)
def test_a_small_demo_ends_clean_after_a_kill_and_writes_only_what_changed(
    servers_folder: Path,
) -> None:
    data = servers_folder / "demo-installation"
    elsewhere = {"SYNCLINE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    ended = subprocess.run(
        [sys.executable, "-m", "workers.console.main", "demo", "--orders", str(ORDERS), "--json"],
        cwd=ROOT,
        env={**os.environ, **elsewhere, "SYNCLINE_DATA": str(data)},
        capture_output=True,
        text=True,
        timeout=140,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    figures = json.loads(ended.stdout.splitlines()[-1])
    assert figures.pop("seconds") > figures.pop("quota_bound_seconds")
    assert ORDERS < figures.pop("highlevel_calls") < 2 * ORDERS + 20
    assert figures.pop("halo_calls") <= 150
    for shown in figures.pop("shapes").values():
        assert shown.keys() == {"published", "printed", "rich"}
        assert min(shown.values()) > 0
    strangers = figures.pop("foreign_answers")
    assert {"html_403", "html_503", "redirect_302"} <= strangers.keys()
    assert any(kind.startswith("truncated_2") for kind in strangers)
    for sides in figures.pop("sums").values():
        assert sides["halo"] == sides["highlevel"]
    for kind in ("transactions", "refunds"):
        assert figures.pop(kind) == figures.pop(f"{kind}_owed") > 0
    assert figures == {
        "orders": ORDERS,
        "orders_owed": ORDERS,
        "subscriptions": 3,
        "subscriptions_owed": 3,
        "missing": 0,
        "duplicates": 0,
        "wrong_amounts": 0,
        "rejected_429": 0,
        "kills": 1,
        "changed": 10,
        "rewritten_after_change": 10,
        "clean": True,
    }
    assert "HighLevel's calls left" in ended.stderr
    assert "Halo's calls left" in ended.stderr
    assert "was killed (SIGKILL) in the middle of a write" in ended.stderr
    assert not [line for line in ended.stderr.splitlines() if line.startswith("{")]
    assert not servers_left(data)


def servers_left(data: Path) -> list[str]:
    """Processes that still run on the data folder."""
    found = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = command.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(data) in text:
            found.append(text)
    return found
