from typing import Any

import pytest

from tests.syncline.sandbox.tenant_calls import TenantCalls, tenant

PROFILES = ["generous", "plain", "awkward"]
QUIET = {"_dont_fire_automations": True, "sendack": False}
LINK = {"third_party_id": "HL-a1", "third_party_type": "syncline"}


def ticket(halo: TenantCalls, **fields: Any) -> dict[str, Any]:
    return halo.made("Tickets", {"summary": "Parked", "details": "d", **QUIET, **fields})


def ids(halo: TenantCalls, **query: str) -> list[int]:
    return [row["id"] for row in halo.get("Tickets", **query)["tickets"]]


def mailed(halo: TenantCalls) -> list[str]:
    return [one.cause for one in halo.halo.side_effects if one.kind == "mailed"]


def statuses(halo: TenantCalls, **query: str) -> dict[str, int]:
    return {row["name"]: row["id"] for row in halo.get("Status", type="ticket", **query)}


@pytest.mark.parametrize("profile", PROFILES)
def test_a_ticket_is_created_updated_and_closed_by_its_id(profile: str) -> None:
    halo = tenant(profile)
    made = halo.post("Tickets", {"summary": "Parked", "details": "d", **QUIET})
    assert made.status == 201
    row = made.body[0] if isinstance(made.body, list) else made.body
    assert (row["client_name"], row["dateclosed"]) == ("Unknown", None)
    halo.pass_time(5)
    closed = statuses(halo)["Closed"]
    after = ticket(halo, id=row["id"], summary="Healed", status_id=closed)
    assert (after["id"], after["summary"], after["status_name"]) == (row["id"], "Healed", "Closed")
    assert after["dateclosed"] == after["last_update"] > row["last_update"]
    assert after["hasbeenclosed"]
    again = ticket(halo, id=row["id"], status_id=row["status_id"])
    assert (again["dateclosed"], again["hasbeenclosed"]) == (None, True)
    assert halo.get(f"Tickets/{row['id']}", includedetails="true") == again
    assert not halo.halo.side_effects


def test_statuses_types_and_priorities_are_the_tenants_own() -> None:
    generous, awkward = tenant(), tenant("awkward")
    assert not set(statuses(generous).values()) & set(statuses(awkward).values())
    assert "Closed" not in statuses(generous, excludeclosed="true")
    assert "Closed" in statuses(awkward, excludeclosed="true")
    assert {row["id"] for row in generous.get("Status")} == {1, 2, 9}
    types = {row["name"]: row for row in awkward.get("TicketType")}
    assert types["Service Request"]["hasmandatorytechfields"]
    whole = awkward.get(f"TicketType/{types['Service Request']['id']}", includedetails="true")
    assert [one["fieldname"] for one in whole["fields"]] == ["details", "category_1"]
    assert generous.get("Priority")[1]["priorityid"] == 2
    assert len(generous.get("Priority")[1]["id"]) == 36
    assert generous.post("Priority", {}).status == 405


def test_a_type_as_an_object_is_not_applied_and_a_type_may_ask_for_fields() -> None:
    halo, awkward = tenant(), tenant("awkward")
    assert ticket(halo, tickettype={"id": "3"})["tickettype_name"] == "Incident"
    assert ticket(halo, tickettype_id="3")["tickettype_name"] == "Service Request"
    asked = {"summary": "s", "tickettype_id": 33, "details": "d", **QUIET}
    refused = awkward.post("Tickets", asked)
    assert (refused.status, refused.body) == (400, "category_1 is a required field.")
    assert awkward.made("Tickets", {**asked, "category_1": "Sales"})["tickettype_id"] == 33


@pytest.mark.parametrize(
    "wrong",
    [
        {"summary": ""},
        {"id": 7},
        {"client_id": 7},
        {"user_id": 7},
        {"status_id": 9},
        {"priority_id": 9},
        {"tickettype_id": 77},
    ],
)
def test_a_ticket_that_points_nowhere_is_refused(wrong: dict[str, Any]) -> None:
    reply = tenant().post("Tickets", {"summary": "s", **QUIET, **wrong})
    assert reply.status == 400
    assert isinstance(reply.body, str)


def test_tickets_are_found_by_what_the_tenant_heeds() -> None:
    found = {}
    for profile in PROFILES:
        halo = tenant(profile, link_delay=10)
        both = {"client_reference": "HL-a1", "supplier_reference": "HL-a1"}
        first = ticket(halo, **both, new_external_link=LINK)["id"]
        halo.pass_time(60)
        ticket(halo, summary="HL-a2", status_id=statuses(halo)["Closed"])
        assert not ids(halo, search="hl-a1") or profile == "awkward"
        found[profile] = (
            ids(halo, search_supplier_reference="hl-a1") == [first],
            ids(halo, client_ref="HL-a1") == [first],
            len(ids(halo, lastupdatefromdate="2026-03-01T12:00:30")) == 1,
            halo.get("ExternalLink", third_party_id="HL-a1")["record_count"] == 1,
        )
        assert ids(halo, open_only="true") == [first]
        assert first not in ids(halo, closed_only="true")
    assert found["generous"] == (True, True, True, True)
    assert found["plain"] == (True, False, False, False)
    assert found["awkward"] == (False, False, False, True)


