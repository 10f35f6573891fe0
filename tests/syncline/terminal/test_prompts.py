"""What a person pastes as a secret: taken as it is meant, or refused with the reason."""

from __future__ import annotations

import pytest

from syncline.errors import Refused
from syncline.terminal.prompts import ask_secret


def pasted(monkeypatch: pytest.MonkeyPatch, value: str, *, addresses: bool = False) -> str:
    monkeypatch.setenv("PASTED", value)
    secret = ask_secret("token", "--secret", given=None, variable="PASTED", addresses=addresses)
    return secret.get_secret_value()


@pytest.mark.parametrize(
    "value",
    ["pit-\u2013-typed", "zero\u200bwidth", "b\u00e9", "two words", "two\nlines", "\u0661\u0662"],
)
def test_a_secret_that_can_stand_in_no_header_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    with pytest.raises(Refused, match="Copy the secret again") as refused:
        pasted(monkeypatch, value)
    assert value not in str(refused.value)


@pytest.mark.parametrize("addresses", [False, True])
def test_space_around_a_secret_is_none_of_it(
    monkeypatch: pytest.MonkeyPatch, *, addresses: bool
) -> None:
    assert pasted(monkeypatch, " \tpit-1\r\n", addresses=addresses) == "pit-1"
    with pytest.raises(Refused, match="PASTED holds no token"):
        pasted(monkeypatch, " \n", addresses=addresses)


def test_addresses_may_be_several_and_none_may_hide_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert pasted(monkeypatch, "a://b  c://\u00e4\n", addresses=True) == "a://b c://\u00e4"
    with pytest.raises(Refused, match="Copy the addresses again"):
        pasted(monkeypatch, "a://b\u200b", addresses=True)
