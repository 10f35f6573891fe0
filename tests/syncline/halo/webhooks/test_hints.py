from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline import jsontext
from syncline.errors import Unreadable
from syncline.halo.webhooks.hints import MOST, ChangeHint, entity_named, hints

UNKNOWN = ChangeHint("unknown", None)

NAMES = {
    "salesorder": "New Sales Order - All",
    "consignment": "Consignment Created",
    "invoice": "Invoice Updated",
    "payment": "Invoice Payment Added",
    "ticket": "New Ticket Logged",
}


def of(document: Any) -> list[ChangeHint]:
    return hints(jsontext.dumps(document))


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        # our own kind, with numbers as text and as numbers
        (
            {"event": "New Sales Order", "entity": "salesorder", "id": "17"},
            ChangeHint("salesorder", 17),
        ),
        (
            {"event": "x", "entity": "Sales Order", "id": 17, "time": "now"},
            ChangeHint("salesorder", 17),
        ),
        ({"event": "x", "entity": "InvoicePayment", "id": 4.0}, ChangeHint("payment", 4)),
        # information of the event only: its own id is not the entity's
        (
            {
                "id": 9,
                "event_name": "Sales Order Updated - All",
                "webhook_id": "b1c0",
                "notification_id": 3,
                "object_id": 12,
            },
            ChangeHint("salesorder", 12),
        ),
        ({"Id": "9", "EventName": "InvoicePayment", "ObjectId": "12"}, ChangeHint("payment", 12)),
        # small and full objects
        ({"consignment": {"id": 8}}, ChangeHint("consignment", 8)),
        ({"sales_order": {"Id": "8"}, "client": {"id": 2}}, ChangeHint("salesorder", 8)),
        (
            {
                "event": "New Consignment",
                "webhook_id": "b1c0",
                "id": "b1c0",
                "consignment": {"id": 3, "salesorder_id": 7},
                "salesorder": {"id": 7},
            },
            ChangeHint("consignment", 3),
        ),
        ({"event": "Order Changed", "data": {"id": 5, "total": 3}}, ChangeHint("salesorder", 5)),
        ({"event": {"name": "?"}, "object": {"invoice": {"id": 6}}}, ChangeHint("invoice", 6)),
        ({"salesorder_id": 5}, ChangeHint("salesorder", 5)),
        ({"event": "New Ticket Logged", "ticket": {"id": 3}}, ChangeHint("ticket", 3)),
    ],
)
def test_every_documented_kind_of_body_says_which_entity_to_read(
    document: Any, expected: ChangeHint
) -> None:
    assert of(document) == [expected]
    assert of([document]) == [expected]
    assert of({"events": [document]}) == [expected]


def test_a_batch_says_each_entity_once_and_in_order() -> None:
    body = [
        {"entity": "salesorder", "id": 2},
        {"entity": "invoice", "id": 1},
        {"entity": "salesorder", "id": "2"},
    ]
    assert of(body) == [ChangeHint("salesorder", 2), ChangeHint("invoice", 1)]


def test_without_an_event_all_linked_objects_are_hints() -> None:
    body = {"invoice": {"id": 1}, "salesorder": {"id": 2}}
    assert set(of(body)) == {ChangeHint("invoice", 1), ChangeHint("salesorder", 2)}


@pytest.mark.parametrize(
    "document",
    [
        {},
        "text",
        7,
        None,
        {"event": "$EVENT", "entity": "$ENTITY", "id": "$ID"},
        {"entity": "salesorder"},
        {"entity": "salesorder", "id": -3},
        {"entity": "salesorder", "id": True},
        {"entity": "salesorder", "id": 1.5},
        {"entity": "salesorder", "id": 10**18 * 9 + 10**18},
        {"event": "Purchase Order Created", "id": 3},
        {"event": "Recurring Invoice Created", "id": 3},
        {"event": "Client Updated", "id": 3},
    ],
)
def test_what_names_no_row_of_ours_is_unknown_and_no_error(document: Any) -> None:
    assert of(document) == [UNKNOWN]


def test_each_unknown_part_of_a_batch_is_counted() -> None:
    assert of([{}, {}, {"entity": "invoice", "id": 1}]) == [
        UNKNOWN,
        UNKNOWN,
        ChangeHint("invoice", 1),
    ]
    assert of([]) == []


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"a=b", b"[" * 5000, b"NaN"])
def test_what_is_not_json_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        hints(body)


def test_a_huge_batch_is_cut_and_says_that_there_was_more() -> None:
    found = of([{"entity": "invoice", "id": at} for at in range(1, 5 * MOST)])
    assert len(found) == MOST
    assert found[-1] == UNKNOWN
    assert found[: MOST - 1] == [ChangeHint("invoice", at) for at in range(1, MOST)]


_KEYS = st.sampled_from(
    ["id", "object_id", "event", "entity", "salesorder", "invoice", "data", "events", "use", "Id"]
)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(list(NAMES.values())),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(_KEYS | st.text(max_size=8), inner, max_size=6)
    ),
    max_leaves=30,
)


@given(_JSON)
def test_any_json_gives_bounded_hints_with_whole_ids(document: Any) -> None:
    found = of(document)
    assert len(found) <= MOST
    for hint in found:
        assert (hint.id is None) == (hint.entity == "unknown")
        assert hint.id is None or 0 < hint.id < 2**63
    known = [hint for hint in found if hint != UNKNOWN]
    assert len(known) == len(set(known))


@given(st.binary(max_size=200))
def test_any_bytes_give_hints_or_are_unreadable(body: bytes) -> None:
    with contextlib.suppress(Unreadable):
        assert len(hints(body)) <= MOST


_SPELLINGS = st.sampled_from(["{}_id", "{}Id", "{}ID", "{}-id", "{} Id"])


@given(
    st.sampled_from(sorted(NAMES)),
    st.integers(1, 2**63 - 1),
    st.sampled_from(["object", "entity", "record"]),
    _SPELLINGS,
    st.sampled_from(
        ["event", "Event", "event_name", "eventName", "EventType", "notification-name"]
    ),
    st.booleans(),
)
def test_the_spelling_of_the_keys_does_not_matter(
    entity: str, number: int, key: str, spelling: str, event: str, as_text: bool
) -> None:
    body = {spelling.format(key): str(number) if as_text else number, event: NAMES[entity]}
    assert of(body) == [ChangeHint(entity, number)]  # type: ignore[arg-type]  # one of the names


@pytest.mark.parametrize("entity", sorted(NAMES))
def test_the_name_of_an_event_says_what_it_is_about(entity: str) -> None:
    assert entity_named(NAMES[entity]) == entity
    assert entity_named(NAMES[entity].upper()) == entity


def test_a_name_may_speak_of_nothing_of_ours() -> None:
    assert entity_named("Client Updated") is None
    assert entity_named("Supplier Order Created") == "unknown"
    assert entity_named("Border crossed") is None
