"""Which events of Halo a webhook is bound to, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Entity = Literal["salesorder", "consignment", "invoice", "payment", "ticket", "unknown"]

WANTED: tuple[Entity, ...] = ("salesorder", "payment", "consignment")
"""What we want to hear of: the rest follows from reading these."""


@dataclass(frozen=True, slots=True)
class BindableEvent:
    """An event of this tenant that a webhook can be bound to: its number, and what it tells of."""

    number: int
    name: str
    entity: Entity
