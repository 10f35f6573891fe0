from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.errors import Unmappable
from syncline.flows import fulfillments
from syncline.flows.fulfillment_projections import projection_of
from syncline.flows.fulfillments import Hold, Nothing, Shipment
from syncline.flows.lines import EXTRAS, item_reference, lines_of
from syncline.flows.texts.fitting import cut
from syncline.halo.entities.columns import COLUMNS
from syncline.highlevel.fulfillments import Fulfillment
from syncline.mapping.document import Document
from syncline.mapping.parsing import load
from syncline.mapping.shipped import default_document
from syncline.parcels.notes import Parcel

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MUG = {"key": "p1", "price_id": "p1", "name": "Mug", "qty": "2"}
ORDER: dict[str, Any] = {
    "id": "o1",
    "items": [MUG, {**MUG, "key": "p1#2", "qty": "1"}, {"key": "p2", "price_id": "p2", "qty": "5"}],
}


def consignment(*lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "17", "order_id": "o1", "is_return": False, "lines": list(lines), **more}


def line(key: str = "p1", qty: str = "1", **more: Any) -> dict[str, Any]:
    return {"line_id": 3, "key": key, "name": "Mug", "qty": qty, **more}


def shown(number: str = "f1", tracking: str | None = None, **quantities: Any) -> Fulfillment:
    return Fulfillment.model_validate(
        {
            "_id": number,
            "createdAt": "2026-03-01T10:00:00Z",
            "trackings": [{"trackingNumber": tracking}] if tracking else [],
            "items": [{"_id": price, "qty": qty} for price, qty in quantities.items()],
        }
    )


def document(text: str = "", **options: Any) -> Document:
    if text:
        return load(text)
    return load(default_document("detail", {"fulfillments": options} if options else {}))


def render(canonical: dict[str, Any], *already: Fulfillment, **more: Any) -> Any:
    arguments = {"document": document(), "now": NOW, "first_seen": NOW, "order": ORDER, **more}
    return fulfillments.render(canonical, shipped=already, **arguments)


def test_a_price_is_named_once_with_the_sum_of_its_lines() -> None:
    both = consignment(line(qty="2"), line("HL-p1#2"), line("p2", "3.0"), note="Tracking: 1Z9")
    made = render(both)
    assert made == Shipment(
        {"p1": Decimal(3), "p2": Decimal("3.0")}, (Parcel("1Z9", "", ""),), notify_customer=False
    )
    assert made.projection() == {"items": "3 \u00d7 p1, 3 \u00d7 p2", "trackings": "1Z9 |  | "}


def test_several_parcels_stand_beside_their_addresses_and_one_carrier_stands_for_all() -> None:
    note = "Tracking: 1Z1, 1Z2\r\nCarrier: UPS \r\nTracking URL: https://x.example/1Z1\r\n"
    assert render(consignment(line(), note=note)).parcels == (
        Parcel("1Z1", "UPS", "https://x.example/1Z1"),
        Parcel("1Z2", "UPS", ""),
    )


@pytest.mark.parametrize(
    ("note", "numbers"),
    [
        ("Tracking: 1Z1\nTracking: 1Z2", ["1Z1", "1Z2"]),
        ("tracking number : ab-12", ["ab-12"]),
        ("  TRACKING NO.: 7; 8", ["7", "8"]),
        ("Tracking: https://x.example/1", [""]),
        ("We have no tracking for this: sorry", []),
        ("", []),
    ],
)
def test_the_shipped_mapping_reads_tracking_from_lines_of_the_note(
    note: str, numbers: list[str]
) -> None:
    made = fulfillments.wanted(consignment(line(), note=note), ORDER, document())
    assert made is not None
    assert [parcel.number for parcel in made.parcels] == numbers


def test_tracking_may_come_from_fields_of_the_order_and_the_carrier_from_a_table() -> None:
    text = """
    [[fulfillments.field]]
    target = "tracking.number"
    source = "order.customfields.CFtracking"
    transform = { use = "find", pattern = "([A-Z0-9]+)" }
    [[fulfillments.field]]
    target = "tracking.carrier"
    source = "order.customfields.CFcarrier"
    transform = { use = "lookup", table = "carriers" }
    [tables.carriers]
    1 = "UPS"
    """
    fields = {"CFtracking": "1Z1 1Z2", "CFcarrier": "1"}
    made = render(consignment(line(), order={"customfields": fields}), document=document(text))
    assert made.parcels == (Parcel("1Z1", "UPS", ""), Parcel("1Z2", "UPS", ""))


