"""Loopback ports: a free one, and the one that a server had before."""

from __future__ import annotations

import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


def free_or_other(wanted: int) -> int:
    """The wanted port if it is free, else another; 0 wants any."""
    return wanted if wanted and is_free(wanted) else free_port()


def remembered(path: Path) -> int | None:
    """The port that was written to a file, if one was."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def choose(path: Path) -> int:
    """The port of last time if it is free, else another; written to the file.

    A restarted server keeps its port where it can, because running processes know it by URL.
    """
    port = remembered(path)
    if port is None or not is_free(port):
        port = free_port()
    remember(path, port)
    return port


def remember(path: Path, port: int) -> None:
    """Write a port to a file, unless it says so already."""
    if remembered(path) != port:
        path.write_text(f"{port}\n", encoding="ascii")
