"""The files that keep a sandbox: whatever ends a process, what was kept is there, or it is said."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from syncline.sandbox.keeping import journal as journals
from syncline.sandbox.keeping.journal import FORMAT, Journal, StateError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "sandbox.state"


def kept(path: Path) -> tuple[object, list[object]] | None:
    journal = Journal(path)
    try:
        return journal.read()
    finally:
        journal.close()


def filled(path: Path, state: object, *records: object) -> Journal:
    journal = Journal(path)
    journal.read()
    journal.replace(state, wait=True)
    for record in records:
        journal.append(record)
    return journal


def test_nothing_is_kept_at_first(path: Path) -> None:
    assert kept(path) is None


def test_a_snapshot_and_what_came_after_it_are_read_back(path: Path) -> None:
    filled(path, {"a": 1}, "one", "two").close()
    assert kept(path) == ({"a": 1}, ["one", "two"])
    filled(path, {"a": 2}, "three").close()
    assert kept(path) == ({"a": 2}, ["three"])
    assert sorted(one.name for one in path.parent.iterdir()) == [
        "sandbox.state", "sandbox.state.2", "sandbox.state.lock",
    ]  # fmt: skip
    assert path.stat().st_mode & 0o077 == 0


def test_what_came_while_a_snapshot_was_not_yet_in_place_is_read_too(path: Path) -> None:
    filled(path, "old", "one").close()
    old = path.read_bytes(), (path.parent / "sandbox.state.1").read_bytes()
    filled(path, "new", "two").close()
    # As after an end between the new journal's begin and the new snapshot's being in place.
    path.write_bytes(old[0])
    (path.parent / "sandbox.state.1").write_bytes(old[1])
    assert kept(path) == ("old", ["one", "two"])
    again = Journal(path)
    again.read()
    again._write = lambda *_: None  # type: ignore[method-assign]  # ends before it is in place
    again.replace("newest", wait=True)
    again.append("three")
    again.close()
    assert kept(path) == ("old", ["one", "two", "three"])


def test_a_record_that_was_cut_off_was_never_answered_and_is_left_out(path: Path) -> None:
    filled(path, "state", "one", "two").close()
    records = path.parent / "sandbox.state.1"
    for length in range(len(records.read_bytes()) - 1, 20, -1):
        records.write_bytes(records.read_bytes()[:length])
        assert kept(path) in (("state", ["one"]), ("state", []))


def test_a_long_journal_asks_for_a_snapshot(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "_SNAPSHOT_AFTER", 100)
    journal = filled(path, "state")
    assert not journal.is_long
    journal.append("x" * 200)
    assert journal.is_long
    journal.replace("state", wait=True)
    assert not journal.is_long
    journal.close()


def test_a_state_in_use_is_not_taken_twice(path: Path) -> None:
    first = Journal(path)
    with pytest.raises(StateError, match="used by another sandbox"):
        Journal(path)
    first.close()
    Journal(path).close()


def test_a_state_of_another_version_is_told_with_both(path: Path) -> None:
    filled(path, "state").close()
    path.write_bytes(path.read_bytes().replace(f"state {FORMAT}".encode(), b"state 99", 1))
    with pytest.raises(StateError, match=rf"version 99, and this sandbox reads version {FORMAT}"):
        kept(path)


@pytest.mark.parametrize("spoil", ["flip", "cut", "other", "stranger"])
def test_a_broken_state_is_told_as_one(path: Path, spoil: str) -> None:
    state = pathlib_state() if spoil == "stranger" else "state"
    filled(path, state).close()
    content = path.read_bytes()
    spoilt = {
        "flip": content[:-1] + bytes([content[-1] ^ 1]),
        "cut": content[:-3],
        "other": b"something else",
        "stranger": content,
    }[spoil]
    path.write_bytes(spoilt)
    with pytest.raises(StateError, match="is broken"):
        kept(path)
    journal = Journal(path)
    journal.discard()
    assert journal.read() is None
    journal.close()


def pathlib_state() -> object:
    """A value whose class is no part of any state: a file may not make what it likes."""
    assert pickle.dumps(Path("/"))
    return Path("/")
