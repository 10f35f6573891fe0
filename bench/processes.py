"""The processes of an installation, found from outside."""

from __future__ import annotations

from pathlib import Path

import psutil


def servers_in(data: Path) -> dict[str, list[psutil.Process]]:
    """The processes of both embedded servers of a data folder, by server."""
    folder = str(data)
    found: dict[str, list[psutil.Process]] = {}
    for process in psutil.process_iter(["name", "cmdline"]):
        command = " ".join(process.info["cmdline"] or ())
        name = process.info["name"] or ""
        if name.startswith("postgres") and (folder in command or _parent_in(process, folder)):
            found.setdefault("postgres", []).append(process)
        elif name.startswith("redis-server") and (folder in command or _cwd_in(process, folder)):
            found.setdefault("redis", []).append(process)
    return found


def _parent_in(process: psutil.Process, folder: str) -> bool:
    try:
        parent = process.parent()
        return parent is not None and folder in " ".join(parent.cmdline())
    except psutil.Error:
        return False


def _cwd_in(process: psutil.Process, folder: str) -> bool:
    try:
        return process.cwd().startswith(folder)
    except psutil.Error:
        return False
