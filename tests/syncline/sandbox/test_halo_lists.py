from typing import Any

import pytest

from tests.syncline.sandbox.tenant_calls import TenantCalls, order, tenant


def filled(profile: str = "generous", count: int = 230) -> TenantCalls:
    halo = tenant(profile)
    for n in range(count):
        halo.made("SalesOrder", order(f"HL-{n:03}", 1))
        halo.pass_time(1)
    return halo


def test_a_page_holds_at_most_100_rows_and_the_count_is_right() -> None:
    halo = filled()
    pages = [
        halo.get("SalesOrder", pageinate="true", page_size="1000", page_no=str(page))
        for page in (1, 2, 3, 4)
    ]
    assert [len(page["salesorders"]) for page in pages] == [100, 100, 30, 0]
    assert {page["record_count"] for page in pages} == {230}
    assert len({row["id"] for page in pages for row in page["salesorders"]}) == 230


def test_without_pageinate_the_page_is_ignored_and_50_rows_come() -> None:
    halo = filled(count=60)
    first = halo.get("SalesOrder", page_no="2", page_size="10")
    assert len(first["salesorders"]) == 50
    assert len(halo.get("SalesOrder", count="7")["salesorders"]) == 7


def test_rows_are_ordered_by_a_field_and_details_are_left_out() -> None:
    halo = filled(count=3)
    rows = halo.get("SalesOrder", order="last_update_time", orderdesc="true")["salesorders"]
    assert [row["po_number"] for row in rows] == ["HL-002", "HL-001", "HL-000"]
    assert "lines" not in rows[0]
    unknown = halo.get("SalesOrder", order="nonsense", orderdesc="true")["salesorders"]
    assert [row["po_number"] for row in unknown] == ["HL-002", "HL-001", "HL-000"]
    assert halo.get("SalesOrder", idonly="true")["salesorders"][0] == {"id": rows[-1]["id"]}


def test_an_unknown_filter_returns_the_whole_tenant() -> None:
    halo = filled(count=3)
    assert halo.get("SalesOrder", po_number="HL-001")["record_count"] == 3


@pytest.mark.parametrize(("profile", "found"), [("generous", 1), ("plain", 1), ("awkward", 3)])
def test_search_finds_a_reference_unless_the_tenant_ignores_it(profile: str, found: int) -> None:
    halo = filled(profile, count=3)
    assert halo.get("SalesOrder", search="hl-001")["record_count"] == found


def users_of(halo: TenantCalls, **query: str) -> list[str]:
    rows: list[dict[str, Any]] = halo.get("Users", **query)["users"]
    return [row["emailaddress"] for row in rows]


def test_users_are_found_by_address_and_by_client() -> None:
    halo = tenant("plain")
    client, _ = halo.customer("a@x.org")
    halo.customer("b@x.org")
    assert users_of(halo, search="A@x.org") == ["a@x.org"]
    assert users_of(halo, client_id=str(client["id"])) == ["a@x.org"]


@pytest.mark.parametrize(("profile", "found"), [("generous", ["b@x.org"]), ("plain", None)])
def test_the_filter_by_update_time_is_heeded_by_some(profile: str, found: list[str] | None) -> None:
    halo = tenant(profile)
    halo.customer("a@x.org")
    halo.pass_time(60)
    since = halo.at.strftime("%Y-%m-%dT%H:%M:%SZ")
    halo.customer("b@x.org")
    assert users_of(halo, lastupdatefromdate=since) == (found or ["a@x.org", "b@x.org"])


def test_an_awkward_tenant_gives_the_first_page_of_clients_for_every_number() -> None:
    halo = tenant("awkward")
    for n in range(120):
        halo.made("Client", {"name": f"C{n}", "ref": f"R{n}."})
    pages = [halo.get("Client", pageinate="true", page_no=str(n)) for n in (1, 2)]
    assert pages[0]["clients"] == pages[1]["clients"]
    assert pages[0]["record_count"] == 121
    assert halo.get("Client", search="R119.")["clients"][0]["name"] == "C119"


LINK = {"third_party_id": "HL-9", "third_party_type": "syncline"}


def test_a_link_made_with_a_row_is_found_by_the_foreign_id() -> None:
    halo = tenant()
    row = halo.made("SalesOrder", order("HL-9", 1, new_external_link=LINK))
    links = halo.get("ExternalLink", third_party_id="HL-9", table_id="996")["links"]
    assert [link["halo_id"] for link in links] == [row["id"]]
    assert row["external_links"] == links
    assert halo.get("ExternalLink", third_party_id="HL-9", table_id="2")["links"] == []


def test_a_plain_tenant_stores_no_links() -> None:
    halo = tenant("plain")
    halo.made("SalesOrder", order("HL-9", 1, new_external_link=LINK))
    halo.made("ExternalLink", {**LINK, "table_id": 2, "halo_id": 1})
    assert halo.get("ExternalLink")["record_count"] == 0


def test_an_awkward_tenant_shows_a_link_after_its_delay() -> None:
    halo = tenant("awkward", link_delay=2)
    row = halo.made("SalesOrder", order("HL-9", 1, new_external_link=LINK))
    assert row["external_links"] == []
    halo.pass_time(1.9)
    assert halo.get("ExternalLink", third_party_id="HL-9")["links"] == []
    halo.pass_time(0.1)
    assert halo.get("ExternalLink", third_party_id="HL-9")["links"][0]["halo_id"] == row["id"]


def test_the_same_link_is_stored_once() -> None:
    halo = tenant("awkward")
    row = halo.made("SalesOrder", order("HL-9", 1, new_external_link=LINK))
    again = {"id": row["id"], "change_seq": row["change_seq"], "new_external_link": LINK}
    halo.made("SalesOrder", again)
    assert len(list(halo.halo.all_links())) == 1


def test_a_link_by_itself_needs_a_row_and_a_foreign_id() -> None:
    halo = tenant()
    link = halo.made("ExternalLink", {**LINK, "table_id": 2, "halo_id": 1})
    assert halo.get(f"ExternalLink/{link['id']}")["third_party_id"] == "HL-9"
    assert halo.post("ExternalLink", {**LINK, "table_id": 2, "halo_id": 77}).status == 400
    assert halo.post("ExternalLink", {"table_id": 2, "halo_id": 1}).status == 400
    assert halo.send("DELETE", f"/api/ExternalLink/{link['id']}").status == 200
    assert halo.get("ExternalLink")["record_count"] == 0
