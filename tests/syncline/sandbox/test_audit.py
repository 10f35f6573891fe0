from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from syncline.sandbox.audit.verdict import audit
from syncline.sandbox.config import Limit
from syncline.sandbox.generating.orders import Generator
from syncline.sandbox.location.forms import normalised
from syncline.sandbox.wire.calls import CallLog
from syncline.sandbox.wire.limits import Judge, SideLimits
from tests.syncline.sandbox.tenant_calls import EUR, TenantCalls, order, tenant

EMAIL = "Ada@Example.com"


def item(name: str, qty: int, price: str) -> dict[str, Any]:
    return {"name": name, "qty": qty, "price": {"_id": f"p{name}", "amount": Decimal(price)}}


def put_order(halo: TenantCalls, order_id: str, **fields: Any) -> None:
    halo.store.orders[order_id] = {
        "_id": order_id,
        "currency": "USD",
        "amount": Decimal("26.05"),
        "liveMode": True,
        "amountSummary": {"subtotal": Decimal("24.5"), "discount": 1, "tax": Decimal("2.55")},
        "contactSnapshot": {"email": EMAIL},
        "items": [item("Mug", 2, "4.75"), item("Lamp", 1, "15")],
        **fields,
    }


LINES = [
    {"name": "Mug", "quantity": 2, "baseprice": 4.75, "tax": 2.55},
    {"name": "Lamp", "quantity": 1, "baseprice": 15},
    {"name": "Discount", "quantity": 1, "baseprice": -1},
]


def mirrored(halo: TenantCalls, order_id: str, **fields: Any) -> dict[str, Any]:
    client = halo.get("Users", search=EMAIL)["users"][0]["client_id"]
    return halo.made("SalesOrder", {**order(f"HL-{order_id}", client, lines=LINES), **fields})


@pytest.fixture
def halo() -> TenantCalls:
    calls = tenant()
    calls.customer("ada@example.com")
    put_order(calls, "a")
    return calls


def limits() -> dict[str, SideLimits]:
    limit = Limit(calls=1, seconds=10)
    return {side: SideLimits(Judge(limit)) for side in ("highlevel", "halo")}


def verdict(halo: TenantCalls) -> dict[str, Any]:
    return audit(halo.store, CallLog(), limits())


def found(halo: TenantCalls) -> set[str]:
    return {kind for kind, count in verdict(halo)["counts"].items() if count}


def test_an_order_mirrored_to_the_cent_is_clean(halo: TenantCalls) -> None:
    mirrored(halo, "a")
    said = verdict(halo)
    assert said["clean"] is True
    assert (said["orders_owed"], said["orders_in_line"]) == (1, 1)
    assert said["rejected_429"] == {"highlevel": 0, "halo": 0}


def test_an_order_that_is_not_there_is_missing(halo: TenantCalls) -> None:
    said = verdict(halo)
    assert (said["missing"], said["clean"], said["orders_in_line"]) == (["a"], False, 0)


def test_two_targets_are_duplicates_though_one_is_known_by_a_hidden_link_only() -> None:
    halo = tenant("awkward")
    halo.customer("ada@example.com")
    put_order(halo, "a")
    mirrored(halo, "a")
    link = {"third_party_id": "HL-a", "third_party_type": "syncline"}
    mirrored(halo, "a", po_number="", new_external_link=link)
    assert found(halo) == {"duplicates"}


@pytest.mark.parametrize(
    ("fields", "kinds"),
    [
        ({"currency_code": EUR}, {"wrong_currency"}),
        ({"lines": LINES[:2]}, {"wrong_amounts"}),
        ({"lines": [{**LINES[0], "tax": 0}, *LINES[1:]]}, {"wrong_amounts"}),
        ({"lines": [{**LINES[0], "name": "Cup"}, *LINES[1:]]}, {"wrong_lines"}),
        ({"lines": [{"name": "Order HL-a", "quantity": 1, "baseprice": 26.05}]},
         {"wrong_amounts", "wrong_lines"}),
        ({"client_id": 1}, {"wrong_customers"}),
        ({"_create_invoice": True}, {"generated"}),
        ({"_dont_fire_automations": False}, {"automations"}),
    ],
)  # fmt: skip
def test_each_difference_has_its_name(
    halo: TenantCalls, fields: dict[str, Any], kinds: set[str]
) -> None:
    mirrored(halo, "a", **fields)
    assert found(halo) == kinds
    assert verdict(halo)["clean"] is False


