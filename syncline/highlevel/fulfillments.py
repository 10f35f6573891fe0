"""Fulfillments of an order: list them, make one. None can be changed or taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from syncline.errors import Unreadable
from syncline.highlevel.client import HighLevelClient
from syncline.highlevel.models import Amount, Id, Part, Quantity, Record, is_id
from syncline.highlevel.pages import PageRecord, counted
from syncline.highlevel.resources import (
    Body,
    checked_id,
    each,
    naming,
    read_made,
    read_part,
    refuse_failed,
)
from syncline.leniency import Indispensable
from syncline.transport import Permit

Text = Annotated[str, StringConstraints(min_length=1)]

_SHOWS = ("data",)
"""What every success shows. Source: the schema of both operations."""


class NewTracking(Body):
    """Where a parcel can be followed: at least one of the three."""

    tracking_number: Text | None = None
    shipping_carrier: Text | None = None
    tracking_url: Text | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.tracking_number or self.shipping_carrier or self.tracking_url):
            raise ValueError("a tracking needs a number, a carrier or an address")
        return self


class NewItem(Body):
    """So many of one price of the order: the price's id is the only reference to a line."""

    price_id: Id
    qty: Annotated[Decimal, Field(gt=0, le=10**9, allow_inf_nan=False)]


class NewFulfillment(Body):
    """A fulfillment to make.

    Attributes:
        trackings: its parcels; may be none.
        items: what is sent, each price once; whether HighLevel refuses too many is not documented.
        notify_customer: whether HighLevel mails the buyer; always said, never a default.
    """

    trackings: tuple[NewTracking, ...]
    items: Annotated[tuple[NewItem, ...], Field(min_length=1)]
    notify_customer: bool

    @model_validator(mode="after")
    def _names_each_price_once(self) -> Self:
        if len({item.price_id for item in self.items}) < len(self.items):
            raise ValueError("a price is named twice; add the quantities up")
        return self


class Tracking(Part):
    """Where a parcel can be followed: by all of it, a fulfillment of ours is known again."""

    tracking_number: Indispensable[str | None] = None
    shipping_carrier: Indispensable[str | None] = None
    tracking_url: Indispensable[str | None] = None


class FulfilledItem(Part):
    """So many of one price.

    Source: the `_id` of an item is the price's. So is that of its `price`, which goes first: it
    cannot be the item's own.
    """

    price_id: Id = Field(alias="_id")
    name: str | None = None
    qty: Quantity

    @model_validator(mode="before")
    @classmethod
    def _by_its_price(cls, told: Any) -> Any:
        price = told.get("price") if isinstance(told, dict) else None
        price_id = price.get("_id") if isinstance(price, dict) else None
        return {**told, "_id": price_id} if isinstance(price_id, str) and is_id(price_id) else told


def _listed(told: object) -> object:
    """An array, of which one element may stand alone."""
    return [told] if isinstance(told, dict) else told


def _parcels(told: object) -> object:
    """The trackings of a fulfillment: there may be none, and one may be its number alone."""
    parcels = told if isinstance(told, list) else [told]
    return [one if isinstance(one, dict) else {"trackingNumber": one} for one in parcels if one]


class Fulfillment(Record):
    """A fulfillment as HighLevel has it; without its goods it says nothing."""

    kind = "fulfillment"

    # It has no money of its own, so nonsense in its place says nothing of it.
    currency: str | None = None
    amount: Amount = None
    trackings: Indispensable[Annotated[list[Tracking], BeforeValidator(_parcels)]] = Field(
        default_factory=list
    )
    items: Annotated[list[FulfilledItem], BeforeValidator(_listed)]


def list_fulfillments(
    client: HighLevelClient, permit: Permit, order_id: str
) -> list[PageRecord[Fulfillment]]:
    """All fulfillments of an order; there are no pages.

    Raises:
        Absent: there is no such order in the location.
        UnknownName: `order_id` cannot be an id; nothing is sent then.
        Unreadable: the answer says that it failed or is a part, or holds no fulfillments, or one
            that cannot be read: what it does not show may be there, and would be made twice.

    Source: GET /payments/orders/{orderId}/fulfillments.
    """
    document = client.call("GET", path_of(order_id), permit=permit, shows=_SHOWS).document
    with naming(permit):
        refuse_failed(document, document.get("data"), "list of fulfillments")
        rows = each(document.get("data"), "fulfillments")
        _refuse_part(document, rows)
        return [_row(read_part(Fulfillment, row, "A fulfillment"), row) for row in rows]


def create_fulfillment(
    client: HighLevelClient, permit: Permit, order_id: str, body: NewFulfillment
) -> PageRecord[Fulfillment]:
    """Make a fulfillment; a second call makes a second one: no key makes it safe to repeat.

    Raises:
        Absent: there is no such order in the location, or it holds no such price.
        Doubtful: whether it was made is unknown: read the list.
        Rejected: HighLevel refuses it.
        UnknownName: `order_id` cannot be an id; nothing is sent then.

    Source: POST /payments/orders/{orderId}/fulfillments.
    """
    received = client.call(
        "POST", path_of(order_id), permit=permit, body=body.document(), shows=_SHOWS
    )
    with naming(permit):
        made: Any = received.document.get("data")
        read = read_made(Fulfillment, received.document, made, "The fulfillment that was made")
        return _row(read, made)


def path_of(order_id: str) -> str:
    """Where the fulfillments of an order stand.

    Raises:
        UnknownName: `order_id` cannot be an id.
    """
    return f"/payments/orders/{checked_id(order_id)}/fulfillments"


def _refuse_part(document: Mapping[str, Any], rows: Sequence[Any]) -> None:
    """Refuse a list that counts more than it holds; no count is documented, since no pages are."""
    count = max(counted(document.get(name)) or 0 for name in ("totalCount", "total", "count"))
    if count > len(rows):
        raise Unreadable(
            f"HighLevel's list of fulfillments holds {len(rows)} of {count}.",
            remedy="Look at the order in HighLevel.",
        )


def _row(read: Fulfillment, payload: dict[str, Any]) -> PageRecord[Fulfillment]:
    return PageRecord(read.id, payload, read)
