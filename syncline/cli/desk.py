"""What the commands work with; put in place by whoever runs them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import typer

from syncline.ledger.connections import Link
from syncline.quota.keys import QuotaKey
from syncline.settings import Settings
from syncline.steps.parts import Parts


@dataclass(frozen=True, slots=True)
class Desk:
    """How a command gets at the installation. Nothing is opened before a command asks.

    Attributes:
        settings: reads the settings.
        open: the parts for the length of a block, over running servers.
        quota_keys: the keys of HighLevel and of Halo that a connection uses.
    """

    settings: Callable[[], Settings]
    open: Callable[[], AbstractContextManager[Parts]]
    quota_keys: Callable[[Link], tuple[QuotaKey, QuotaKey]]


def desk(context: typer.Context) -> Desk:
    """The desk of a command."""
    found: Desk = context.find_root().obj
    return found