def test_one_summary_line_is_right_where_no_details_are_asked_for() -> None:
    halo = tenant(details=False)
    halo.customer("ada@example.com")
    put_order(halo, "a")
    mirrored(halo, "a", lines=[{"name": "Order HL-a", "quantity": 1, "baseprice": 26.05}])
    assert verdict(halo)["clean"] is True


def test_a_line_taken_back_to_nothing_does_not_count(halo: TenantCalls) -> None:
    mirrored(halo, "a", lines=[*LINES, {"name": "Old", "quantity": 0, "baseprice": 3}])
    assert verdict(halo)["clean"] is True


def test_an_order_without_an_address_belongs_to_nobody_else(halo: TenantCalls) -> None:
    put_order(halo, "a", contactSnapshot={})
    row = mirrored(halo, "a")
    assert found(halo) == {"wrong_customers"}
    halo.made("SalesOrder", {"id": row["id"], "client_id": 1})
    assert found(halo) == set()


def test_test_mode_rows_are_not_owed_where_only_live_ones_are() -> None:
    halo = tenant(live_only=True)
    halo.customer("ada@example.com")
    put_order(halo, "a", liveMode=False)
    assert verdict(halo)["clean"] is True
    mirrored(halo, "a")
    assert found(halo) == {"strangers"}


def test_an_order_nobody_owes_is_a_stranger(halo: TenantCalls) -> None:
    mirrored(halo, "a")
    row = mirrored(halo, "b")
    other = mirrored(halo, "", po_number="by hand")
    assert verdict(halo)["strangers"] == [str(row["id"]), str(other["id"])]


def test_doubled_customers_are_found(halo: TenantCalls) -> None:
    mirrored(halo, "a")
    second, user = halo.customer(" ADA@example.com")
    said = verdict(halo)
    assert said["duplicate_users"] == [str(user["id"])]
    assert said["duplicate_clients"] == [str(second["id"])]


def test_clients_that_share_a_reference_are_doubled(halo: TenantCalls) -> None:
    mirrored(halo, "a")
    quiet = {"ref": "HL-x", "_dont_fire_automations": True}
    halo.made("Client", {"name": "A", **quiet})
    doubled = halo.made("Client", {"name": "B", **quiet})
    assert verdict(halo)["duplicate_clients"] == [str(doubled["id"])]


def body_of(halo: TenantCalls, document: dict[str, Any], currencies: dict[str, int]) -> Any:
    """What a mirror in full detail would post."""
    summary, email = document["amountSummary"], normalised(document["contactSnapshot"].get("email"))
    users = {user["emailaddress"]: user["client_id"] for user in halo.halo.users.values()}
    lines = [
        {"name": one["name"], "quantity": one["qty"], "baseprice": float(one["price"]["amount"])}
        for one in document["items"]
    ]
    lines[0]["tax"] = float(summary["tax"])
    lines += [
        {"name": name, "quantity": 1, "baseprice": sign * float(summary.get(name, 0))}
        for name, sign in (("discount", -1), ("shipping", 1))
    ]
    fields = {"lines": lines, "currency_code": currencies[document["currency"]]}
    return order(f"HL-{document['_id']}", users.get(email or "", 1), **fields)


@pytest.mark.parametrize("profile", ["generous", "plain", "awkward"])
def test_a_whole_generated_location_can_be_mirrored_clean(profile: str) -> None:
    halo = tenant(profile, orders=120, customers=40)
    made = Generator(halo.config, halo.at).fill()
    halo.store.orders.update(made.orders)
    halo.store.contacts.update(made.contacts)
    halo.admin("seed_customers", count=40)
    currencies = {row["code"]: row["id"] for row in halo.get("Currency")}
    for document in made.orders.values():
        halo.made("SalesOrder", body_of(halo, document, currencies))
    said = verdict(halo)
    assert said["clean"] is True, said["counts"]
    assert said["orders_in_line"] == 120


def test_a_refused_call_and_a_mail_spoil_the_verdict(halo: TenantCalls) -> None:
    mirrored(halo, "a")
    calls = CallLog()
    call = calls.open(
        at=datetime(2026, 3, 1, tzinfo=UTC), side="halo", method="GET", path="/", operation="GET /",
        elements=0,
    )  # fmt: skip
    call.rejected = True
    judged = limits()
    for at in (1.0, 2.0):
        judged["halo"].judge.admit(at)
    said = audit(halo.store, calls, judged)
    assert (said["rejected_429"]["halo"], said["max_in_window"]["halo"]) == (1, 2)
    assert said["clean"] is False
    halo.store.notified.append("f1")
    assert verdict(halo)["mailed"] == ["fulfillment f1"]