def test_an_array_of_tickets_is_saved_as_far_as_the_tenant_saves_arrays() -> None:
    saved = {}
    for profile in PROFILES:
        halo = tenant(profile)
        elements = [{"summary": one, "details": "d", **QUIET} for one in "abc"]
        reply = halo.post("Tickets", *elements)
        rows = reply.body if isinstance(reply.body, list) else [reply.body]
        saved[profile] = "".join(row["summary"] for row in rows)
        assert [row["summary"] for row in halo.halo.tickets.values()] == sorted(saved[profile])
    assert saved == {"generous": "abc", "plain": "a", "awkward": "ba"}


def test_a_deleted_ticket_is_gone_but_for_reports_and_can_be_brought_back() -> None:
    halo = tenant()
    row = ticket(halo, supplier_reference="HL-a1", new_external_link=LINK)
    ticket(halo)
    assert halo.send("DELETE", f"/api/Tickets/{row['id']}", query={"reason": "r"}).status == 200
    assert halo.send("GET", f"/api/Tickets/{row['id']}").status == 404
    assert row["id"] not in ids(halo)
    sql = "SELECT Faultid, FDeleted, Symptom, Status, RequestTypeNew, Areaint FROM FAULTS"
    shown = halo.rows(f"{sql} WHERE Suppref = 'hl-a1' AND FLastUpdate >= '2026-03-01'")
    assert [one["FDeleted"] for one in shown] == ["1"]
    back = halo.made("Tickets", {"id": row["id"], "_recover": True, "_validate_updates": True})
    assert back["summary"] == "Parked"
    assert row["id"] in ids(halo)
    assert {one["FDeleted"] for one in halo.rows(sql)} == {"0"}


@pytest.mark.parametrize(
    ("fields", "mails"),
    [
        ({"sendack": False}, 0),
        ({}, 1),
        ({"sendack": False, "createacknowledgement": True}, 1),
        ({"emailcclist": "boss@example.com"}, 2),
    ],
)
def test_a_new_ticket_mails_its_user_unless_that_is_forbidden(
    fields: dict[str, Any], mails: int
) -> None:
    halo = tenant()
    _, user = halo.customer()
    halo.made("Tickets", {"summary": "s", "_dont_fire_automations": True, **fields})
    assert len(mailed(halo)) == mails - ("sendack" not in fields)
    halo.halo.side_effects.clear()
    body = {"summary": "s", "user_id": user["id"], "_dont_fire_automations": True, **fields}
    row = halo.made("Tickets", body)
    assert (row["client_name"], row["user_name"]) == ("ada@example.com", "Ada")
    assert len(mailed(halo)) == mails


def test_a_new_ticket_and_a_change_of_status_fire_automations_unless_forbidden() -> None:
    halo = tenant()
    row = halo.made("Tickets", {"summary": "s"})
    halo.made("Tickets", {"id": row["id"], "summary": "t"})
    halo.made("Tickets", {"id": row["id"], "status_id": 22})
    fired = [one.entity for one in halo.halo.side_effects if one.kind == "automation"]
    assert fired == ["Tickets", "Tickets"]


@pytest.mark.parametrize(
    ("fields", "mails"),
    [
        ({"hiddenfromuser": True}, 0),
        ({"sendemail": False}, 0),
        ({}, 1),
        ({"hiddenfromuser": True, "sendemail": True}, 1),
        ({"hiddenfromuser": True, "emailto": "ada@example.com"}, 0),
        ({"hiddenfromuser": True, "sendsms": True}, 1),
    ],
)
def test_a_new_action_mails_what_it_does_not_hide(fields: dict[str, Any], mails: int) -> None:
    halo = tenant()
    _, user = halo.customer()
    row = ticket(halo, user_id=user["id"])
    made = halo.made("Actions", {"ticket_id": row["id"], "note": "n", **fields})
    assert len(mailed(halo)) == mails
    halo.made("Actions", {"ticket_id": row["id"], "id": made["id"], "note": "m"})
    assert len(mailed(halo)) == mails


