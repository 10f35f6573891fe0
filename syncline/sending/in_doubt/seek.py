"""Where and how one look-up looks."""

from __future__ import annotations

from dataclasses import dataclass

from syncline.calls.calls import ApiCalls
from syncline.calls.context import Line
from syncline.halo.capabilities import Capabilities
from syncline.sending.targets import Target


@dataclass(frozen=True, slots=True)
class Seek:
    """Where and how one look-up looks.

    Attributes:
        line: the connection.
        api: how Halo is asked.
        target: the kind of what is in doubt.
        known: what was known of the tenant when it began.
    """

    line: Line
    api: ApiCalls
    target: Target
    known: Capabilities
