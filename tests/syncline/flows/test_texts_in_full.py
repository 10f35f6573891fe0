"""Of a note, the part that keeps texts in full is ours; what people write around it stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.flows.customers import projection as of_customer
from syncline.flows.projections import INVOICE, ORDER, PAYMENT, RECURRING, differences, projection
from syncline.flows.texts.in_full import KEY, part_of, put_into, shown_in
from syncline.mapping.parsing import load
from syncline.mapping.shipped import default_document

FIRST, SECOND = part_of(["name: Ada"]), part_of(["name: Ada King", "firstname: Ada"])
DOCUMENT = load(default_document("detail"))


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_note_keeps_what_people_wrote_and_never_grows_by_the_same(note: str, text: str) -> None:
    part = part_of([f"name: {text}"])
    once = put_into(note, part)
    assert once.startswith(note.rstrip())
    assert put_into(once, part) == once
    assert put_into(put_into(once, SECOND), part) == once


def test_an_update_replaces_its_part_where_it_stands_and_takes_it_out_again() -> None:
    note = f"calls on Mondays\n\n{FIRST}\n\nlikes tea"
    changed = put_into(note, SECOND)
    assert changed == f"calls on Mondays\n\n{SECOND}\n\nlikes tea"
    assert put_into(changed, "") == "calls on Mondays\n\nlikes tea"
    assert put_into("likes tea\n", "") == "likes tea\n"
    assert put_into("", FIRST) == FIRST
    assert put_into(FIRST, "") == ""
    twice = f"{FIRST}\n\n{FIRST}"
    assert put_into(twice, SECOND) == SECOND


def test_a_text_that_holds_our_own_marks_is_still_one_part() -> None:
    part = part_of([f"name: {FIRST} and more"])
    assert put_into(put_into("note", part), SECOND) == f"note\n\n{SECOND}"


@pytest.mark.parametrize(
    "shown",
    [
        SECOND,
        SECOND.replace("\n", "\r\n"),
        "<p>" + SECOND.replace("\n", "<br />") + "</p>",
        f"before {SECOND} behind",
    ],
)
def test_a_part_is_known_however_a_tenant_shows_it(shown: str) -> None:
    assert shown_in(shown) == shown_in(SECOND) == {KEY: "name: Ada King firstname: Ada"}


@pytest.mark.parametrize("note", [None, "", 4, "likes tea", "[Texts in full, kept by syncline]"])
def test_a_note_without_it_shows_none(note: object) -> None:
    assert shown_in(note) == {}


@pytest.mark.parametrize(
    ("shape", "note"), [(ORDER, "note"), (INVOICE, "internal_note"), (RECURRING, "internal_note")]
)
def test_a_row_is_compared_by_the_part_and_not_where_somebody_took_it_out(
    shape: object, note: str
) -> None:
    wanted = {"total": "1.00", **shown_in(SECOND)}

    def different(text: str | None) -> list[str]:
        row = {"total": "1.00", note: text}
        got = projection(row, "USD", DOCUMENT, shape)  # type: ignore[arg-type]
        return [one.field for one in differences(wanted, got, ("total",))]

    assert different(f"mine {SECOND}") == different("mine") == different(None) == []
    assert different(FIRST) == [KEY]
    assert KEY not in projection({"note": SECOND}, "USD", DOCUMENT, PAYMENT)


def test_a_customer_is_compared_by_it_too() -> None:
    for role in ("client", "user"):
        got = of_customer({"name": "Ada", "notes": f"x {FIRST}"}, role, DOCUMENT)
        assert got == {"name": "Ada", KEY: "name: Ada"}
