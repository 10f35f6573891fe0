"""What is read of an event before it is stored: unfit fields are none, and none is an error."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline import jsontext
from syncline.highlevel.envelope import AHEAD, Envelope, read_envelope

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
AGE = timedelta(days=3)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def test_the_fields_around_an_event_are_read() -> None:
    body = (
        b'{"type":"OrderCreate","locationId":"loc","_id":"o","webhookId":"w",'
        b'"timestamp":"2026-11-24T12:00:00.123Z"}'
    )
    at = datetime(2026, 11, 24, 12, 0, 0, 123000, tzinfo=UTC)
    assert read_envelope(body) == Envelope("w", "OrderCreate", "loc", at)


def test_an_event_without_a_location_has_that_of_its_owner() -> None:
    assert read_envelope(b'{"altId":"loc"}').location_id == "loc"


@pytest.mark.parametrize(
    "unfit", [None, 7, [], {}, True, "", "with \x00 in it", "x" * 201, "\ud800"]
)
def test_a_field_that_is_no_text_postgresql_can_keep_counts_as_absent(unfit: object) -> None:
    names = ("webhookId", "type", "locationId", "timestamp")
    if unfit == "\ud800":
        body = "{{{}}}".format(",".join(f'"{name}":"\\ud800"' for name in names)).encode()
    else:
        body = jsontext.dumps(dict.fromkeys(names, unfit))
    found = read_envelope(body)
    assert found.key.startswith("sha256:")
    assert (found.type, found.location_id, found.sent_at) == (None, None, None)


def test_without_an_id_equal_bodies_are_one_event_and_others_are_another() -> None:
    assert read_envelope(b'{"a":1}') == read_envelope(b'{"a":1}')
    assert read_envelope(b'{"a":1}').key != read_envelope(b'{"a":2}').key


@given(JSON, JSON, JSON)
def test_any_json_has_an_envelope_that_can_be_stored(
    whole: object, one: object, two: object
) -> None:
    for document in (whole, {"webhookId": one, "timestamp": two, "type": one, "altId": two}):
        found = read_envelope(jsontext.dumps(document))
        assert 0 < len(found.key) <= 200
        assert "\x00" not in f"{found.key}{found.type}{found.location_id}"


@pytest.mark.parametrize(
    ("sent_at", "timely"),
    [
        (NOW, True),
        (NOW - AGE, True),
        (NOW - AGE - timedelta(seconds=1), False),
        (NOW + AHEAD, True),
        (NOW + AHEAD + timedelta(seconds=1), False),
        (datetime.min.replace(tzinfo=UTC), False),
        (datetime.max.replace(tzinfo=UTC), False),
        (None, True),
    ],
)
def test_an_event_of_another_time_is_told_by_its_timestamp(
    sent_at: datetime | None, timely: bool
) -> None:
    assert (Envelope("w", sent_at=sent_at).untimely(NOW, AGE) is None) is timely


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "24", "2026-13-01T00:00Z"]
)
def test_a_moment_that_no_calendar_holds_is_none(text: str) -> None:
    assert read_envelope(jsontext.dumps({"timestamp": text})).sent_at is None


def test_half_a_character_somewhere_hides_nothing_of_the_envelope() -> None:
    fields = {"webhookId": "w", "type": "OrderCreate", "locationId": "l", "note": "HALF"}
    body = jsontext.dumps({**fields, "timestamp": "2026-03-01T10:00:00Z"})
    found = read_envelope(body.replace(b"HALF", b"\\ud83d"))
    assert found == read_envelope(body)
    assert (found.key, found.location_id) == ("w", "l")
