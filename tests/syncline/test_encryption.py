from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from syncline import private
from syncline.encryption import Sealer, begin_rotation, end_rotation, load_key, old_keys
from syncline.errors import Refused
from syncline.settings import Settings

SEALER = Sealer(SecretStr("k" * 32))
OTHER = Sealer(SecretStr("o" * 32))
CONTEXT = "tenant:1:client_secret"


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(codec="utf-8")))
def test_what_was_sealed_opens_again_in_its_context(secret: str, context: str) -> None:
    sealed = SEALER.seal(SecretStr(secret), context)
    assert SEALER.open(sealed, context).get_secret_value() == secret


def test_sealing_twice_shows_nothing_alike_but_the_key_id() -> None:
    one, other = (SEALER.seal(SecretStr("same"), CONTEXT) for _ in range(2))
    assert one[:9] == other[:9]
    assert one[9:] != other[9:]
    assert b"same" not in one


def test_a_secret_does_not_open_under_another_owner() -> None:
    sealed = SEALER.seal(SecretStr("s"), CONTEXT)
    with pytest.raises(Refused, match="belongs to something else"):
        SEALER.open(sealed, "tenant:2:client_secret")


def test_another_key_is_refused_with_the_way_to_give_the_right_one() -> None:
    with pytest.raises(Refused) as refused:
        OTHER.open(SEALER.seal(SecretStr("s"), CONTEXT), CONTEXT)
    assert "another key" in refused.value.what
    assert "SYNCLINE_KEY" in refused.value.remedy


@given(st.binary(max_size=80))
def test_bytes_that_were_never_sealed_are_refused(garbage: bytes) -> None:
    with pytest.raises(Refused):
        SEALER.open(garbage, CONTEXT)


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_one_changed_bit_is_noticed(place: int, change: int) -> None:
    sealed = bytearray(SEALER.seal(SecretStr("secret"), CONTEXT))
    sealed[place % len(sealed)] ^= change
    with pytest.raises(Refused):
        SEALER.open(bytes(sealed), CONTEXT)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(Refused, match="openssl rand"):
        Sealer(SecretStr("hunter2"))


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    sealed = load_key(settings).seal(SecretStr("s"), CONTEXT)
    assert load_key(settings).open(sealed, CONTEXT).get_secret_value() == "s"
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    load_key(Settings(data=tmp_path))
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(Refused) as refused:
        load_key(Settings(data=tmp_path))
    assert refused.value.remedy == f"Run: chmod 600 {tmp_path / 'key'}"


def test_a_named_key_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="cannot be read"):
        load_key(Settings(data=tmp_path, key_file=tmp_path / "nowhere"))
    assert not (tmp_path / "key").exists()


def test_a_named_key_file_and_the_same_key_in_the_environment_are_one_key(tmp_path: Path) -> None:
    value = private.read_or_make(tmp_path / "mine")
    by_file = load_key(Settings(data=tmp_path, key_file=tmp_path / "mine"))
    by_value = load_key(Settings(data=tmp_path, key=value))
    assert by_value.open(by_file.seal(SecretStr("s"), CONTEXT), CONTEXT).get_secret_value() == "s"


def test_many_at_once_end_with_one_secret_and_no_leftovers(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: private.read_or_make(tmp_path / "secret"), range(32)))
    assert len({secret.get_secret_value() for secret in made}) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_an_empty_secret_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").touch(mode=0o600)
    with pytest.raises(Refused, match="is empty"):
        private.read_or_make(tmp_path / "secret")


OLD, NEW = SecretStr("k" * 32), SecretStr("n" * 32)


def test_an_old_key_opens_what_it_sealed_and_seals_nothing() -> None:
    both = Sealer(NEW, OLD)
    old = SEALER.seal(SecretStr("s"), CONTEXT)
    assert both.open(old, CONTEXT).get_secret_value() == "s"
    assert not both.is_current(old)
    assert both.is_current(both.seal(SecretStr("s"), CONTEXT))
    with pytest.raises(Refused, match="another key"):
        SEALER.open(both.seal(SecretStr("s"), CONTEXT), CONTEXT)


def test_a_process_that_runs_on_takes_over_a_new_key(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    running = load_key(settings)
    before = running.seal(SecretStr("s"), CONTEXT)
    begin_rotation(settings)
    after = load_key(settings).seal(SecretStr("t"), CONTEXT)
    assert running.open(after, CONTEXT).get_secret_value() == "t"
    assert running.is_current(after)
    assert running.is_current(running.seal(SecretStr("u"), CONTEXT))
    assert running.open(before, CONTEXT).get_secret_value() == "s"


def test_a_process_that_runs_on_seals_with_the_new_key_though_it_has_seen_nothing_of_it(
    tmp_path: Path,
) -> None:
    settings = Settings(data=tmp_path)
    running = load_key(settings)
    begin_rotation(settings)
    assert load_key(settings).is_current(running.seal(SecretStr("s"), CONTEXT))


def test_a_rotation_that_has_ended_leaves_one_key_that_only_the_owner_can_read(
    tmp_path: Path,
) -> None:
    settings = Settings(data=tmp_path)
    sealed = load_key(settings).seal(SecretStr("s"), CONTEXT)
    begin_rotation(settings)
    assert [key.get_secret_value() for key in old_keys(settings)] != []
    assert stat.S_IMODE((tmp_path / "key.old").stat().st_mode) == 0o600
    end_rotation(settings)
    end_rotation(settings)
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    with pytest.raises(Refused, match="another key"):
        load_key(settings).open(sealed, CONTEXT)


def test_several_rotations_before_one_ends_lose_no_key(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    sealed = []
    for _ in range(3):
        sealed.append(load_key(settings).seal(SecretStr("s"), CONTEXT))
        begin_rotation(settings)
    sealer = load_key(settings)
    assert [sealer.open(one, CONTEXT).get_secret_value() for one in sealed] == ["s"] * 3


def test_a_key_from_outside_is_not_changed_but_said_how_to_change(tmp_path: Path) -> None:
    for settings in (
        Settings(data=tmp_path, key=OLD),
        Settings(data=tmp_path, key_file=tmp_path / "mine"),
    ):
        with pytest.raises(Refused, match="SYNCLINE_OLD_KEYS"):
            begin_rotation(settings)
    assert list(tmp_path.iterdir()) == []


def test_old_keys_come_from_the_setting_and_from_their_file(tmp_path: Path) -> None:
    (tmp_path / "older").touch(mode=0o600)
    (tmp_path / "older").write_text(f"{'p' * 32}\n{'q' * 32}\n", encoding="utf-8")
    settings = Settings(data=tmp_path, key=NEW, old_keys=OLD, old_keys_file=tmp_path / "older")
    sealer = load_key(settings)
    for old in (OLD, SecretStr("p" * 32), SecretStr("q" * 32)):
        sealed = Sealer(old).seal(SecretStr("s"), CONTEXT)
        assert sealer.open(sealed, CONTEXT).get_secret_value() == "s"
    (tmp_path / "older").chmod(0o644)
    with pytest.raises(Refused, match="chmod 600"):
        load_key(settings)


def test_while_the_key_file_cannot_be_read_a_running_process_goes_on(tmp_path: Path) -> None:
    running = load_key(Settings(data=tmp_path))
    (tmp_path / "key").write_text("", encoding="utf-8")
    sealed = running.seal(SecretStr("s"), CONTEXT)
    assert running.open(sealed, CONTEXT).get_secret_value() == "s"
