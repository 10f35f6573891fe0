"""What a flow is: what a record requests and needs first, and what the other side shall hold.

Flows are pure. They are given records and ids, and give back values; who reads, waits and sends
stands in the steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from syncline.errors import Unmappable
from syncline.highlevel.merging import CONTESTED, contested_in_words
from syncline.ledger.modes import HELD
from syncline.mapping.document import Document
from syncline.mapping.options import TestMode

LINK_TYPE = "syncline"
"""The `third_party_type` of every external link of ours."""


@dataclass(frozen=True, slots=True)
class RequestedDelivery:
    """A delivery that a record asks for.

    Attributes:
        flow: `customers`, `orders`, `payments`, `subscriptions`, or `details` for the reading of a
            record's detail.
        source_kind: the kind of the record that is rendered.
        source_id: the record, unique within the flow.
        role: which of the rows that the record makes.
        target: what is written, such as `client`, `order`, `payment`.
    """

    flow: str
    source_kind: str
    source_id: str
    role: str
    target: str


@dataclass(frozen=True, slots=True)
class Needs:
    """A delivery that must be confirmed before another can be rendered."""

    flow: str
    source_id: str
    role: str


@dataclass(frozen=True, slots=True)
class TargetIds:
    """A row of Halo that a delivery made or found.

    Attributes:
        id: Halo's id.
        client_id: the client it belongs to; its own id for a client.
        site_id: its site; the main site for a client.
        currency_id: Halo's id of the currency that it is in, where it has one.
        adopted: whether it existed in Halo before us. Such a row is used and never overwritten.
    """

    id: int
    client_id: int | None = None
    site_id: int | None = None
    currency_id: int | None = None
    adopted: bool = False

    @classmethod
    def stored(cls, target_id: str, meta: Mapping[str, Any] | None) -> TargetIds:
        """Read back what the ledger keeps of a row; what else is kept there is left out."""
        kept = meta or {}
        return cls(
            int(target_id),
            client_id=kept.get("client_id"),
            site_id=kept.get("site_id"),
            currency_id=kept.get("currency_id"),
            adopted=bool(kept.get("adopted")),
        )

    def meta(self) -> dict[str, Any]:
        """What the ledger keeps beside the id."""
        kept = {"client_id": self.client_id, "site_id": self.site_id, "adopted": self.adopted}
        return kept if self.currency_id is None else {**kept, "currency_id": self.currency_id}


@dataclass(frozen=True, slots=True)
class Desired:
    """What the other side shall hold.

    Attributes:
        body: the fields to write, at the create and at every update. None at all: nothing is to
            be written.
        projection: the fields that we own, normalised, as they are compared later.
        at_create: fields that only a create carries.
        note: the field that keeps in full what others are too short for; "" where there is none.
        in_full: the part of the note that does, where something was cut.
    """

    body: dict[str, Any]
    projection: dict[str, str]
    at_create: dict[str, Any] = field(default_factory=dict)
    note: str = ""
    in_full: str = ""

    def for_create(self) -> dict[str, Any]:
        """The element to post for a row that does not exist yet."""
        customfields = [*_custom(self.body), *_custom(self.at_create)]
        whole = {**self.body, **self.at_create}
        return {**whole, "customfields": customfields} if customfields else whole

    def for_update(self, target_id: int) -> dict[str, Any]:
        """The element to post for Halo's row of that id."""
        return {"id": target_id, **self.body}


class Difference(NamedTuple):
    """A field that the other side holds otherwise; an empty text means that it holds nothing."""

    field: str
    wanted: str
    got: str


def is_included(record: Mapping[str, Any], test_mode: TestMode, document: Document) -> bool:
    """Whether a record of HighLevel may be delivered, by whether real money stands behind it.

    Args:
        record: its canonical form; one that does not say is live.
        test_mode: what the mapping says of its flow's test rows.
        document: the connection's mapping, under the connection's mode.
    """
    is_test = record.get("live_mode") is False
    if document.only_test_rows:
        return is_test
    return test_mode == "include" or not is_test


def is_held(record: Mapping[str, Any], document: Document) -> bool:
    """Whether a record is live, and its connection in sandbox mode."""
    return document.only_test_rows and record.get("live_mode") is not False


def refuse_live(record: Mapping[str, Any], document: Document) -> None:
    """Keep a live record back while the connection is in sandbox mode, whoever requested it before.

    Raises:
        Unmappable: it is one.
    """
    if is_held(record, document):
        raise Unmappable(
            "This is a live record, and its connection is in sandbox mode.",
            field=HELD,
            remedy="Set the connection live with `syncline golive switch NAME`; it then goes by "
            "itself.",
        )


def refuse_contested(record: Mapping[str, Any]) -> None:
    """Write nothing of a record of which HighLevel says two things, neither of them newer.

    Raises:
        Unmappable: it is one.
    """
    said = contested_in_words(record)
    if said is not None:
        raise Unmappable(
            f"HighLevel says two things of the record: {said}.",
            field=next(iter(record[CONTESTED])),
            remedy="Correct the record in HighLevel; it goes on by itself when both agree.",
        )


def reference_of(source_id: str) -> str:
    """The text by which the row of an order, transaction or subscription is found again in Halo."""
    return f"HL-{source_id}"


def currency_id(currency: str | None, currencies: Mapping[str, int]) -> int:
    """Halo's id of a currency.

    Args:
        currency: ISO 4217.
        currencies: ISO 4217 → Halo's id of it on this tenant.

    Raises:
        Unmappable: if there is none.
    """
    if not currency:
        raise Unmappable(
            "The record has no currency.",
            field="currency_code",
            remedy="Correct the record in HighLevel, which names none, then retry.",
        )
    if currency not in currencies:
        raise Unmappable(
            f"Halo has no currency {currency}.",
            field="currency_code",
            remedy="Add the currency in Halo's configuration, then retry.",
        )
    return currencies[currency]


def external_link(reference: str, description: str) -> dict[str, Any]:
    """The link that a create carries, by which the row is found again.

    Source: Halo's ExternalLink_List, settable as `new_external_link`.
    """
    return {
        "third_party_id": reference,
        "third_party_type": LINK_TYPE,
        "third_party_desc": description,
    }


def _custom(body: Mapping[str, Any]) -> list[Any]:
    return list(body.get("customfields", ()))
