"""What a sample of an event is about, and the values that its template may name."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from syncline.sandbox.generating.orders import Product
from syncline.sandbox.location.forms import (
    alphanumeric,
    digits_of,
    number,
    object_id,
    stamp,
    uuid4_text,
)
from syncline.sandbox.location.store import Document


@dataclass(frozen=True, slots=True)
class Scene:
    """What an event is about: somebody, something sold, and the place and time.

    Ids and other made-up figures are drawn anew each time they are asked for.
    """

    rng: random.Random
    now: datetime
    location: str
    company: str
    contact: Document
    product: Product
    currency: str

    @property
    def short_id(self) -> str:
        """An id of a contact, a user, a company."""
        return alphanumeric(self.rng)

    @property
    def long_id(self) -> str:
        """An id of what is sold or billed."""
        return object_id(self.rng, self.now)

    @property
    def uuid(self) -> str:
        """An id of a stage of a pipeline."""
        return uuid4_text(self.rng)

    @property
    def deal_value(self) -> int:
        """What a deal may bring in, in major units."""
        return self.rng.randrange(40, 4000)

    @property
    def invoice_number(self) -> str:
        """A number as invoices carry it."""
        return str(self.rng.randrange(1000, 9999))

    @property
    def contact_fields(self) -> Document:
        """The contact as its events show it."""
        return {key: value for key, value in self.contact.items() if key != "type"}

    @property
    def company_name(self) -> str:
        """The company of the contact; empty where it has none."""
        name: str = self.contact.get("companyName", "")
        return name

    @property
    def email(self) -> str:
        """The e-mail address of the contact; empty where it has none."""
        return self.contact["email"] or ""

    @property
    def recipient(self) -> str:
        """Who is mailed."""
        return self.email or "somebody@example.com"

    @property
    def recipient_domain(self) -> str:
        """Where the mail goes."""
        return self.recipient.rpartition("@")[2]

    @property
    def price_id(self) -> str:
        """The id of the product's price."""
        return self.product.price_ids[self.currency]

    @property
    def amount(self) -> Decimal | int:
        """What the product costs."""
        minor = self.product.prices[self.currency]
        return number(Decimal(minor).scaleb(-digits_of(self.currency)))

    @property
    def epoch_seconds(self) -> int:
        """The time in seconds since 1970."""
        return int(self.now.timestamp())

    def at(self, **shift: float) -> str:
        """A time, so far from now."""
        return stamp(self.now + timedelta(**shift))

    def day(self, days: int) -> str:
        """The date, so many days from today."""
        return (self.now.date() + timedelta(days=days)).isoformat()

    def share_of_amount(self, share: str) -> Decimal | int:
        """A share of what the product costs, in the currency's minor digits."""
        return number(self._share(share))

    def rest_of_amount(self, share: str) -> Decimal | int:
        """What such a share leaves of it."""
        return number(Decimal(self.amount) - self._share(share))

    def _share(self, share: str) -> Decimal:
        unit = Decimal(1).scaleb(-digits_of(self.currency))
        return (Decimal(self.amount) * Decimal(share)).quantize(unit)
