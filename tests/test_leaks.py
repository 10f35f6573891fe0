from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote

import pytest

from tests.leaks import leaked

SECRET = "pit/5a1d0c7e+2f7b=4a35-9c56\u00e4"


@pytest.mark.parametrize(
    "said",
    [
        f"Bearer {SECRET}, x",
        f"...{SECRET[14:]}",
        quote(f"token={SECRET}&x", safe=""),
        json.dumps({"token": SECRET}),
        repr({"token": SECRET}),
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
        *(b64encode(f"{before}{SECRET}after".encode()).decode() for before in ("", "a", "ab")),
        *(urlsafe_b64encode(f"{before}{SECRET}".encode()).decode() for before in ("", "a", "ab")),
        b64encode(json.dumps([b64encode(f"user:{SECRET}".encode()).decode()]).encode()).decode(),
    ],
)
def test_a_secret_is_found_however_it_is_written(said: str) -> None:
    assert leaked([SECRET, "another-secret-of-them"], ["before", said]) == [SECRET]


def test_what_is_no_secret_is_not_found() -> None:
    assert (
        leaked([SECRET], [SECRET[:12], "pit-another", b64encode(b"something else").decode()]) == []
    )
