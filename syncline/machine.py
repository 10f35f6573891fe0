"""What this machine refuses, in words: no room, no right, no such folder.

Such an error is no bug of ours and passes with what a person does to the machine, so it is one
sentence and no traceback.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from syncline.errors import Refused

_MB: Final = 1_000_000
_MAKE_ROOM = "Make room on that disk, then run it again: nothing that was committed is lost."
_ELSEWHERE = "name another folder in SYNCLINE_DATA, or another file where the command takes one."
_OWNER = f"Run it as the user who owns it, or {_ELSEWHERE}"
_ANOTHER = _ELSEWHERE.capitalize().replace("syncline_data", "SYNCLINE_DATA")

_SAID: Mapping[int, tuple[str, str]] = {
    errno.ENOSPC: ("the disk is full", _MAKE_ROOM),
    errno.EDQUOT: ("this user may not take up more of the disk", _MAKE_ROOM),
    errno.EROFS: ("that file system may only be read", _ANOTHER),
    errno.EACCES: ("this user has no right to it", _OWNER),
    errno.EPERM: ("this user has no right to it, or the file system cannot do it", _OWNER),
    errno.ENOTDIR: ("a part of that path is a file and no folder", _ANOTHER),
    errno.EEXIST: ("that is a file and no folder", _ANOTHER),
    errno.EISDIR: ("that is a folder and no file", _ANOTHER),
    errno.ENAMETOOLONG: ("that name is too long", _ANOTHER),
    errno.ELOOP: ("its links lead in a circle", _ANOTHER),
    errno.EIO: ("the disk cannot be read or written", "Look at the machine's log: dmesg"),
    errno.EMFILE: ("too many files are open", "Allow more of them: ulimit -n 4096"),
    errno.ENFILE: ("too many files are open on this machine", "End some programs."),
}


def refusal(error: OSError) -> Refused | None:
    """An error of the machine as one of ours; None for one that may be a bug."""
    said = _SAID.get(error.errno or 0)
    if said is None:
        return None
    what, remedy = said
    named = f"{error.filename} cannot be used" if error.filename else "A file cannot be written"
    return Refused(f"{named}: {what}.", remedy=remedy)


def why(error: OSError) -> str:
    """Why a file cannot be used, in a few words, for a sentence that names the file itself."""
    said = _SAID.get(error.errno or 0)
    return said[0] if said is not None else (error.strerror or type(error).__name__)


def without_room(folder: Path, needed: int) -> Refused | None:
    """That the disk of a folder is full, or as good as; None while there is room.

    Args:
        folder: where something is to be written.
        needed: bytes that it takes at the least.
    """
    free = shutil.disk_usage(folder).free
    if free >= needed:
        return None
    return Refused(
        f"The disk of {folder} is full: {free // _MB} MB are free, and {needed // _MB} MB are "
        "needed.",
        remedy=_MAKE_ROOM,
    )
