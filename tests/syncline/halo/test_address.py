"""People type a tenant's address as they found it; what is kept is the tenant's own."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syncline.halo.address import is_of_a_tenant, tenant_address


@pytest.mark.parametrize(
    "typed",
    [
        "https://acme.halopsa.com",
        "https://acme.halopsa.com/",
        " https://acme.halopsa.com/api ",
        "https://acme.halopsa.com/API/",
        "https://acme.halopsa.com/auth",
        "https://acme.halopsa.com/Auth/token?tenant=acme",
        "https://acme.halopsa.com/api?tenant=acme",
        "acme.halopsa.com",
        "acme.halopsa.com/api",
        "ACME.HaloPSA.com",
        "HTTPS://ACME.HALOPSA.COM/Portal",
        "//acme.halopsa.com",
        "acme.halopsa.com.",
        "https://acme.halopsa.com./",
        "https://acme.halopsa.com/portal.",
        "https://acme.halopsa.com:443/api",
        "https://acme.halopsa.com/portal/tickets?btn=38&viewid=2",
        "https://acme.halopsa.com/tickets?area=1&mainview=team",
        "https://acme.halopsa.com/ticket?id=4711&showmenu=false",
        "https://acme.halopsa.com/swagger",
        "https://acme.halopsa.com/api/swagger/v2/swagger.json",
        "https://acme.halopsa.com/apidoc/info",
        "https://acme.halopsa.com/apidoc/authentication/client#scopes",
        "https://acme.halopsa.com/config/integrations/api",
        "https://acme.halopsa.com/some-page-that-nobody-knows",
        "https://acme.halopsa.com?tenant=acme",
        "https://acme.halopsa.com#/home",
        "https://acme.halopsa.com\\api",
    ],
)
def test_the_parts_of_a_tenant_are_cut_off(typed: str) -> None:
    assert tenant_address(typed) == "https://acme.halopsa.com"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("https://help.acme.example/halo/api", "https://help.acme.example/halo"),
        ("https://api.acme.example:8443/", "https://api.acme.example:8443"),
        ("http://127.0.0.1:8001/auth", "http://127.0.0.1:8001"),
        ("acme", "acme"),
        ("https://acme.haloitsm.com:8443/portal", "https://acme.haloitsm.com:8443"),
        ("https://help.acme.example/Halo/Tickets?id=7", "https://help.acme.example/Halo"),
        ("https://help.acme.example/halo?tenant=two", "https://help.acme.example/halo"),
        ("help.acme.example/agent/home", "https://help.acme.example"),
        ("https://help.acme.example.:8443/halo/", "https://help.acme.example:8443/halo"),
        ("https://[::1]:8443/api", "https://[::1]:8443"),
    ],
)
def test_what_is_the_tenants_own_stays(typed: str, kept: str) -> None:
    assert tenant_address(typed) == kept


@pytest.mark.parametrize(
    ("address", "is_one"),
    [
        ("https://acme.halopsa.com", True),
        ("https://help.acme.example:8443/halo", True),
        ("https://localhost:8001/halo", True),
        ("http://[::1]:8001/halo", True),
        ("https://halopsa.com", False),
        ("https://www.halopsa.com", False),
        ("https://acme halopsa.com", False),
        ("https://acme,halopsa.com", False),
        ("https://-acme.example", False),
        ("https://acme..example", False),
        ("acme", False),
        ("", False),
    ],
)
def test_a_host_that_can_be_none_is_no_tenants(address: str, is_one: bool) -> None:
    assert is_of_a_tenant(address) is is_one


@given(st.text())
@example("halo.example / /")
@example("https://a.halopsa.com.:443")
@example("a.b:443:443")
@example("//a.:443")
@example("http://a:80:80/. /.")
def test_an_address_that_was_cut_once_stays_as_it_is(typed: str) -> None:
    once = tenant_address(typed)
    assert tenant_address(once) == once
