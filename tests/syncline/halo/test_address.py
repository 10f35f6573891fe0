"""People type a tenant's address as they found it; what is kept is the tenant's own."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syncline.halo.address import tenant_address


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
    ],
)
def test_what_is_the_tenants_own_stays(typed: str, kept: str) -> None:
    assert tenant_address(typed) == kept


@given(st.text())
@example("halo.example / /")
def test_an_address_that_was_cut_once_stays_as_it_is(typed: str) -> None:
    once = tenant_address(typed)
    assert tenant_address(once) == once
