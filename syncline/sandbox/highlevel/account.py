"""What HighLevel keeps besides a location's documents: the app's grants, providers, new ids."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from syncline.sandbox.config import SandboxConfig, Token
from syncline.sandbox.location.store import Document

UserType = Literal["Location", "Company"]


@dataclass(frozen=True, slots=True)
class Access:
    """An access token: what it may do, whose it is, how long it is good."""

    token: Token
    user_type: UserType
    expires_at: datetime


@dataclass(slots=True)
class Code:
    """A code that an install gave, to be exchanged once."""

    scopes: tuple[str, ...]
    redirect: str
    expires_at: datetime


@dataclass(slots=True)
class Refresh:
    """A refresh token, and what it was exchanged for when it was used."""

    scopes: tuple[str, ...]
    user_type: UserType
    used_at: datetime | None = None
    answer: Document | None = None
    uses: int = 0


@dataclass(slots=True)
class Account:
    """What the service keeps of its own.

    Attributes:
        installed_at: since when the app is installed; None while it is not.
        codes: those not exchanged yet, by their value; likewise `access` and `refresh`.
        providers: the white-label providers.
        ids: makes the ids of what callers make.
        secrets: makes tokens; not from the seed, so that no two sandboxes give out the same.
    """

    ids: random.Random
    installed_at: datetime | None = None
    codes: dict[str, Code] = field(default_factory=dict)
    access: dict[str, Access] = field(default_factory=dict)
    refresh: dict[str, Refresh] = field(default_factory=dict)
    providers: list[Document] = field(default_factory=list)
    secrets: random.Random = field(default_factory=random.Random)

    @classmethod
    def of(cls, config: SandboxConfig) -> Account:
        """That of a location to which nothing has happened yet."""
        return cls(random.Random(f"account {config.seed}"))
