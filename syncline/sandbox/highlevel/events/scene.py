"""What a sample of an event is made from, and what a sample is."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from syncline.sandbox.generating.orders import Product
from syncline.sandbox.location.forms import alphanumeric, digits_of, number, object_id, stamp
from syncline.sandbox.location.store import Document


@dataclass(frozen=True, slots=True)
class Scene:
    """What an event is about: somebody, something sold, and the place and time."""

    rng: random.Random
    now: datetime
    location: str
    company: str
    contact: Document
    product: Product
    currency: str

    def short_id(self) -> str:
        """An id of a contact, a user, a company."""
        return alphanumeric(self.rng)

    def long_id(self) -> str:
        """An id of what is sold or billed."""
        return object_id(self.rng, self.now)

    def at(self, **shift: float) -> str:
        """A time, so far from now."""
        return stamp(self.now + timedelta(**shift))

    @property
    def amount(self) -> Decimal | int:
        """What the product costs."""
        minor = self.product.prices[self.currency]
        return number(Decimal(minor).scaleb(-digits_of(self.currency)))


@dataclass(frozen=True, slots=True)
class Sample:
    """How the events of one type are made.

    Attributes:
        fields: what stands between the envelope's keys.
        located: whether the envelope names a location.
    """

    fields: Callable[[Scene], Document]
    located: bool = True


def each(fields: Callable[[Scene], Document], *kinds: str) -> dict[str, Sample]:
    """The same fields for several types."""
    return {kind: Sample(fields) for kind in kinds}
