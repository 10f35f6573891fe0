"""Anchored: the heads of the chains go into a file outside the ledger.

Whoever can change the ledger could build a chain anew, but none that fits heads which stand
elsewhere. Keep copies of the file where nobody who can write to the ledger can write.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import msgspec
from sqlalchemy import Connection

from syncline import jsontext
from syncline.audit import chains
from syncline.audit.chains import Head
from syncline.calls.context import WorkerContext
from syncline.errors import Refused
from syncline.settings import Settings

EVERY = timedelta(minutes=1)

FILE = Path("anchors") / "heads.jsonl"
"""Below the data folder, unless a setting names another file."""


def anchor_file(settings: Settings) -> Path:
    """Where the heads go."""
    return settings.anchor_file or settings.data / FILE


def anchor(worker: WorkerContext, every: timedelta = EVERY) -> int:
    """Append the heads that moved to the file; returns how many.

    They are noted as anchored only when they are on the disk: after a crash between both, a head
    stands there twice.

    Raises:
        Refused: the file cannot be written.
    """
    path = anchor_file(worker.settings)

    def work(connection: Connection) -> int:
        moved = chains.to_anchor(connection, every)
        if moved:
            _append(path, moved)
            chains.anchored(connection, moved)
        return len(moved)

    return worker.ledger.run(work)


def line_of(head: Head) -> str:
    """A head as one line of the file."""
    return jsontext.dumps(head).decode()


def read(path: Path) -> Iterator[Head]:
    """The heads of a file, in its order; a last line that a crash has cut is left out.

    Raises:
        Refused: the file cannot be read, or is no file of heads.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    head = _parsed(line, number, path)
                    if head is None:
                        return
                    yield head
    except OSError as error:
        raise Refused(
            f"The anchors in {path} cannot be read ({type(error).__name__}).",
            remedy="Name a file that syncline wrote, with --anchor.",
        ) from error


def _parsed(line: bytes, number: int, path: Path) -> Head | None:
    try:
        return msgspec.json.decode(line, type=Head)
    except (msgspec.DecodeError, UnicodeDecodeError):
        if not line.endswith(b"\n"):
            return None
        raise Refused(
            f"Line {number} of {path} is no head of a chain.",
            remedy="Take the file from a copy that nobody edited.",
        ) from None


def _append(path: Path, written: Sequence[Head]) -> None:
    text = "".join(f"{line_of(head)}\n" for head in written).encode()
    try:
        is_new = not path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        # A line that a crash has cut must not swallow the next one.
        if not is_new and path.stat().st_size and not _ends_well(path):
            text = b"\n" + text
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(handle, text)
            os.fsync(handle)
        finally:
            os.close(handle)
        if is_new:
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        raise Refused(
            f"The audit log cannot be anchored in {path} ({error.strerror}).",
            remedy="Make room for it, or name another file with SYNCLINE_ANCHOR_FILE.",
        ) from error


def _ends_well(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
