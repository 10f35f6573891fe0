import pytest

from syncline.sandbox.config import Limit
from syncline.sandbox.wire.faults import Faults, Rule
from syncline.sandbox.wire.service import Request
from tests.syncline.sandbox.tenant_calls import order, tenant


def test_discovery_names_the_token_endpoint_without_a_token() -> None:
    reply = tenant().send("GET", "/api/authinfo", authorization="")
    assert reply.body == {"auth_url": "http://127.0.0.1:8080/halo/auth", "tenant_id": "sandbox"}


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"tenant": "other"}, "invalid_client"),
        ({"scope": "edit:actions"}, "invalid_scope"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_a_token_is_refused_with_the_reason(changed: dict[str, str], error: str) -> None:
    reply = tenant().ask_token(**changed)
    assert (reply.status, reply.body) == (400, {"error": error})


def test_a_token_lasts_as_long_as_it_says() -> None:
    halo = tenant(halo_token_seconds=60)
    halo.pass_time(59)
    assert halo.send("GET", "/api/Currency").status == 200
    halo.pass_time(1)
    assert halo.send("GET", "/api/Currency").status == 401


def test_an_unknown_token_is_401() -> None:
    assert tenant().send("GET", "/api/Currency", authorization="Bearer x").status == 401


def test_all_tokens_can_be_made_to_expire_at_once() -> None:
    halo = tenant()
    halo.admin("expire_tokens")
    assert halo.send("GET", "/api/Currency").status == 401


@pytest.mark.parametrize(
    ("scope", "method", "path", "status"),
    [
        ("read:customers", "GET", "Client", 200),
        ("edit:customers", "GET", "Client", 200),
        ("read:customers", "POST", "Client", 403),
        ("read:customers", "GET", "SalesOrder", 403),
        ("read:sos", "GET", "SalesOrder", 200),
        ("edit:sales", "GET", "Invoice", 403),
        ("all:standard", "POST", "Report", 403),
        ("edit:reporting", "POST", "Report", 200),
        ("read:reporting", "POST", "Report", 403),
    ],
)
def test_a_scope_permits_what_it_names(scope: str, method: str, path: str, status: int) -> None:
    halo = tenant(scope=scope)
    assert halo.send(method, f"/api/{path}", body=b"[]").status == status


def test_an_object_in_place_of_an_array_is_400_and_another_content_type_415() -> None:
    halo = tenant()
    assert halo.send("POST", "/api/Client", body=b'{"name": "a"}').status == 400
    assert halo.send("POST", "/api/Client", body=b"[").status == 400
    assert halo.send("POST", "/api/Client", body=b"[NaN]").status == 400
    assert halo.send("POST", "/api/Client", body=b"[]", content_type="text/plain").status == 415


def test_a_wrong_type_is_told_under_its_json_path() -> None:
    posted = order("HL-1", 1, status="new", lines=[{"quantity": "two"}, "x"])
    reply = tenant().post("SalesOrder", order("HL-0", 1), posted)
    assert reply.status == 400
    assert set(reply.body) == {"[1].status", "[1].lines[0].quantity", "[1].lines[1]"}
    assert reply.body["[1].status"][0].startswith("Could not convert string to integer: new.")


@pytest.mark.parametrize("path", ["/api/Nothing", "/", "/api", "/api/Client/1/2"])
def test_an_unknown_path_is_404(path: str) -> None:
    assert tenant().send("GET", path).status == 404


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "Client"), ("POST", "Currency"), ("PUT", "Report")]
)
def test_a_method_that_does_not_exist_is_405(method: str, path: str) -> None:
    assert tenant().send(method, f"/api/{path}", body=b"[]").status == 405


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/api/SalesOrder", "POST /SalesOrder"),
        ("GET", "/api/salesorder/12", "GET /SalesOrder/{id}"),
        ("POST", "/auth/token", "POST /auth/token"),
        ("GET", "/", "GET /"),
    ],
)
def test_an_operation_has_a_short_name(method: str, path: str, name: str) -> None:
    assert tenant().service.operation(Request(method, path, {}, {}, b"")) == name


@pytest.mark.parametrize(
    ("seconds", "span"), [(300, "5 minute"), (10, "10 second"), (90, "90 second")]
)
def test_a_refusal_names_limit_and_window(seconds: int, span: str) -> None:
    text = f"Rate Limit Reached - 300 Requests per rolling {span} window"
    limit = Limit(calls=300, seconds=seconds)
    assert tenant().service.rate_limited(limit).body == text
    assert tenant("awkward").service.rate_limited(limit).body == {"Message": text}


def test_an_answer_can_be_made_too_short_or_be_disordered_though_all_is_saved() -> None:
    faults = Faults()
    halo = tenant(faults=faults)
    faults.set([Rule(kind="too_few", next=1), Rule(kind="out_of_order", next=1)])
    reply = halo.post("SalesOrder", *(order(f"HL-{n}", 1) for n in range(3)))
    assert [row["po_number"] for row in reply.body] == ["HL-2", "HL-1"]
    assert len(halo.halo.orders) == 3


def test_a_client_comes_with_a_main_site_and_a_user_needs_a_site() -> None:
    halo = tenant()
    client, user = halo.customer()
    site = halo.get(f"Site/{client['main_site_id']}")
    assert (site["client_id"], site["name"]) == (client["id"], "Main")
    assert (user["client_id"], user["site_id"]) == (client["id"], site["id"])
    assert halo.post("Users", {"name": "Ada"}).status == 400
    assert halo.post("Client", {"notes": "no name"}).status == 400
    assert halo.post("Site", {"name": "Second", "client_id": 0}).status == 400


def test_a_client_in_use_cannot_be_deleted() -> None:
    halo = tenant()
    client, user = halo.customer()
    assert halo.send("DELETE", f"/api/Client/{client['id']}").status == 400
    assert halo.send("DELETE", f"/api/Users/{user['id']}").status == 200
    assert halo.send("DELETE", f"/api/Client/{client['id']}").status == 200


def test_known_customers_can_be_planted_once_for_every_address() -> None:
    halo = tenant()
    for at, email in enumerate(["a@x.org", "A@X.org", None, "b@x.org"]):
        halo.store.contacts[str(at)] = {"id": str(at), "name": f"N{at}", "email": email}
    assert halo.admin("seed_customers", count=10).body == {"created": 2}
    assert halo.admin("seed_customers", count=10).body == {"created": 0}
    assert {user["emailaddress"] for user in halo.halo.users.values()} == {"a@x.org", "b@x.org"}
    assert halo.halo.side_effects == []


def test_an_unknown_hook_is_told() -> None:
    halo = tenant()
    assert halo.admin("nothing").status == 404
    assert halo.admin("order/9").status == 404


def test_currencies_and_statuses_are_bare_arrays() -> None:
    halo = tenant()
    codes = {row["code"]: row["id"] for row in halo.get("Currency")}
    assert set(codes) == {"USD", "EUR", "GBP", "JPY", "KWD"}
    assert halo.get("Status")[0]["name"] == "New"
