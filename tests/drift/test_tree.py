"""The tree keeps its shape: arrows point one way, and every setting is documented."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from syncline.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
_IMPORT_ALL = """
import importlib, pkgutil, sys, syncline
for module in pkgutil.walk_packages(syncline.__path__, "syncline."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(*sorted({name.split(".")[0] for name in sys.modules}))
"""


def test_the_import_contracts_hold() -> None:
    found = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr


def test_a_fresh_process_that_imports_the_whole_domain_has_loaded_no_celery() -> None:
    found = subprocess.run(
        [sys.executable, "-c", _IMPORT_ALL], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    loaded = set(found.stdout.split())
    assert "syncline" in loaded
    assert not loaded & {"celery", "kombu", "tasks", "workers", "schedules", "celeryconfig"}


def test_every_setting_is_documented_and_every_documented_setting_exists() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    documented = re.findall(rf"^\| `({PREFIX}[A-Z_]+)` \|", text, flags=re.MULTILINE)
    assert sorted(documented) == sorted(f"{PREFIX}{name.upper()}" for name in Settings.model_fields)
