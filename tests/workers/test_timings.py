"""The timings come to their figures; how fast they are is no matter of a test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.variants import mostly

ROOT = Path(__file__).parents[2]
SMALL = {
    "audit": ("--entries", "400"),
    "atdate": ("--entries", "400"),
    "reconcile": ("--orders", "60"),
    "adopt": (),
}
"""Timings that fill a ledger by themselves, and how little they can be asked for."""


@pytest.mark.timeout(150)
@pytest.mark.parametrize("name", mostly("audit", of=SMALL))
def test_a_timing_that_fills_a_ledger_of_its_own_comes_to_its_figures(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", name, *SMALL[name], "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=140,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])
