"""The tree keeps its shape: arrows point one way, and every setting is documented."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
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


def test_what_tests_share_stands_in_no_test_module() -> None:
    """Imported from one, its fixtures and tests would run or hide where nobody looks for them."""
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for folder in ("tests", "bench")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name in _imported(path)
        if any(part.startswith("test_") for part in name.split("."))
    ]
    assert found == []


def _imported(path: Path) -> Iterator[str]:
    """All modules that a file imports, and the names it takes from them, with dots."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{one.name}" for one in node.names)