def test_a_carrier_alone_is_no_tracking() -> None:
    assert isinstance(render(consignment(line(), note="Carrier: UPS")), Hold)


def test_without_tracking_it_is_held_from_when_it_was_first_seen() -> None:
    seen = NOW - timedelta(hours=1)
    assert render(consignment(line()), first_seen=seen) == Hold(seen + timedelta(hours=2))
    assert isinstance(render(consignment(line()), first_seen=NOW - timedelta(hours=2)), Shipment)
    short = document(hold_for="0 minutes", notify_customer=True)
    assert render(consignment(line()), document=short).notify_customer


@pytest.mark.parametrize(
    ("canonical", "already", "says"),
    [
        (
            consignment(line(qty="2"), is_return=True),
            [],
            "A return of 2 \u00d7 'Mug': HighLevel has",
        ),
        (
            consignment(line(qty="2"), line(name="Cup", is_return=True), is_return=True),
            [],
            "A return of 1 \u00d7 'Cup' beside a shipment of 2 \u00d7 'Mug': HighLevel has",
        ),
        (consignment(line("p9")), [], "has no item 'Mug'"),
        (consignment(line(qty="-1")), [], "The quantity of 'Mug' is -1"),
        (consignment(line(qty="2"), line(qty="-1")), [], "The quantity of 'Mug' is -1"),
        (consignment(line(qty="many")), [], "lines.quantity"),
        (
            consignment(line(qty="2")),
            [shown(p1=1), shown("f2", p1=1)],
            "More than was ordered of 'Mug': ordered 3, shipped already 2, this one 2",
        ),
    ],
)
def test_what_cannot_be_posted_says_why(
    canonical: dict[str, Any], already: list[Fulfillment], says: str
) -> None:
    with pytest.raises(Unmappable) as raised:
        render(canonical, *already)
    assert says in str(raised.value)


def test_a_shipment_of_lines_that_we_made_says_that_nothing_of_it_can_be_shipped() -> None:
    made = render(consignment(line("HL-shipping", name="Post"), line("discount", name="Ten off")))
    assert isinstance(made, Nothing)
    assert made.why.endswith("it holds only 'Post', 'Ten off'.")
    assert render(consignment(line(qty="0"))) == Nothing()
    assert render(consignment(line()), document=document(into="none")) == Nothing()


SOLD: dict[str, Any] = {
    **ORDER,
    "currency": "USD",
    "amount": "46",
    "discount": "4",
    "items": [{**one, "unit_price": "5"} for one in ORDER["items"]],
    "shipping": "10",
}


def of_halo(kept: bool) -> list[dict[str, Any]]:
    """The lines of the order as a consignment shows them; our reference, if the tenant keeps it."""
    return [
        {
            "line_id": at,
            "name": one["name"],
            "unit_price": str(one["baseprice"]),
            "qty": str(one["quantity"]),
            **({"key": one["item_external_reference"]} if kept else {}),
            **({} if kept or at > 2 else {"price_id": SOLD["items"][at]["price_id"]}),
        }
        for at, one in enumerate(lines_of(SOLD, document().orders))
    ]


@pytest.mark.parametrize("kept", [True, False])
def test_a_consignment_of_all_lines_ships_the_items_and_not_what_we_wrote_beside_them(
    kept: bool,
) -> None:
    lines = of_halo(kept)
    assert [one["name"] for one in lines[3:]] == ["Discount", "Shipping"]
    made = render(consignment(*lines, note="Tracking: 1"), order=SOLD)
    assert made.items == {"p1": Decimal(3), "p2": Decimal(5)}
    assert isinstance(render(consignment(*lines[3:]), order=SOLD), Nothing)


@pytest.mark.parametrize(
    "foreign",
    [
        {"name": "Discount", "unit_price": "-3", "qty": "1"},  # a person's own, of another amount
        {"name": "Discount", "qty": "1"},
        {"name": "Installation", "unit_price": "10", "qty": "1"},
        {"key": "HL-order", "name": "Order HL-o1", "qty": "1"},
    ],
)
def test_a_line_that_somebody_else_wrote_asks_a_person_whatever_it_is_called(
    foreign: dict[str, Any],
) -> None:
    with pytest.raises(Unmappable, match="has no item"):
        render(consignment(*of_halo(kept=True), foreign), order=SOLD)


def test_a_line_is_of_the_item_whose_reference_or_whose_name_alone_it_has() -> None:
    long = {"key": "p5", "name": "A lamp " * 50}
    items = [MUG, {**MUG, "key": "p1#2"}, long]
    assert fulfillments.item_of("p1#2", "Mug", items) == items[1]
    assert fulfillments.item_of("", "Mug", items) is None
    assert (
        fulfillments.item_of("", cut(long["name"], COLUMNS["order"].lines["name"]), items) == long
    )
    assert fulfillments.item_of("", "A lamp", items) is None
    assert fulfillments.item_of("", "", items) is None


