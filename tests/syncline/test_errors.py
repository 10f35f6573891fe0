"""The tree of errors is as its head draws it, and a message ends with what to do next."""

from __future__ import annotations

import inspect
import re
from datetime import timedelta
from typing import Any

import pytest

from syncline import errors
from syncline.errors import (
    Again,
    BadCredentials,
    BadDocument,
    NotSent,
    RateLimited,
    Refused,
    Rejected,
    SynclineError,
    Unmappable,
)

_CLASSES = [
    found
    for _, found in inspect.getmembers(errors, inspect.isclass)
    if found.__module__ == errors.__name__
]


def _drawn() -> dict[str, str]:
    """Each class of the drawn tree → its parent; a level is four columns wide."""
    lines = (errors.__doc__ or "").splitlines()
    parents = {0: ""}
    drawn: dict[str, str] = {}
    for line in lines[lines.index("SynclineError") :]:
        found = re.match(r"([│├└─ ]*)(\w+)", line)
        assert found, line
        level = len(found[1]) // 4
        parents[level + 1] = found[2]
        drawn[found[2]] = parents[level]
    return drawn


def test_the_drawn_tree_is_the_tree() -> None:
    assert _drawn() == {
        found.__name__: "" if found is SynclineError else found.__bases__[0].__name__
        for found in _CLASSES
    }


@pytest.mark.parametrize("kind", _CLASSES)
def test_every_class_says_what_it_means(kind: type[SynclineError]) -> None:
    assert kind.__doc__
    assert kind.__doc__ != kind.__bases__[0].__doc__


@pytest.mark.parametrize("kind", _CLASSES)
def test_a_message_ends_with_the_remedy(kind: type[SynclineError]) -> None:
    more: dict[type[SynclineError], dict[str, Any]] = {
        Unmappable: {"field": "total"},
        Rejected: {"text": "no"},
    }
    error = kind("Order 1 is not there.", remedy="Read its day again.", **more.get(kind, {}))
    assert str(error) == "Order 1 is not there. Read its day again."
    assert (error.what, error.remedy) == ("Order 1 is not there.", "Read its day again.")


def test_others_words_without_a_full_stop_get_one_before_the_remedy() -> None:
    error = BadCredentials("HighLevel answered with 401: Invalid token", remedy="Make a new one.")
    assert str(error) == "HighLevel answered with 401: Invalid token. Make a new one."
    assert str(Refused("What is it?", remedy="Say so.")) == "What is it? Say so."
    assert str(Refused("HighLevel says no")) == "HighLevel says no"


def test_a_refusal_carries_the_other_sides_words_and_the_field() -> None:
    error = Rejected(
        "Halo refused it.", text="Client is inactive", field="client_id", status=400, call_id="c1"
    )
    assert (error.text, error.field) == ("Client is inactive", "client_id")
    assert (error.status, error.call_id) == (400, "c1")
    assert str(error) == "Halo refused it."


@pytest.mark.parametrize("kind", [Again, RateLimited, NotSent])
def test_what_heals_by_itself_says_so_and_when(kind: type[Again]) -> None:
    error = kind("HighLevel is away.", after=timedelta(seconds=7))
    assert error.after == timedelta(seconds=7)
    assert str(error).endswith("It is tried again by itself.")


def test_what_is_wrong_in_the_settings_is_one_kind_for_those_who_end_with_exit_code_2() -> None:
    assert issubclass(BadCredentials, Refused)
    error = BadDocument("The target is unknown.", line=12)
    assert isinstance(error, Refused)
    assert error.line == 12
