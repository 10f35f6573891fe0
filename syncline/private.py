"""Small secret files of this installation: made once, readable by their owner alone."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from pydantic import SecretStr

from syncline.errors import Refused

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read(path: Path) -> SecretStr:
    """The secret that a file holds.

    Raises:
        Refused: the file is missing, empty, or open to others.
    """
    try:
        mode = path.stat().st_mode
        value = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(
            f"{path} cannot be read ({type(error).__name__}).",
            remedy="Put the secret there, owned by the user that runs syncline, mode 0600.",
        ) from error
    if mode & _OTHERS:
        raise Refused(
            f"{path} can be used by others (mode {stat.S_IMODE(mode):04o}).",
            remedy=f"Run: chmod 600 {path}",
        )
    if not value:
        raise Refused(f"{path} is empty.", remedy="Put the secret there again from your backup.")
    return SecretStr(value)


def read_or_make(path: Path) -> SecretStr:
    """The secret that a file holds; a random one is put there if the file does not exist.

    Two processes at once end with the same secret: the file appears complete or not at all.

    Raises:
        Refused: the file is empty or open to others.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            _write(draft, secrets.token_urlsafe(32))
            _link_if_first(draft, path)
        finally:
            draft.unlink()
    return read(path)


def put(path: Path, secret: SecretStr) -> None:
    """Put a secret in place of the file's, at once and for good: after a crash one of them stands.

    Args:
        path: the file; made if it is not there, readable by its owner alone.
        secret: what it holds from now on.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    _write(draft, secret.get_secret_value())
    draft.replace(path)
    _sync_folder(path.parent)


def remove(path: Path) -> None:
    """Delete a secret file for good; one that is not there is gone already."""
    path.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _write(draft: Path, secret: str) -> None:
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(secret + "\n")
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _link_if_first(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)
    except FileExistsError:
        return
