"""The image holds what it needs and nothing private, and runs as nobody special."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.drift.container_files import (
    BUILD,
    DATA,
    IMAGE,
    PYPROJECT,
    ROOT,
    USER,
    all_of,
    pairs,
)


def _context_holds(path: str) -> bool:
    """Whether a path reaches the builder; the last line that matches decides."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    held = True
    for line in (line for line in lines if line and not line.startswith("#")):
        pattern = line.removeprefix("!")
        parts = Path(path).parts
        above = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
        if any(fnmatch(one, pattern) for one in above):
            held = line.startswith("!")
    return held


def _copied() -> list[str]:
    texts = [text for text in all_of(BUILD, "COPY") if not text.startswith("--from")]
    return [source for text in texts for source in text.split()[:-1]]


def test_all_that_is_copied_is_there_and_reaches_the_builder() -> None:
    assert [one for one in _copied() if not (ROOT / one).exists()] == []
    assert [one for one in _copied() if not _context_holds(one)] == []
    assert _context_holds("syncline/quota/bucket.lua")


def test_all_that_is_ours_is_copied() -> None:
    packages = PYPROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    modules = [f"{name}.py" for name in PYPROJECT["tool"]["setuptools"]["py-modules"]]
    needed = [*(package.rstrip("*") for package in packages), *modules, "pyproject.toml"]
    needed += [PYPROJECT["project"]["readme"]]
    needed += PYPROJECT["tool"]["setuptools"]["dynamic"]["dependencies"]["file"]
    assert set(needed) <= set(_copied())


@pytest.mark.parametrize(
    "path", [".venv/bin/python", ".git/HEAD", "data/key", ".env", "syncline/__pycache__/money.pyc"]
)
def test_nothing_private_or_made_reaches_the_builder(path: str) -> None:
    assert not _context_holds(path)


def test_the_image_holds_what_the_lock_names_and_no_tool_to_build_with() -> None:
    installs = [text for text in all_of(BUILD, "RUN") if "pip install" in text]
    assert "--require-hashes --only-binary :all: -r requirements.lock" in installs[0]
    assert "--no-deps --no-index" in installs[1]
    assert "pip uninstall --yes pip" in installs[1]
    assert not re.search(r"\b(pip|apt|apt-get|gcc|curl)\b", " ".join(all_of(IMAGE, "RUN")))


def test_the_image_runs_as_nobody_special_on_a_python_that_will_do() -> None:
    made = " ".join(all_of(IMAGE, "RUN"))
    user, group = USER.split(":")
    assert int(user) > 0
    assert f"--uid {user} " in made
    assert f"--gid {group} " in made
    assert f"--mode 0700 {DATA}" in made
    images = {text.split()[0] for text in [*all_of(BUILD, "FROM"), *all_of(IMAGE, "FROM")]}
    minimum = PYPROJECT["project"]["requires-python"].removeprefix(">=")
    assert images == {f"python:{minimum}-slim"}


def test_the_labels_agree_with_the_project() -> None:
    labels = pairs(all_of(IMAGE, "LABEL"))
    project = PYPROJECT["project"]
    version, licence = (labels[f"org.opencontainers.image.{n}"] for n in ("version", "licenses"))
    assert (version, licence) == (project["version"], project["license"])
    assert project["description"].startswith(
        labels["org.opencontainers.image.description"].rstrip(".")
    )
