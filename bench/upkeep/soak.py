"""What is left to chance, with many more tries than an ordinary run of the tests has.

Ten thousand bad requests, a thousand changes against each other, six histories of deaths for each
case where one is run otherwise, each fault on every profile of a tenant, a death at every point of
an adoption: `python -m pytest --soak`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parents[2]
PROCESSES = 2

Progress = Callable[[str], None]


def run(progress: Progress) -> dict[str, Any]:
    """Run them; takes about ten minutes."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="syncline-bench-") as folder:
        report = Path(folder) / "report.xml"
        command = [
            *(sys.executable, "-m", "pytest", "--soak", "--timeout=900"),
            *(f"--numprocesses={PROCESSES}", f"--junit-xml={report}", "--quiet"),
        ]
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as running:
            for line in running.stdout or ():
                progress(line.rstrip())
        suite = ET.parse(report).getroot().find("testsuite")  # noqa: S314 - pytest wrote it just now
    if suite is None:
        raise RuntimeError("the tests ended without a report")
    counts = {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors")}
    return {**counts, "seconds": round(time.monotonic() - began, 1)}
