"""The files that keep a sandbox over a restart: a snapshot, and a journal of what came after it.

A snapshot is replaced as a whole. What happens after it is appended to a journal before it is
answered, so no answer is ever forgotten, whatever ends the process. It is given to the operating
system and not forced to the disk: a machine that loses power may lose the last moments.

The snapshot `FILE` has a number, and the journals `FILE.N` hold what came after snapshot N, until
the next one is in place.
"""

from __future__ import annotations

import fcntl
import io
import os
import pickle
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

FORMAT = 3
"""To be raised whenever what a snapshot or a record consists of changes."""

_NAME = b"syncline sandbox state "
_HEAD = _NAME + f"{FORMAT}\n".encode()
_FRAME = struct.Struct(">QI")
_SNAPSHOT_AFTER = 16 * 1024 * 1024
"""A journal of so many bytes is due to be replaced by a snapshot."""

_PRIVATE = 0o600
"""The state holds tokens."""

_MODULES = ("copyreg", "collections", "datetime", "decimal", "random")


class StateError(Exception):
    """A kept state cannot be taken up; the message says why, and is one sentence."""


def check(path: Path) -> None:
    """Ask for a state that can be taken up; none at all can.

    Raises:
        StateError: it cannot.
    """
    journal = Journal(path)
    try:
        journal.read()
    finally:
        journal.close()


def discard(path: Path) -> None:
    """Forget what was kept.

    Raises:
        StateError: it is in use.
    """
    journal = Journal(path)
    journal.discard()
    journal.close()


class Journal:
    """A state's files, held by one sandbox alone.

    Args:
        path: the snapshot's; the others stand beside it.

    Raises:
        StateError: if another sandbox uses them.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number = 0
        self._length = 0
        self._records: IO[bytes] | None = None
        self._writing: threading.Thread | None = None
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = path.with_name(f"{path.name}.lock").open("ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise StateError(f"The state {path} is used by another sandbox.") from None

    @property
    def is_long(self) -> bool:
        """Whether a snapshot is due."""
        busy = self._writing is not None and self._writing.is_alive()
        return self._length > _SNAPSHOT_AFTER and not busy

    def read(self) -> tuple[Any, list[Any]] | None:
        """The last snapshot and what came after it; None if nothing was kept yet.

        Raises:
            StateError: if it is of another version, or broken.
        """
        if not self._path.exists():
            return None
        content = self._path.read_bytes()
        if not content.startswith(_HEAD):
            raise self._unreadable(content)
        frames = list(self._frames(content[len(_HEAD) :]))
        if len(frames) != 1:
            raise self._broken("it ends too early")
        self._number, state = self._loaded(frames[0])
        return state, [record for path in self._journals() for record in self._read(path)]

    def append(self, record: Any) -> None:
        """Keep what happened, before it is answered."""
        if self._records is None:
            raise ValueError("the journal begins with a snapshot")
        frame = _framed(packed(record))
        self._records.write(frame)
        self._length += len(frame)

    def replace(self, state: Any, *, wait: bool = False) -> None:
        """Make a snapshot of the whole and begin a new journal.

        Args:
            state: as it is now; it may change as soon as this returns.
            wait: whether to come back only when the snapshot is in place.
        """
        if self._writing is not None:
            self._writing.join()
        # Above every journal there is: one that no snapshot holds yet must not be begun anew.
        self._number = max([self._number, *map(_number_of, self._journals())]) + 1
        payload = packed((self._number, state))
        self._begin(self._number)
        self._writing = threading.Thread(target=self._write, args=(payload, self._number))
        self._writing.start()
        if wait:
            self._writing.join()

    def discard(self) -> None:
        """Forget what was kept."""
        for path in (*self._journals(least=0), self._path):
            path.unlink(missing_ok=True)
        self._number = 0

    def close(self) -> None:
        """Let go of the files."""
        if self._writing is not None:
            self._writing.join()
        if self._records is not None:
            self._records.close()
        self._lock.close()

    def _begin(self, number: int) -> None:
        if self._records is not None:
            self._records.close()
        path = self._path.with_name(f"{self._path.name}.{number}")
        self._records = open(path, "wb", buffering=0, opener=_private)  # noqa: SIM115
        self._length = 0

    def _write(self, payload: bytes, number: int) -> None:
        """Put a snapshot in place; only then is what it holds dropped from the journals."""
        fresh = self._path.with_name(f"{self._path.name}.new")
        with open(fresh, "wb", opener=_private) as file:
            file.write(_HEAD + _framed(payload))
        fresh.replace(self._path)
        for path in self._journals(least=0):
            if _number_of(path) < number:
                path.unlink(missing_ok=True)

    def _journals(self, least: int | None = None) -> list[Path]:
        """The journals from a number on, by default from the snapshot's."""
        least = self._number if least is None else least
        beside = self._path.parent.glob(f"{self._path.name}.*")
        numbered = [path for path in beside if path.suffix[1:].isdecimal()]
        return sorted((path for path in numbered if _number_of(path) >= least), key=_number_of)

    def _read(self, path: Path) -> Iterator[Any]:
        for frame in self._frames(path.read_bytes()):
            yield self._loaded(frame)

    def _frames(self, content: bytes) -> Iterator[bytes]:
        """The whole frames of a file; a last one that was cut was never answered."""
        at = 0
        while at + _FRAME.size <= len(content):
            length, checksum = _FRAME.unpack_from(content, at)
            frame = content[at + _FRAME.size : at + _FRAME.size + length]
            if len(frame) < length:
                return
            if zlib.crc32(frame) != checksum:
                raise self._broken("its checksum is wrong")
            yield frame
            at += _FRAME.size + length

    def _loaded(self, frame: bytes) -> Any:
        try:
            return unpacked(frame)
        except Exception as error:
            # Whatever is wrong with it, it can only be started afresh.
            raise self._broken(f"{type(error).__name__}: {error}") from error

    def _unreadable(self, content: bytes) -> StateError:
        if not content.startswith(_NAME):
            return self._broken("it does not begin as one")
        version = content[len(_NAME) :].partition(b"\n")[0].decode("ascii", "replace")
        return StateError(
            f"The sandbox's state {self._path} is of version {version[:20]}, "
            f"and this sandbox reads version {FORMAT}."
        )

    def _broken(self, why: str) -> StateError:
        return StateError(f"The sandbox's state {self._path} is broken ({why}).")


def packed(value: Any) -> bytes:
    """A state or a record as it is kept."""
    return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


def unpacked(content: bytes) -> Any:
    """A state or a record that was kept.

    Raises:
        UnpicklingError: it holds what is no part of any.
    """
    return _Unpickler(io.BytesIO(content)).load()


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("syncline.sandbox.") or module in _MODULES:
            return super().find_class(module, name)
        if module == "builtins" and name in ("set", "frozenset", "object"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a state")


def _framed(payload: bytes) -> bytes:
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


def _number_of(path: Path) -> int:
    return int(path.suffix[1:])


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, _PRIVATE)
