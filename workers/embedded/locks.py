"""File locks between the processes of one installation; the kernel frees those of the dead."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self


class FileLock:
    """An open file that may be locked: shared or alone, waiting or not.

    The lock belongs to the open file, so a child that inherits it holds it too.

    Args:
        path: the file; it is made if it does not exist. A folder that exists can be locked too.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
        self.fd = os.open(path, flags | os.O_CLOEXEC, 0o600)

    def share(self) -> None:
        """Wait until nobody has it alone, then hold it together with others."""
        fcntl.flock(self.fd, fcntl.LOCK_SH)

    def take(self) -> None:
        """Wait until nobody else has it, then hold it alone."""
        fcntl.flock(self.fd, fcntl.LOCK_EX)

    def try_take(self) -> bool:
        """Hold it alone if that is possible now."""
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Let go of it here; a child that inherited it holds on. Closing twice is harmless."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Run the block while no other process is in a block of the same file."""
    with FileLock(path) as lock:
        lock.take()
        yield
