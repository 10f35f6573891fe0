"""Installations that many tests begin with, driven to where they begin once and then copied."""

from __future__ import annotations

from typing import Protocol

from tests.sandboxes import SharedSandbox


class Databases(Protocol):
    def keep(self, url: str) -> str: ...
    def put_back(self, url: str, kept: str) -> None: ...


class Installations:
    """Keeps a ledger together with both sides as they were at one moment.

    What is in Redis is not kept: an installation does without it at any time.
    """

    def __init__(self, databases: Databases, sandbox: SharedSandbox) -> None:
        self._databases = databases
        self._sandbox = sandbox
        self._kept: dict[str, str] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._kept

    def keep(self, key: str, database_url: str) -> None:
        """Keep this database, which nobody uses now, and the sandbox as they are."""
        name = self._databases.keep(database_url)
        self._sandbox.keep(name)
        self._kept[key] = name

    def put_back(self, key: str, database_url: str) -> None:
        """Let this database, which nobody uses now, and the sandbox be as at `keep`."""
        self._databases.put_back(database_url, self._kept[key])
        self._sandbox.put_back(self._kept[key])
