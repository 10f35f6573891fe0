from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from typing_extensions import override

from syncline.mapping.describe import DescribedFlow, Example, describe
from syncline.mapping.parsing import load
from syncline.mapping.shapes import FLOWS
from syncline.mapping.shipped import default_document
from syncline.mapping.show import html, markdown
from syncline.parcels.numbers import FORMS
from syncline.parcels.words import PARCELS

NASTY = "<script>alert('x')</script> | a`b\n*bold* [x](y) & _u_"

TEXT = """
[[orders.field]]
target = "note"
source = ["status", "coupon"]
transform = [{ use = "join", with = " | " }, "upper"]

[[orders.field]]
target = "date"
source = "created_at"
required = true
owner = "halo"

[[orders.field]]
target = "title"
source = "coupon"
"""


def described(*records: dict[str, Any]) -> DescribedFlow:
    [flow] = describe(load(TEXT), {"orders": records}, ["orders"])
    return flow


def test_a_row_is_said_in_words_with_what_it_reads_and_writes() -> None:
    note, date, title = described({"status": "paid", "created_at": "2026-03-01"}).rows
    assert (note.source, note.transform) == ("status, coupon", 'join, with " | ", then upper')
    assert (date.type, date.required, date.owner) == ("date", True, "halo")
    assert note.example == Example("paid, nothing", "PAID")
    assert date.example == Example("2026-03-01", "2026-03-01T00:00:00Z")
    assert title.example is None


def test_the_first_record_that_has_a_value_is_the_example() -> None:
    rows = described({"status": "open"}, {"status": "paid", "coupon": "SUMMER"}).rows
    assert rows[2].example == Example("SUMMER", "SUMMER")


def test_a_value_that_would_park_says_so() -> None:
    rows = described({"created_at": "yesterday"}).rows
    assert rows[1].example is not None
    assert rows[1].example.written.startswith("parked: date is 'yesterday'")


def test_every_flow_tells_its_options_and_what_it_fills() -> None:
    flows = describe(load(default_document("detail")), {})
    assert [flow.name for flow in flows] == list(FLOWS)
    for flow in flows:
        assert all(option.value and option.meaning for option in flow.options)
        assert {one.target for one in flow.filled} == set(FLOWS[flow.name].filled)
    targets = [row.target for row in flows[list(FLOWS).index("payments")].rows]
    assert targets[:2] == ["invoice.invoice_date", "invoice.internal_note"]


def test_the_forms_in_which_a_tracking_number_is_taken_from_a_note_are_shown() -> None:
    flows = {one.name: one for one in describe(load(default_document("detail")), {})}
    shown = {one.name: one.value for one in flows["fulfillments"].options}
    for form in FORMS:
        assert f"{form.carrier}: {form.told}" in shown.values()
    assert {"UPS", "FedEx", "DHL", "USPS", "Royal Mail", "DPD"} <= set(
        shown["tracking names"].split(", ")
    )
    assert shown["tracking words"].split(", ") == list(PARCELS)


class Read(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    @override
    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_shows_values_as_they_are_and_loads_nothing() -> None:
    page = html(NASTY, [described({"status": NASTY, "coupon": NASTY})])
    read = Read()
    read.feed(page)
    assert NASTY in read.text
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in read.tags}
    assert not any({"src", "href"} & attributes.keys() for _, attributes in read.tags)
    assert "color-scheme: light dark" in page


def test_every_row_of_a_markdown_table_has_as_many_cells_as_its_head() -> None:
    page = markdown(NASTY, [described({"status": NASTY, "coupon": NASTY})])
    tables = re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE)
    assert len(tables) == 3
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table
    assert "<script" not in page


def test_the_same_document_gives_the_same_page() -> None:
    pages = {html("acme", describe(load(default_document("detail")), {})) for _ in range(3)}
    assert len(pages) == 1
