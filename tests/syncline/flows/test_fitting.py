"""Texts end where Halo's columns end; whole they stand in the note."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline import jsontext
from syncline.errors import Unmappable
from syncline.flows.flow import Desired
from syncline.flows.texts.fitting import cut, fitted, units
from syncline.halo.entities.columns import COLUMNS, IDENTITIES
from syncline.mapping.shapes import FLOWS

TABLES = Path(__file__).parents[4] / "shared/apis/halo/tables.json"

LONG = "Anna " * 120 + "!"


def fit(resource: str, body: dict[str, Any], at_create: dict[str, Any], **ends: str) -> Desired:
    return fitted(resource, body, at_create, lambda _: {}, ends=ends)


def in_part(*texts: str) -> str:
    return "[Texts in full, kept by syncline]\n{}\n[End of texts in full]".format(
        "\n\n".join(texts)
    )


def test_a_name_of_601_characters_is_cut_and_kept_whole_in_the_note() -> None:
    body = {"name": LONG, "firstname": LONG, "emailaddress": "a@example.com"}
    wanted = fit("user", body, {"site_id": 4})
    assert (len(wanted.body["name"]), len(wanted.body["firstname"])) == (255, 200)
    assert wanted.body["name"].endswith("…")
    assert wanted.at_create["site_id"] == 4
    assert wanted.at_create["notes"] == in_part(f"name: {LONG}", f"firstname: {LONG}")
    assert (wanted.note, wanted.in_full) == ("notes", wanted.at_create["notes"])


def test_the_whole_text_stands_behind_the_note_that_the_mapping_writes() -> None:
    title = "x" * 501
    wanted = fit("order", {"title": title, "note": "Status: paid"}, {})
    assert wanted.body["note"] == f"Status: paid\n\n{in_part(f'title: {title}')}"
    assert wanted.at_create == {}
    wanted = fit("order", {"title": title}, {"note": "once"})
    assert wanted.at_create["note"] == f"once\n\n{in_part(f'title: {title}')}"


def test_a_text_that_only_a_create_carries_stands_in_the_note_where_no_update_changes_it() -> None:
    wanted = fit("order", {"summary": "s" * 4001}, {"title": "x" * 501, "note": "once"})
    paragraphs = ("once", f"title: {'x' * 501}", in_part(f"summary: {'s' * 4001}"))
    assert wanted.at_create["note"] == "\n\n".join(paragraphs)
    assert wanted.in_full == paragraphs[-1]
    assert fit("order", {}, {"title": "x" * 501}).in_full == ""


def test_a_line_and_a_link_are_cut_too() -> None:
    lines = [{"name": "Tea", "quantity": 1}, {"name": "y" * 4001, "quantity": 2}]
    wanted = fit(
        "invoice",
        {"lines": lines, "internal_note": ""},
        {"new_external_link": {"third_party_id": "HL-1", "third_party_desc": "z" * 4001}},
    )
    assert [len(line["name"]) for line in wanted.body["lines"]] == [3, 4000]
    assert wanted.body["internal_note"] == in_part(f"line 2 name: {'y' * 4001}")
    assert len(wanted.at_create["new_external_link"]["third_party_desc"]) == 4000
    assert len(lines[1]["name"]) == 4001  # type: ignore[arg-type]  # what was handed in stays


def test_the_end_that_tells_a_text_apart_stays_where_it_is_cut() -> None:
    name, apart = "n" * 4000, " (a@example.com)"
    wanted = fit("client", {"name": f"{name}{apart}"}, {}, name=apart)
    assert wanted.body["name"].endswith(f"n…{apart}")
    assert len(wanted.body["name"]) == 4000
    assert f"name: {name}{apart}" in wanted.at_create["notes"]


def test_a_text_that_would_be_kept_nowhere_is_asked_about() -> None:
    for body, at_create in (
        ({"sage50_reference": "x" * 1001}, {}),
        ({}, {"sage50_reference": "x" * 1001}),
    ):
        with pytest.raises(Unmappable, match="has 1001 characters, Halo holds 1000") as asked:
            fit("payment", body, at_create)
        assert asked.value.field == "sage50_reference"
        assert "mapping" in asked.value.remedy
    assert fit("payment", {"sage50_reference": "x" * 1000}, {}).in_full == ""


def test_no_row_of_ours_but_a_payment_is_without_a_note_for_what_is_cut() -> None:
    written = set(_RESOURCES.values())
    assert {name for name in written if not COLUMNS[name].note} == {"payment"}


@pytest.mark.parametrize(
    ("resource", "field", "length"),
    [("payment", "intent_id", 101), ("order", "po_number", 4001), ("user", "emailaddress", 4001)],
)
def test_what_identifies_a_row_is_never_cut(resource: str, field: str, length: int) -> None:
    with pytest.raises(Unmappable) as refused:
        fit(resource, {field: "x" * length}, {})
    assert refused.value.field == field


@given(st.text(max_size=40), st.integers(2, 30))
def test_a_cut_text_fits_as_the_database_counts(text: str, most: int) -> None:
    short = cut(text, most)
    assert len(short.encode("utf-16-le", "surrogatepass")) // 2 == units(short) <= most
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))


@given(st.dictionaries(st.sampled_from(["name", "firstname", "phonenumber"]), st.text()))
def test_what_fits_stays_as_it_is(body: dict[str, Any]) -> None:
    assert fit("user", body, {"site_id": 1}) == Desired(body, {}, {"site_id": 1}, note="notes")


def test_every_text_that_a_mapping_sets_in_halo_has_a_length_or_a_column_without_an_end() -> None:
    texts = {
        (_RESOURCES[flow, prefix], target.removeprefix(prefix))
        for flow, shape in FLOWS.items()
        for target, kind in shape.targets.items()
        if kind == "text" and shape.side == "Halo"
        for prefix in [shape.prefix_of(target)]
    }
    measured = {(resource, field) for resource, of in COLUMNS.items() for field in of.own}
    assert texts - measured == _ENDLESS


@pytest.mark.skipif(not TABLES.exists(), reason="Halo's database catalogue is not at hand")
def test_no_column_is_shorter_than_we_take_it_to_be() -> None:
    tables = jsontext.loads(TABLES.read_bytes())["tables"]
    columns = {
        name.lower(): (int(of.partition("(")[2].partition(")")[0]), table)
        for table, found in tables.items()
        for name, of in found["columns"].items()
        if of.startswith("NVARCHAR(") and "MAX" not in of
    }
    for resource, field, column in _COLUMNS:
        assert COLUMNS[resource].own[field] == columns[column.lower()][0], (resource, field)
    assert {field for _, field, _ in _COLUMNS} >= IDENTITIES - {"third_party_id"}


_RESOURCES = {
    ("orders", ""): "order",
    ("customers", "client."): "client",
    ("customers", "user."): "user",
    ("payments", "invoice."): "invoice",
    ("payments", "credit."): "invoice",
    ("payments", "payment."): "payment",
    ("subscriptions", ""): "recurring",
    ("alerts", ""): "ticket",
}
"""Flow and prefix of a mapping's targets → what they are of."""

