"""Halo's webhooks come in by a path nobody can guess, with Basic, bearer or HMAC beside it."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from syncline.errors import Refused
from syncline.halo.webhooks.authentication import KEYS_KEPT, HmacKey, InboundKey, InboundKeys

NOW = datetime(2026, 11, 24, tzinfo=UTC)
BODY = b'[{"object_id":7}]'


def key(name: str) -> InboundKey:
    return InboundKey(
        secret=SecretStr(f"path-{name}"), username=name, password=SecretStr(f"p:{name}"), since=NOW
    )


def basic(name: str) -> dict[str, str]:
    return {"authorization": "Basic " + b64encode(f"{name}:p:{name}".encode()).decode()}


SIGNING = HmacKey(header="X-Halo-Signature", prefix="sha256=", key=SecretStr("shared"))
MADE = hmac.new(b"shared", BODY, hashlib.sha256)
KEYS = InboundKeys(keys=(key("new"), key("old")), bearer=(SecretStr("token"),), hmac=(SIGNING,))


def test_the_path_and_its_login_let_a_webhook_in() -> None:
    assert KEYS.fits("path-new", basic("new"), BODY)


def test_while_a_key_is_replaced_the_one_before_it_still_fits() -> None:
    assert KEYS.fits("path-old", basic("old"), BODY)


def test_a_path_goes_with_its_own_login_only() -> None:
    assert not KEYS.fits("path-new", basic("old"), BODY)
    assert not KEYS.fits("path-old", basic("new"), BODY)


def test_neither_the_path_nor_the_login_is_enough() -> None:
    assert not KEYS.fits("path-new", {}, BODY)
    assert not KEYS.fits("path-other", basic("new"), BODY)


def test_a_bearer_token_stands_in_for_the_login_but_not_for_the_path() -> None:
    assert KEYS.fits("path-new", {"authorization": "bearer token"}, BODY)
    assert not KEYS.fits("other", {"authorization": "bearer token"}, BODY)
    assert not KEYS.fits("path-new", {"authorization": "bearer tokens"}, BODY)


@pytest.mark.parametrize("written", [MADE.hexdigest(), b64encode(MADE.digest()).decode()])
def test_a_signature_over_the_raw_body_stands_in_for_the_login(written: str) -> None:
    headers = {"x-halo-signature": f"sha256={written}"}
    assert KEYS.fits("path-new", headers, BODY)
    assert not KEYS.fits("path-new", headers, BODY + b" ")
    assert not KEYS.fits("other", headers, BODY)


@given(
    st.text(), st.dictionaries(st.sampled_from(["authorization", "x-halo-signature"]), st.text())
)
def test_whatever_is_guessed_does_not_fit_and_is_no_error(
    secret: str, headers: dict[str, str]
) -> None:
    assert not KEYS.fits(secret, headers, BODY)


def test_without_keys_nothing_fits_and_an_empty_secret_is_none() -> None:
    assert not InboundKeys().fits("", {}, BODY)
    empty = InboundKey(secret=SecretStr(""), username="", password=SecretStr(""), since=NOW)
    keys = InboundKeys(keys=(empty,), bearer=(SecretStr(""),))
    assert not keys.fits("", {"authorization": "Basic Og=="}, BODY)
    assert not keys.fits("", {"authorization": "Bearer "}, BODY)


def test_what_is_stored_is_read_back_and_shows_no_secret_on_the_way() -> None:
    assert InboundKeys.read(KEYS.written()) == KEYS
    for shown in (repr(KEYS), str(KEYS), str(KEYS.model_dump())):
        assert "path-new" not in shown
        assert "p:new" not in shown
        assert "shared" not in shown


def test_what_cannot_be_read_says_how_to_make_new_ones() -> None:
    with pytest.raises(Refused) as refused:
        InboundKeys.read(SecretStr('{"keys": 7}'))
    assert "syncline halo webhooks install" in refused.value.remedy


def test_a_new_key_stands_in_front_and_the_oldest_goes() -> None:
    made = InboundKey.made(NOW)
    turned = KEYS.with_new(made)
    assert turned.keys == (made, key("new"))
    assert len(turned.keys) == KEYS_KEPT
    assert (turned.bearer, turned.hmac) == (KEYS.bearer, KEYS.hmac)


def test_made_keys_cannot_be_guessed() -> None:
    one, other = InboundKey.made(NOW), InboundKey.made(NOW)
    secrets = {
        value.get_secret_value() for made in (one, other) for value in (made.secret, made.password)
    }
    assert len(secrets) == 4
    assert all(len(value) >= 43 for value in secrets)
