from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.errors import BadDocument
from syncline.mapping.parsing import load
from syncline.mapping.shipped import default_document

GOOD_ROW = '[[orders.field]]\ntarget = "note"\nsource = "status"\n'


def refused(text: str) -> BadDocument:
    with pytest.raises(BadDocument) as raised:
        load(text)
    assert raised.value.remedy
    if raised.value.line is not None:
        assert f"line {raised.value.line}" in str(raised.value)
    return raised.value


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[orders\n", 1, "not TOML"),
        ('# comment\n[orders]\nlines = "detail\n', 3, "not TOML"),
        ('[orders]\nlines = "details"', 2, "'detail' or 'summary'"),
        ('[orders]\n\nline = "detail"', 3, "did you mean lines"),
        ('[order]\nlines = "detail"', 1, "did you mean orders"),
        ("[orders]\nadjustment_limit = -1", 2, "adjustment_limit"),
        ('[orders]\nadjustment_limit = "much"', 2, "adjustment_limit"),
        ('[customers]\nwithout_email = "default-client"', 2, "needs default_client"),
        ("[customers]\ndefault_client = true", 2, "default_client"),
        ("[fulfillments]\nhold_for = 120", 2, "hold_for"),
        ('[fulfillments]\nhold_for = "soon"', 2, "a whole number and one of"),
        ('[fulfillments]\nreturns = "post"', 2, "returns"),
        ('[orders]\nchanged_in_halo = "keep"', 2, "'overwrite' or 'report'"),
        (
            '[[fulfillments.field]]\ntarget = "tracking.numbers"\nsource = "note"',
            2,
            "HighLevel has no field",
        ),
        ('[[fulfillments.field]]\ntarget = "tracking.url"\nsource = "carrier"', 3, "no 'carrier'"),
        ("[[orders.field]]\ntarget = 3", 2, "a valid string"),
        ('[customers]\ndefault_client = "12"', 2, "default_client"),
        (GOOD_ROW + 'shape = "x"', 4, "orders.field.shape is unknown"),
        (GOOD_ROW + 'owner = "me"', 4, "'highlevel' or 'halo'"),
        (GOOD_ROW + 'type = "words"', 4, "type"),
        (GOOD_ROW + 'type = "number"', 4, "note takes text, not number"),
        (GOOD_ROW + 'required = "yes"', 4, "required"),
        ('\n[[orders.field]]\nsource = "status"', 2, "target is missing"),
        ('[[orders.field]]\ntarget = "notes"\nsource = "status"', 2, "did you mean note"),
        ('[[orders.field]]\ntarget = "po_number"\nsource = "id"', 2, "reference"),
        ('[[orders.field]]\ntarget = "lines"\nsource = "items"', 2, "option lines"),
        ('[[orders.field]]\ntarget = "note"', 1, "needs a source"),
        (GOOD_ROW + "\n" + GOOD_ROW, 6, "already set"),
        (GOOD_ROW + 'transform = "shout"', 4, "no transform 'shout'"),
        (GOOD_ROW + 'transform = { use = "join", wit = "x" }', 4, "wit"),
        (GOOD_ROW + 'transform = { use = "default" }', 4, "value"),
        (GOOD_ROW + 'transform = { use = "text", before = 3 }', 4, "before"),
        (GOOD_ROW + 'transform = { use = "lookup", table = "words" }', 4, "tables.words"),
        ('[[orders.field]]\ntarget = "note"\nsource = "statu"', 3, "no 'statu'"),
        ('[[orders.field]]\ntarget = "note"\nsource = "status.text"', 3, "below a plain value"),
        ('[[orders.field]]\ntarget = "note"\nsource = "items.name"', 3, "[].name"),
        ('[[orders.field]]\ntarget = "note"\nsource = "status[].x"', 3, "reads a list"),
        ('[[orders.field]]\ntarget = "note"\nsource = "items[].nam"', 3, "no 'nam'"),
        ('[[orders.field]]\ntarget = "note"\nsource = "items[?qt > `1`].name"', 3, "no 'qt'"),
        ('[[orders.field]]\ntarget = "note"\nsource = "loin(items)"', 3, "no function"),
        ('[[orders.field]]\ntarget = "note"\nsource = "items[["', 3, "no path"),
        ('[[orders.field]]\ntarget = "note"\nsource = ["id", "status"]', 3, "join"),
        ('[[customers.field]]\ntarget = "user.title"\nsource = "amount"', 3, "no 'amount'"),
        (
            '[[customers.field]]\ntarget = "user.customfields.CFa"\nsource = "id"\ntype = "money"',
            4,
            "no currency",
        ),
        (
            f'{GOOD_ROW}transform = {{ use = "text", before = """\nx = 1\n""" }}\nz = 1',
            7,
            "unknown",
        ),
    ],
)
def test_what_is_wrong_in_a_document_is_said_with_its_line(text: str, line: int, says: str) -> None:
    error = refused(text)
    assert (error.line, says in error.what) == (line, True), error.what


@pytest.mark.parametrize(
    "source",
    [
        "contact.email",
        "items[].name",
        "items[0].price_id",
        "items[?qty > `1`].name | [0]",
        "length(items)",
        "join(', ', items[].name)",
        "sort_by(items, &name)[0].name",
        "contact.[name, email]",
        "contact.{a: name}",
        "contact.*",
        "items[0:2].name",
        "status || fulfillment_status",
        "tracking_numbers",
        "fulfillments[].trackings[].number",
    ],
)
def test_every_path_that_leads_somewhere_is_accepted(source: str) -> None:
    load(f'[[orders.field]]\ntarget = "note"\nsource = "{source}"')


def test_the_shipped_document_loads_in_both_styles() -> None:
    assert load(default_document("detail")).orders.lines == "detail"
    assert load(default_document("summary")).orders.lines == "summary"


@pytest.mark.parametrize("source", ["note", "order.note", "order.customfields.CFanything"])
def test_tracking_is_read_from_the_consignment_or_its_order(source: str) -> None:
    load(f'[[fulfillments.field]]\ntarget = "tracking.number"\nsource = "{source}"')


def test_options_are_written_over_the_shipped_ones_and_their_comments_stay() -> None:
    text = default_document(
        "summary",
        {
            "orders": {"test_mode": "include"},
            "customers": {"without_email": "default-client", "default_client": 12},
        },
    )
    document = load(text)
    assert (document.orders.lines, document.orders.test_mode) == ("summary", "include")
    assert document.customers.default_client == 12
    assert text.count("#") == default_document("detail").count("#")


def test_a_section_that_the_shipped_document_lacks_is_added() -> None:
    text = default_document("detail", {"tables": {}, "tables.words": {"paid": 'Bezahlt "bar" ü'}})
    assert "words" in text
    load(text)


def test_an_empty_document_means_the_defaults() -> None:
    document = load("")
    assert document.orders.adjustment_limit == Decimal("0.05")
    assert document.rows["orders"] == ()


@given(st.text(max_size=200))
def test_no_text_at_all_breaks_the_loading(text: str) -> None:
    with suppress(BadDocument):
        load(text)


@given(st.text(max_size=40))
def test_no_source_at_all_breaks_the_loading(source: str) -> None:
    with suppress(BadDocument):
        load(f'[[orders.field]]\ntarget = "note"\nsource = {json.dumps(source)}')
