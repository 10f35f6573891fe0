"""The data folder of an installation: whether it can be used, and whether one is there."""

from __future__ import annotations

import errno
import secrets
from pathlib import Path

from syncline import machine
from syncline.errors import Refused
from syncline.settings import Settings
from workers.embedded import running
from workers.embedded.postgres import Postgres
from workers.embedded.redis_server import RedisServer
from workers.embedded.running import RunningInstallation

_FULL = (errno.ENOSPC, errno.EDQUOT)
_MAKE_ROOM = "Make room on that disk, or name a folder on another one in SYNCLINE_DATA."
_ANOTHER = "Name a folder that this user may write to in SYNCLINE_DATA, or give the right to it."
_OWN = ", with a PostgreSQL of its settings"
_SMALL = b"syncline tries whether it may write here\n"


def make_usable(folder: Path) -> None:
    """Make the folder where it is missing, and try to write there.

    Raises:
        Refused: it cannot be made, is a file, or cannot be written to; or the disk is full.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise Refused(
                f"SYNCLINE_DATA names {folder}, which is a file and no folder.",
                remedy="Name a folder there; it is made where it is missing.",
            )
        folder.mkdir(parents=True, exist_ok=True)
        trial = folder / f"trial.{secrets.token_hex(4)}"
        try:
            trial.write_bytes(_SMALL)
        finally:
            trial.unlink(missing_ok=True)
    except OSError as error:
        raise Refused(
            f"The data folder {folder} cannot be used: {machine.why(error)}.",
            remedy=_MAKE_ROOM if error.errno in _FULL else _ANOTHER,
        ) from error


def is_made(settings: Settings) -> bool:
    """Whether an installation is there, or is being made by one that just starts."""
    if settings.database_url is None:
        is_there = Postgres(settings.data).is_made
    else:
        is_there = settings.redis_url is not None or RedisServer(settings.data).is_made
    return is_there or is_in_use(settings)


def is_in_use(settings: Settings) -> bool:
    """Whether processes of ours run on it, such as those of a `syncline up` that just starts."""
    is_embedded = settings.database_url is None
    return RunningInstallation(settings.data.resolve(), is_embedded) in running.installations()


def absence(settings: Settings) -> Refused:
    """That there is no installation, and where one runs that may be meant."""
    return Refused(
        f"There is no installation in {settings.data}. {others(settings)}".strip(),
        remedy=f"{_way_to(_elsewhere(settings))} To make one here: syncline up".strip(),
    )


def others(settings: Settings) -> str:
    """Which other installations run on this machine, as a sentence; nothing where none does."""
    found = [f"{one.data}{'' if one.is_embedded else _OWN}" for one in _elsewhere(settings)]
    if not found:
        return ""
    return f"The one that runs is in {found[0]}." if len(found) == 1 else _several(found)


def _several(found: list[str]) -> str:
    return f"Those that run are in {', '.join(found[:-1])} and {found[-1]}."


def _way_to(others: list[RunningInstallation]) -> str:
    if not others:
        return ""
    first = others[0]
    also = (
        "" if first.is_embedded else ", and SYNCLINE_DATABASE_URL and SYNCLINE_REDIS_URL as there"
    )
    return f"To use it: export SYNCLINE_DATA={first.data}{also}."


def _elsewhere(settings: Settings) -> list[RunningInstallation]:
    here = RunningInstallation(settings.data.resolve(), settings.database_url is None)
    found = [one for one in running.installations() if one != here]
    return sorted(
        found, key=lambda one: one.data != here.data
    )  # most likely the one in this folder
