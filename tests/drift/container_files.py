"""The container files as they are written: services, and the Dockerfile's stages."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
LASTING = {name: one for name, one in SERVICES.items() if one["restart"] == "unless-stopped"}


PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(:[-?][^}]*)?\}")


def _instructions() -> list[list[tuple[str, str]]]:
    """The Dockerfile's instructions by stage."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    stages: list[list[tuple[str, str]]] = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stages.append([])
        stages[-1].append((word, " ".join(rest.split())))
    return stages


def all_of(stage: Sequence[tuple[str, str]], word: str) -> list[str]:
    return [rest for found, rest in stage if found == word]


def pairs(texts: Sequence[str]) -> dict[str, str]:
    return dict(part.split("=", 1) for text in texts for part in shlex.split(text))


BUILD, IMAGE = _instructions()
USER = all_of(IMAGE, "USER")[-1]
DATA = pairs(all_of(IMAGE, "ENV"))["SYNCLINE_DATA"]


def environment_of(name: str) -> dict[str, str]:
    """What a container is given when `.env` holds the secrets and nothing else."""
    return {
        variable: VARIABLE.sub(lambda found: f"of {found[1]}", str(value))
        for variable, value in SERVICES[name]["environment"].items()
        if value is not None
    }
