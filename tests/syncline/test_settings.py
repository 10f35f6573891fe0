from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from syncline.errors import Refused
from syncline.settings import Settings


def test_without_an_environment_everything_has_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SYNCLINE_DATA", raising=False)
    settings = Settings.load()
    assert settings.data == Path.cwd() / "data"
    assert settings.database_url is None
    assert settings.settle == timedelta(seconds=60)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("2.5", timedelta(seconds=2.5)), ("90", timedelta(seconds=90)), ("PT15M", timedelta(0, 900))],
)
def test_durations_are_seconds(
    written: str, meant: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNCLINE_SETTLE", written)
    assert Settings.load().settle == meant


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SYNCLINE_SETTLE", "soon"),
        ("SYNCLINE_DEADLINE", "-1"),
        ("SYNCLINE_DEADLINE", "nan"),
        ("SYNCLINE_DEADLINE", "1e300"),
        ("SYNCLINE_QUOTA_RESERVE", "1"),
        ("SYNCLINE_START_FROM", "yesterday"),
        ("SYNCLINE_LOG_LEVEL", "loud"),
    ],
)
def test_a_value_that_cannot_be_understood_is_refused_in_one_line_that_names_it(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(Refused) as refused:
        Settings.load()
    assert str(refused.value).startswith(f"{name} is wrong")
    assert "docs/settings.md" in refused.value.remedy
    assert "\n" not in str(refused.value)


def test_a_death_that_comes_before_the_second_heartbeat_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SYNCLINE_DEAD_AFTER", "3")
    with pytest.raises(Refused, match="SYNCLINE_HEARTBEAT"):
        Settings.load()


def test_settings_cannot_change_and_do_not_show_their_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SYNCLINE_DATABASE_URL", "postgresql://u:hunter2@h/d")
    settings = Settings.load()
    assert "hunter2" not in repr(settings)
    with pytest.raises(ValidationError):
        settings.data = Path("/elsewhere")  # type: ignore[misc]
