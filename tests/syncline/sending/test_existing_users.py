"""Halo is asked once whether it has a customer already, and once more where that is long ago."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from syncline.sandbox.process import SandboxProcess
from syncline.sending import existing_users, render
from tests.world import Worlds, small


@pytest.mark.parametrize("lately", [timedelta(minutes=1), timedelta(0)])
def test_a_user_is_asked_for_again_only_if_its_client_was_not_made_just_now(
    worlds: Worlds,
    sandbox: SandboxProcess,
    monkeypatch: pytest.MonkeyPatch,
    lately: timedelta,
) -> None:
    asked: list[str] = []

    def counted(line: Any, emails: Sequence[str]) -> Any:
        asked.extend(emails)
        return users(line, emails)

    users = existing_users.users
    monkeypatch.setattr(existing_users, "users", counted)
    monkeypatch.setattr(render, "STILL_KNOWN", lately)
    small(sandbox, orders=3, customers=1, transactions=0, subscriptions=0)
    world = worlds()
    world.pull()
    world.drive()
    assert len(asked) == (1 if lately else 2) * len(set(asked))
    assert sandbox.audit()["clean"]
