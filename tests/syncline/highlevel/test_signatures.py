"""HighLevel's signatures: over the raw bytes, the modern one first, with several keys at a time."""

from __future__ import annotations

from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.errors import Refused
from syncline.highlevel.signatures import NONE, PublicKeys, public_keys
from tests.receiving import Signer

BODY = b'{"type":"OrderCreate","webhookId":"7"}'
OURS, OTHERS = Signer(), Signer()
KEYS = public_keys(OURS.public_keys)


def fits(headers: dict[str, str], *, body: bytes = BODY, accept_rsa: bool = True) -> bool:
    return KEYS.signed(headers, body, accept_rsa=accept_rsa)


def test_either_signature_over_the_raw_bytes_lets_a_body_in() -> None:
    assert fits(OURS.modern(BODY))
    assert fits(OURS.legacy(BODY))


def test_a_body_that_differs_in_white_space_alone_is_another_body() -> None:
    assert not fits(OURS.modern(BODY), body=BODY.replace(b":", b": "))


def test_without_any_signature_nothing_comes_in() -> None:
    assert not fits({})
    assert not fits({"x-ghl-signature": NONE, "x-wh-signature": NONE})


def test_a_modern_signature_that_does_not_fit_is_not_saved_by_an_older_one_that_does() -> None:
    assert not fits({**OURS.legacy(BODY), **OTHERS.modern(BODY)})
    assert fits({**OTHERS.legacy(BODY), **OURS.modern(BODY)})


def test_where_the_modern_header_says_that_there_is_none_the_older_one_decides() -> None:
    assert fits({**OURS.legacy(BODY), "x-ghl-signature": NONE})
    assert not fits({**OTHERS.legacy(BODY), "x-ghl-signature": NONE})


def test_the_older_signature_counts_only_while_it_is_accepted() -> None:
    assert not fits(OURS.legacy(BODY), accept_rsa=False)
    assert fits(OURS.modern(BODY), accept_rsa=False)


def test_while_a_key_is_changed_both_fit() -> None:
    both = public_keys(OURS.public_keys + OTHERS.public_keys)
    for signer in (OURS, OTHERS):
        assert both.signed(signer.modern(BODY), BODY, accept_rsa=True)
        assert both.signed(signer.legacy(BODY), BODY, accept_rsa=True)


@given(st.text(max_size=3000))
def test_whatever_stands_in_a_header_is_no_signature_and_no_error(value: str) -> None:
    assert not fits({"x-ghl-signature": value})
    assert not fits({"x-wh-signature": value})


@given(st.integers(0, 63), st.integers(1, 255))
def test_one_changed_byte_of_a_signature_is_enough(at: int, by: int) -> None:
    whole = bytearray(b64decode(OURS.modern(BODY)["x-ghl-signature"]))
    whole[at] ^= by
    assert not fits({"x-ghl-signature": b64encode(whole).decode()})
    assert not fits({"x-ghl-signature": b64encode(whole[:at]).decode()})


def test_by_default_the_published_keys_count() -> None:
    published = public_keys(None)
    assert [key.public_bytes_raw().hex()[:8] for key in published.ed25519] == ["8b61d1d6"]
    assert [key.key_size for key in published.rsa] == [4096]


def test_keys_come_from_a_file_as_well_or_with_written_out_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "keys.pem"
    path.write_text(OURS.public_keys)
    for setting in (str(path), OURS.public_keys.replace("\n", "\\n")):
        found: PublicKeys = public_keys(setting)
        assert found.signed(OURS.modern(BODY), BODY, accept_rsa=False)


@pytest.mark.parametrize(
    "setting",
    [
        "/nowhere/keys.pem",
        "-----BEGIN PUBLIC KEY-----\nbm8=\n-----END PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----",
    ],
)
def test_keys_that_cannot_be_used_are_refused_with_the_settings_name(setting: str) -> None:
    with pytest.raises(Refused) as refused:
        public_keys(setting)
    assert "SYNCLINE_HIGHLEVEL_PUBLIC_KEYS" in refused.value.remedy