def test_an_item_that_is_called_like_a_line_of_ours_is_goods() -> None:
    voucher = {"key": "p7", "price_id": "p7", "name": "Discount", "qty": "1", "unit_price": "-4"}
    order = {**SOLD, "items": [voucher], "amount": "2"}
    sold = {"key": "p7", "name": "Discount", "unit_price": "-4", "qty": "1"}
    assert render(consignment(sold, note="Tracking: 1"), order=order).items == {"p7": Decimal(1)}
    unknown = {"name": "Discount", "unit_price": "-4", "qty": "1"}
    with pytest.raises(Unmappable, match="has no item"):
        render(consignment(unknown), order=order)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "discount": st.sampled_from(["0", "4"]),
            "shipping": st.sampled_from(["0", "10"]),
            "tax": st.sampled_from(["0", "3.5"]),
            "amount": st.sampled_from(["46", "46.03", "40", "0"]),
        },
    )
)
def test_every_line_that_is_written_is_an_items_or_one_that_is_known_to_be_none(
    more: dict[str, Any],
) -> None:
    order = {**SOLD, "discount": "0", "shipping": "0", **more}
    try:
        lines = lines_of(order, document(hold_for="0 minutes").orders)
    except Unmappable:
        return
    items = {item_reference(item) for item in order["items"]}
    assert {one["item_external_reference"] for one in lines} - items <= EXTRAS


def test_what_the_rows_find_goes_before_the_note_which_tells_at_most_the_carrier() -> None:
    text = """
    [[fulfillments.field]]
    target = "tracking.number"
    source = "order.customfields.CFtracking"
    """
    note = "FedEx 986578788855, UPS 1Z9"
    fields = {"order": {"customfields": {"CFtracking": "986578788855"}}}
    by_row = render(consignment(line(), note=note, **fields), document=document(text))
    assert by_row.parcels == (Parcel("986578788855", "FedEx", ""),)
    by_note = render(consignment(line(), note=note), document=document(text))
    assert by_note.parcels == (Parcel("986578788855", "FedEx", ""),)
    sure = {"order": {"customfields": {"CFtracking": "1Z999AA10123456784"}}}
    by_form = render(consignment(line(), **sure), document=document(text))
    assert by_form.parcels == (Parcel("1Z999AA10123456784", "UPS", ""),)
    unread = document(tracking_in_note=False)
    assert isinstance(render(consignment(line(), note=note), document=unread), Hold)


def test_a_consignment_owes_one_fulfillment_and_none_where_the_mapping_says_so() -> None:
    [requested] = fulfillments.delivery_requests(consignment(), document())
    assert (requested.flow, requested.source_id, requested.role, requested.target) == (
        "fulfillments",
        "17",
        "fulfillment",
        "fulfillment",
    )
    assert fulfillments.delivery_requests(consignment(), document(into="none")) == []


def test_a_change_of_what_was_posted_is_told_with_before_and_after() -> None:
    posted = projection_of(shown(p1=1))
    now = consignment(line(qty="2"), note="Tracking: 1Z1")
    found, error = fulfillments.edits(now, ORDER, document(), posted, "f1")
    assert [(one.field, one.got) for one in found] == [("items", "1 \u00d7 p1"), ("trackings", "")]
    assert "items: posted 1 \u00d7 p1, now 2 \u00d7 p1; trackings: posted none, now 1Z1" in str(
        error
    )
    returned, error = fulfillments.edits(
        {**now, "is_return": True}, ORDER, document(), posted, "f1"
    )
    assert (len(returned), "f1" in str(error)) == (1, True)
    same = fulfillments.edits(consignment(line()), ORDER, document(), posted, "f1")
    assert same == ([], None)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=6), st.lists(st.integers(1, 3), max_size=4))
def test_never_more_leaves_than_was_ordered(parts: list[int], by_hand: list[int]) -> None:
    already = [shown(f"h{at}", p2=qty) for at, qty in enumerate(by_hand)]
    for at, qty in enumerate(parts):
        try:
            made = render(consignment(line("p2", str(qty)), note="Tracking: 1"), *already)
        except Unmappable:
            continue
        already.append(shown(f"f{at}", p2=made.items["p2"]))
    assert sum(one.items[0].qty for one in already) <= max(5, sum(by_hand))
