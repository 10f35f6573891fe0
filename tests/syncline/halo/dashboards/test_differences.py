"""What is ours of Halo's set-up, and what of it stands otherwise than wanted."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.errors import Unreadable
from syncline.halo.dashboards.custom_tables import LONGEST_CELL, db_name_of, rows_body, table_name
from syncline.halo.dashboards.differences import changes, with_ids
from syncline.halo.dashboards.objects import dashboard_body, html_widget, widget
from syncline.halo.models import NamedRow

FIGURES = '<b>{}</b><small class="figures">Figures of syncline for connection acme.</small>'
BODY = dashboard_body(
    "syncline acme",
    [
        widget("orders", "Orders", 0, (0, 0, 3, 2), report_id=5, column="Orders"),
        html_widget("figures", "Figures", (0, 2, 12, 4), FIGURES.format(1)),
    ],
)


def stands(**changed: Any) -> dict[str, Any]:
    widgets = [{**one, "id": at, "dashboardid": 9} for at, one in enumerate(BODY["widgets"], 70)]
    return {**BODY, "id": 9, "widgets": widgets, **changed}


def test_what_equals_is_no_change_however_it_is_written() -> None:
    odd = stands(is_published=None)
    odd["widgets"] = [
        {**one, "x": f"{one['x']}.0", "report_id": str(one.get("report_id", ""))}
        for one in reversed(odd["widgets"])
    ]
    odd["widgets"][0]["custom_html"] = FIGURES.format("other figures")
    assert changes(odd, BODY) == []
    assert changes({"id": 9}, BODY) == []  # what is not shown proves nothing


def test_every_edit_by_hand_is_told() -> None:
    edited = stands(name="Mine", is_published=True)
    edited["widgets"][0] |= {"x": 6, "title": "O"}
    edited["widgets"][1] |= {"custom_html": "<b>mine</b>"}
    edited["widgets"].append({"id": 99, "i": "clock", "title": "Clock"})
    told = {one.field: (one.stands, one.wanted) for one in changes(edited, BODY)}
    assert told["name"] == ("Mine", "syncline acme")
    assert told["is_published"] == ("true", "")
    assert told["widget orders x"] == ("6", "0")
    assert told["widget orders title"] == ("O", "Orders")
    assert told["widget figures custom_html"][0] == "<b>mine</b>"
    assert told["widget"] == ("Clock", None)
    del edited["widgets"][0]
    assert "widget orders" in {one.field for one in changes(edited, BODY)}


def test_a_widget_that_stands_is_sent_with_its_id() -> None:
    sent = with_ids(stands(), BODY)
    assert [one["id"] for one in sent["widgets"]] == [70, 71]
    assert "id" not in with_ids({"widgets": []}, BODY)["widgets"][0]


def test_a_remark_is_found_wherever_it_stands() -> None:
    row = NamedRow.of({"id": 1, "name": "n", "widgets": [{"custom_html": "<i>by acme (x).</i>"}]})
    assert row.carries("by acme (")
    assert not row.carries("by acme2 (")


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_table_name_is_letters_and_digits_and_no_two_names_share_one(
    one: str, other: str
) -> None:
    name = table_name("syncline", one)
    assert name.isascii()
    assert name.isalnum()
    assert (name == table_name("syncline", other)) == (one == other)


def test_cells_are_cut_and_a_strange_name_never_gets_into_sql() -> None:
    [row] = rows_body(3, [["a", "b" * 1000]])["_add_rows"]
    assert row == {"column_1": "a", "column_2": "b" * LONGEST_CELL}
    assert db_name_of({"db_name": "CTx1"}) == "CTx1"
    for strange in ("", "CTx]; DROP TABLE y", None):
        with pytest.raises(Unreadable):
            db_name_of({"db_name": strange})
