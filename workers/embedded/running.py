"""Which installations run on this machine, told by their processes.

A process is asked of the kernel: what it was started with and where it stands. Those of other
users are not seen, unless we are root.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_PROCESSES = Path("/proc")
_DATA, _DATABASE = "SYNCLINE_DATA", "SYNCLINE_DATABASE_URL"
_BY_DEFAULT = "data"
_OURS = ("workers.celery_process", "workers.receiver")
"""What children of `syncline up`, and of `syncline run`, are started as."""

_CONSOLE = ("workers.console.main", "syncline")


@dataclass(frozen=True, slots=True, order=True)
class RunningInstallation:
    """One of which at least one process runs.

    Attributes:
        data: its data folder, without links in it.
        is_embedded: whether its PostgreSQL is there too, and not one of its settings.
    """

    data: Path
    is_embedded: bool


def installations() -> list[RunningInstallation]:
    """Those that run, each once."""
    return sorted({one for process in _PROCESSES.glob("[0-9]*") for one in _of(process)})


def works_in(pid: int, folder: Path) -> bool:
    """Whether a process lives that stands in that folder, as both embedded servers do."""
    try:
        return (_PROCESSES / str(pid) / "cwd").samefile(folder)
    except OSError:
        return False


def _of(process: Path) -> Iterator[RunningInstallation]:
    """What a process of ours belongs to; nothing of all others."""
    try:
        if not _is_ours(_words(process / "cmdline")):
            return
        given = _environment(process)
        named = Path(given.get(_DATA, _BY_DEFAULT)).expanduser()
        folder = ((process / "cwd").readlink() / named).resolve()
        yield RunningInstallation(folder, _DATABASE not in given)
    except (OSError, RuntimeError):  # it has ended meanwhile, or is another user's
        return


def _is_ours(words: list[str]) -> bool:
    if any(word in _OURS for word in words):
        return True
    at = next((i for i, word in enumerate(words) if Path(word).name in _CONSOLE), None)
    return at is not None and words[at + 1 : at + 2] == ["up"]


def _words(path: Path) -> list[str]:
    return [word.decode(errors="replace") for word in path.read_bytes().split(b"\0") if word]


def _environment(process: Path) -> Mapping[str, str]:
    pairs = (word.partition("=") for word in _words(process / "environ"))
    return {name: value for name, _, value in pairs}