@pytest.mark.parametrize("profile", PROFILES)
def test_actions_are_numbered_within_their_ticket_and_read_with_it(profile: str) -> None:
    halo = tenant(profile)
    tickets = [ticket(halo)["id"] for _ in range(2)]
    halo.pass_time(9)
    made = [
        halo.made("Actions", {"ticket_id": one, "note": note, "hiddenfromuser": True})
        for one, note in ((tickets[0], "a"), (tickets[0], "b"), (tickets[1], "c"))
    ]
    assert [row["id"] for row in made] == [1, 2, 1]
    shown = halo.get("Actions", ticket_id=str(tickets[0]))
    assert (shown["record_count"], [one["note"] for one in shown["actions"]]) == (2, ["b", "a"])
    assert halo.send("GET", "/api/Actions").status == 504
    asked = {"ticket_id": str(tickets[1]), "includedetails": "true"}
    assert halo.get("Actions/1", **asked) == made[2]
    assert halo.send("GET", "/api/Actions/1").status == 400
    assert halo.send("DELETE", "/api/Actions/1").status == 400
    assert halo.send("DELETE", "/api/Actions/1", query=asked).status == 200
    assert halo.send("GET", "/api/Actions/1", query=asked).status == 404
    assert halo.get(f"Tickets/{tickets[1]}")["last_update"] == "2026-03-01T12:00:09.000"
    changed = {"ticket_id": tickets[0], "id": 1, "note": "z", "important": True}
    assert halo.made("Actions", changed)["hiddenfromuser"]
    for wrong in ({"ticket_id": 9}, {"ticket_id": tickets[0], "id": 9}):
        assert halo.post("Actions", {"note": "n", **wrong}).status == 400
    if profile != "plain":
        rows = halo.rows("SELECT Faultid, actionnumber, note FROM ACTIONS ORDER BY id")
        assert [(one["actionnumber"], one["note"]) for one in rows] == [("1", "z"), ("2", "b")]


def test_an_action_may_close_its_ticket_and_carries_a_link() -> None:
    halo = tenant()
    row = ticket(halo)
    closing = {"ticket_id": row["id"], "new_status": 24, "hiddenfromuser": True}
    quiet = halo.made("Actions", {**closing, "dont_do_rules": True, "new_external_link": LINK})
    assert (quiet["old_status"], quiet["new_status_name"]) == (21, "Closed")
    assert quiet["external_links"][0]["third_party_id"] == "HL-a1"
    assert halo.get(f"Tickets/{row['id']}")["dateclosed"]
    assert not halo.halo.side_effects
    halo.made("Actions", {**closing, "new_status": 22})
    assert [one.kind for one in halo.halo.side_effects] == ["automation"]


@pytest.mark.parametrize(
    ("scope", "reads", "writes"),
    [("edit:tickets", 200, 201), ("read:tickets", 200, 403), ("edit:sales", 403, 403)],
)
def test_tickets_and_actions_need_the_scope_of_tickets(scope: str, reads: int, writes: int) -> None:
    halo = tenant()
    row = ticket(halo)
    halo.token = halo.ask_token(scope=scope).body["access_token"]
    for path in ("Tickets", "TicketType", "Priority"):
        assert halo.send("GET", f"/api/{path}").status == reads
    assert halo.post("Tickets", {"summary": "s", **QUIET}).status == writes
    assert halo.post("Actions", {"ticket_id": row["id"], "note": "n"}).status == writes


def test_what_becomes_of_an_integration_error_depends_on_the_tenant() -> None:
    body = {"entity_name": "HL-a1", "endpoint": "POST /SalesOrder", "error": "e"}
    told = {}
    for profile in PROFILES:
        halo = tenant(profile)
        strange = halo.post("IntegrationError", {**body, "module_id": 9001}).status
        known = halo.post("IntegrationError", {**body, "module_id": 7}).status
        shown = halo.get("IntegrationError", module_id="9001")["record_count"]
        told[profile] = (strange, known, shown, halo.get("IntegrationError")["record_count"])
        for name, longest in (("endpoint", 100), ("entity_name", 100), ("error", 2000)):
            refused = halo.post("IntegrationError", {**body, name: "x" * (longest + 1)})
            assert refused.status == 400
    assert told == {
        "generous": (200, 200, 1, 2),
        "plain": (200, 200, 0, 1),
        "awkward": (403, 201, 0, 1),
    }
    halo = tenant(scope="edit:tickets")
    assert halo.post("IntegrationError", {**body, "module_id": 7}).status == 403


def test_an_integration_error_is_changed_removed_and_reported() -> None:
    halo = tenant()
    row = halo.made("IntegrationError", {"module_id": 7, "error": "a"})
    halo.made("IntegrationError", {"id": row["id"], "error": "b"})
    shown = halo.rows("SELECT IEid, IEError, IEDate FROM IntegrationError WHERE IEMSid = 7")
    assert shown == [{"IEid": "90001", "IEError": "b", "IEDate": "2026-03-01T12:00:00.000"}]
    assert halo.send("DELETE", f"/api/IntegrationError/{row['id']}").status == 200
    assert halo.get("IntegrationError")["record_count"] == 0
    assert halo.post("IntegrationError", {"id": row["id"], "error": "c"}).status == 400
