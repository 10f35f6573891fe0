"""The user that PostgreSQL runs as where everything is root, in a private copy of /etc."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def _may_mount() -> bool:
    if os.geteuid() or not shutil.which("unshare"):
        return False
    return subprocess.run(["unshare", "-m", "true"], check=False).returncode == 0


_ALL_AT_ONCE = """
import pwd, subprocess, sys
subprocess.run(["mount", "--bind", sys.argv[1], "/etc"], check=True)
subprocess.run(["userdel", "-f", "syncline-db"], capture_output=True)
one = "import sys; sys.stdin.read(); from workers.embedded.postgres import _owner; print(*_owner())"
started = [
    subprocess.Popen([sys.executable, "-c", one], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for _ in range(6)
]
for process in started:
    process.stdin.close()
for process in started:
    print(process.stdout.read().decode().strip())
    process.wait()
made = pwd.getpwnam("syncline-db")
print(made.pw_uid, made.pw_gid)
"""


@pytest.mark.skipif(
    not _may_mount(), reason="only root can put another folder in the place of /etc"
)
def test_processes_that_first_start_at_the_same_moment_make_one_user(tmp_path: Path) -> None:
    """Each that saw another id would start a PostgreSQL whose user is gone."""
    subprocess.run(["cp", "-a", "/etc", tmp_path], check=True)
    found = subprocess.run(
        ["unshare", "-m", sys.executable, "-c", _ALL_AT_ONCE, tmp_path / "etc"],
        check=True,
        capture_output=True,
        text=True,
    )
    seen = found.stdout.splitlines()
    assert len(seen) == 7
    assert len(set(seen)) == 1
