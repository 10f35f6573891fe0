"""Where the tests' servers keep their files: in memory, where there is room enough."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_MEMORY = Path("/dev/shm")  # noqa: S108 - folders with names of their own are made in it
_ENOUGH = 4 << 30


def roomy_memory() -> Path | None:
    """A folder for `dir` of `tempfile`; None, which means a disk, where memory is too small.

    The servers' settings stay as in production, so they write and sync as ever; only the device is
    quicker. Whoever kills a process loses nothing on either. The promise about the disk keeps its
    PostgreSQL there.
    """
    if not os.access(_MEMORY, os.W_OK) or shutil.disk_usage(_MEMORY).free < _ENOUGH:
        return None
    return _MEMORY