_ENDLESS = {
    ("order", "note"),
    ("client", "notes"),
    *(("user", name) for name in ("notes", "phonenumber_preferred")),
    *(("invoice", name) for name in ("internal_note", "notes_1", "notes_2")),
    *(("recurring", name) for name in ("internal_note", "notes_1")),
}
"""Texts of columns without an end, and one that is the name of another field."""

_COLUMNS = [
    ("order", "po_number", "OHponumber"),
    ("order", "summary", "OHsummary"),
    ("order", "title", "OHtitle"),
    ("order", "accountsref", "OHAccountsRef"),
    ("order", "ship_status", "OHShipStatus"),
    ("order", "deladdress1", "ohdeladdress1"),
    ("invoice", "thirdpartyinvoicenumber", "IH3rdPartyInvoiceNumber"),
    ("invoice", "reference", "IHReference"),
    ("invoice", "payment_ref", "IHPayment_Ref"),
    ("invoice", "contactname", "IHContactName"),
    ("invoice", "creation_source", "IHCreationSource"),
    ("payment", "intent_id", "IPIntentID"),
    ("payment", "thirdpartyid", "ipthirdpartyid"),
    ("payment", "reference", "IPReference"),
    ("client", "name", "aareadesc"),
    ("client", "ref", "Aarearef"),
    ("client", "website", "AWebsite"),
    ("client", "colour", "acolour"),
    ("user", "name", "uusername"),
    ("user", "firstname", "uFirstName"),
    ("user", "surname", "uLastName"),
    ("user", "emailaddress", "uemail"),
    ("user", "phonenumber", "uextn"),
    ("user", "mobilenumber", "umobile"),
    ("ticket", "summary", "Symptom"),
    ("ticket", "category_1", "sectio_"),
    ("ticket", "category_2", "category2"),
    ("ticket", "client_reference", "CustomerRef"),
    ("integration_error", "entity_type", "IEEntityType"),
    ("integration_error", "endpoint", "IEEndpoint"),
    ("integration_error", "error", "IEError"),
]
