import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from syncline.sandbox.halo.resources import fields as halo_fields
from tests.syncline.sandbox.tenant_calls import order, tenant

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([1, 5001, "1", "1.5", 1e14, -3, [], {}])
)
links = st.dictionaries(st.sampled_from(list(halo_fields.LINK)), scalars, max_size=3)
line_names = st.sampled_from([*halo_fields.LINE, *halo_fields.INVOICE_LINE])
lines = st.lists(scalars | st.dictionaries(line_names, scalars, max_size=4), max_size=3)
names = st.sampled_from(
    [
        *halo_fields.ORDER,
        *halo_fields.USERS,
        *halo_fields.CLIENT,
        *halo_fields.INVOICE,
        *halo_fields.PAYMENT,
    ]
)
elements = st.dictionaries(names, scalars | links | lines, max_size=6)
paths = st.sampled_from(
    ["SalesOrder", "Client", "Site", "Users", "ExternalLink", "Report"]
    + ["Invoice", "InvoicePayment", "RecurringInvoice"] * 2
)
profiles = st.sampled_from(["generous", "plain", "awkward"])


@given(profiles, paths, st.lists(elements | scalars, max_size=3), st.booleans())
def test_whatever_is_posted_is_saved_or_refused(
    profile: str, path: str, posted: list[Any], quiet: bool
) -> None:
    halo = tenant(profile)
    halo.made("SalesOrder", order("HL-1", 1))
    halo.made("Invoice", {"client_id": 1, "lines": [{"unit_price": 1}]})
    if quiet:
        posted = [
            {**order("HL-2", 1), "invoice_id": 400_001, "amount": 1, **one}
            if isinstance(one, dict)
            else one
            for one in posted
        ]
    reply = halo.send("POST", f"/api/{path}", body=json.dumps(posted).encode())
    assert reply.status in (200, 201, 400, 403)
    json.dumps(reply.body, allow_nan=False)


@given(st.binary(max_size=40))
def test_a_body_that_is_no_json_is_refused(body: bytes) -> None:
    halo = tenant()
    assert halo.send("POST", "/api/SalesOrder", body=b"{" + body).status == 400
    assert halo.send("POST", "/auth/token", body=body).status == 400
