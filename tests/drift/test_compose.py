"""The container files say what is there: commands, settings, lanes, ports and files all exist.

Not everybody who runs the tests has a container engine, so the files are read, and what they start
is started without one.
"""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Iterator, Sequence
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer.main
import yaml
from typer.core import TyperGroup

import celeryconfig
from syncline.queues import Lane
from syncline.settings import PREFIX, Settings
from tests.drift.container_files import (
    COMPOSE,
    DATA,
    IMAGE,
    LASTING,
    OURS,
    PYPROJECT,
    ROOT,
    SERVICES,
    USER,
    VARIABLE,
    all_of,
    environment_of,
)
from workers import processes
from workers.console import main
from workers.console.run import process_of
from workers.crews import CREWS, EVERYTHING
from workers.embedded import postgres
from workers.embedded.redis_server import RedisServer
from workers.supervisor import Supervisor

WORKERS = [crew.name for crew in CREWS]

every_service = pytest.mark.parametrize("name", SERVICES)
every_one_of_ours = pytest.mark.parametrize("name", OURS)


def _command(words: Sequence[str]) -> tuple[Any, list[str]]:
    """The command of ours that words name, and the words behind it."""
    command: Any = typer.main.get_command(main.app)
    rest = list(words)
    while isinstance(command, TyperGroup):
        name, *rest = rest or [""]
        assert name in command.commands, f"there is no command {' '.join(words)!r}"
        command = command.commands[name]
    return command, rest


# --- Commands -------------------------------------------------------------------------------------


def test_every_command_exists_and_takes_its_options() -> None:
    assert json_list(all_of(IMAGE, "ENTRYPOINT")[-1]) == list(PYPROJECT["project"]["scripts"])
    for service in OURS.values():
        assert "entrypoint" not in service
        if "command" in service:
            command, rest = _command(service["command"])
            command.make_context("syncline", rest).close()


def json_list(text: str) -> list[str]:
    found: list[str] = yaml.safe_load(text)
    return found


def test_every_process_of_an_installation_has_a_container_and_beat_has_one() -> None:
    started = [one["command"][1] for one in OURS.values() if one.get("command", [""])[0] == "run"]
    settings = Settings()
    wanted = [process.name for process in processes.workers(settings)]
    assert sorted(started) == sorted([*wanted, "receiver", "flower"])
    for name in wanted:
        assert process_of(name, settings) in processes.workers(settings)
    assert SERVICES["beat"]["deploy"]["replicas"] == 1


def test_every_lane_has_a_worker() -> None:
    crews = {crew.name: crew for crew in (*CREWS, EVERYTHING)}
    served = [lane for name in WORKERS for lane in crews[SERVICES[name]["command"][1]].lanes]
    assert set(served) == set(Lane)


def test_a_worker_has_longer_to_stop_than_it_takes() -> None:
    ours = inspect.signature(Supervisor).parameters["grace"].default
    for name in WORKERS:
        grace = timedelta(seconds=int(SERVICES[name]["stop_grace_period"].removesuffix("s")))
        assert grace >= ours
        assert grace.total_seconds() > celeryconfig.worker_soft_shutdown_timeout


@pytest.mark.parametrize("name", LASTING)
def test_every_lasting_container_says_whether_it_is_well(name: str) -> None:
    kind, *words = SERVICES[name]["healthcheck"]["test"]
    if name not in OURS:
        assert (kind, words[0].split()[0]) in {("CMD", "pg_isready"), ("CMD-SHELL", "redis-cli")}
        return
    assert (kind, words[:2]) == ("CMD", ["python", "-m"])
    assert find_spec(words[2]) is not None
    asked = f"--{name}" if name in {"beat", "receiver", "flower"} else "--worker"
    assert words[2:] == ["workers.console.health", asked]
    command, _ = _command(["health"])
    command.make_context("health", words[3:]).close()


# --- Settings -------------------------------------------------------------------------------------


def test_every_setting_that_is_given_exists_and_every_one_can_be_given() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert set(re.findall(rf"\b{PREFIX}[A-Z_]+", text)) <= known
    # Where the data are is the image's business; keys are given themselves; Flower is apart.
    apart = {f"{PREFIX}{name}" for name in ("DATA", "KEY_FILE", "OLD_KEYS_FILE")}
    apart |= {name for name in known if name.startswith(f"{PREFIX}FLOWER_")}
    receiving = {name for name in known if name.startswith(f"{PREFIX}RECEIVER_")}
    alone = {"WEBHOOK_MAX_BYTES", "HIGHLEVEL_PUBLIC_KEYS", "ACCEPT_RSA_SIGNATURES"}
    receiving |= {f"{PREFIX}{name}" for name in alone}
    for name in WORKERS:
        assert set(SERVICES[name]["environment"]) == known - apart - receiving
    # Where it listens is the file's business, and a container holds one receiver.
    fixed = {f"{PREFIX}RECEIVER_{name}" for name in ("HOST", "PORT", "WORKERS")}
    assert receiving - fixed <= set(SERVICES["receiver"]["environment"])
    assert not fixed & set(SERVICES["receiver"]["environment"])


def test_nobody_but_who_opens_credentials_holds_the_key() -> None:
    holders = {name for name, one in SERVICES.items() if "SYNCLINE_KEY" in one["environment"]}
    assert holders == {*WORKERS, "receiver", "cli"}


def test_a_secret_has_no_default_and_nothing_starts_without_it() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    secrets = {
        name: rest for name, rest in VARIABLE.findall(text) if re.search("PASSWORD|KEY", name)
    }
    assert set(secrets) == {
        "POSTGRES_PASSWORD",
        "REDIS_PASSWORD",
        "SYNCLINE_KEY",
        "SYNCLINE_FLOWER_PASSWORD",
    }
    assert all(rest.startswith(":?") and "docs/docker.md" in rest for rest in secrets.values())
    assert not re.search(r"\$\{\w*(PASSWORD|KEY)\}|\$\{\w*(PASSWORD|KEY):-", text)


@every_one_of_ours
def test_the_addresses_lead_to_the_servers_with_their_own_passwords(name: str) -> None:
    environment = environment_of(name)
    database = urlsplit(environment["SYNCLINE_DATABASE_URL"])
    server = environment_of("postgres")
    assert (database.hostname, database.port) == ("postgres", 5432)
    assert database.username == server["POSTGRES_USER"]
    assert database.path == f"/{server['POSTGRES_DB']}"
    assert database.password == server["POSTGRES_PASSWORD"] == "of POSTGRES_PASSWORD"
    redis = urlsplit(environment["SYNCLINE_REDIS_URL"])
    assert (redis.hostname, redis.port) == ("redis", 6379)
    assert redis.password == environment_of("redis")["REDISCLI_AUTH"] == "of REDIS_PASSWORD"


def test_two_are_published_to_this_machine_alone_and_nothing_else_is() -> None:
    published = ["receiver", "flower"]
    assert [name for name, one in SERVICES.items() if "ports" in one] == published
    for name in published:
        default = Settings.model_fields[f"{name}_port"].default
        variable = f"{PREFIX}{name.upper()}_PORT"
        assert SERVICES[name]["ports"] == [f"127.0.0.1:${{{variable}:-{default}}}:{default}"]
        assert variable not in SERVICES[name]["environment"]


# --- Servers --------------------------------------------------------------------------------------


def test_redis_keeps_its_queues_as_the_embedded_one_does(tmp_path: Path) -> None:
    script = SERVICES["redis"]["command"][-1]
    words = shlex.split(script.replace("\\\n", " ").split("<<")[0])
    assert words[:2] == ["exec", "redis-server"]
    assert words[-1] == "-"  # the password comes by standard input
    flags = dict(zip(words[2:-1:2], words[3:-1:2], strict=True))
    embedded = dict(
        line.split(" ", 1) for line in RedisServer(tmp_path)._configuration(1).splitlines()
    )
    for flag in ("appendonly", "appendfsync", "maxmemory-policy"):
        assert flags[f"--{flag}"] == embedded[flag]
    assert (flags["--appendonly"], flags["--maxmemory-policy"]) == ("yes", "noeviction")
    assert flags["--save"] == shlex.split(embedded["save"])[0]
    assert SERVICES["redis"]["volumes"] == [f"redis:{flags['--dir']}"]


def test_postgres_takes_as_many_connections_as_the_embedded_one() -> None:
    assert SERVICES["postgres"]["command"] == [
        *("postgres", "-c", f"max_connections={postgres._SETTINGS['max_connections']}")
    ]


def test_the_servers_are_on_a_network_that_leads_nowhere() -> None:
    assert COMPOSE["networks"]["ledger"]["internal"] is True
    assert SERVICES["postgres"]["networks"] == SERVICES["redis"]["networks"] == ["ledger"]
    assert all("outside" in SERVICES[name]["networks"] for name in WORKERS)


def test_ours_start_when_the_servers_are_well_and_the_tables_are_made() -> None:
    servers = {name: {"condition": "service_healthy"} for name in ("postgres", "redis")}
    made = {"migrate": {"condition": "service_completed_successfully"}}
    for name, service in OURS.items():
        assert service["depends_on"] == (servers if name == "migrate" else servers | made)
    assert SERVICES["migrate"]["restart"] == "no"


# --- Hardening ------------------------------------------------------------------------------------


@every_service
def test_no_container_may_do_more_than_it_must(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"] not in {"", "root", "0", "0:0"}
    assert "privileged" not in service
    assert "cap_add" not in service
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}


@every_service
def test_what_lasts_lies_in_named_volumes_and_in_no_folder_of_the_host(name: str) -> None:
    volumes = [volume.split(":")[0] for volume in SERVICES[name].get("volumes", [])]
    assert set(volumes) <= set(COMPOSE["volumes"])
    assert "env_file" not in SERVICES[name]


@every_one_of_ours
def test_ours_may_write_to_their_data_folder_in_memory_alone(name: str) -> None:
    user, group = USER.split(":")
    assert SERVICES[name]["user"] == USER
    places = dict(place.split(":", 1) for place in SERVICES[name]["tmpfs"])
    assert places.keys() == {"/tmp", DATA}  # noqa: S108 - inside the container
    assert {f"uid={user}", f"gid={group}", "mode=0700"} <= set(places[DATA].split(","))


@pytest.mark.parametrize("name", LASTING)
def test_every_lasting_container_has_limits(name: str) -> None:
    assert SERVICES[name]["deploy"]["resources"]["limits"].keys() == {"memory", "pids"}


# --- The manual -----------------------------------------------------------------------------------


def _shown() -> Iterator[list[str]]:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    for page in pages:
        for line in page.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
            found = re.search(r"docker compose ([^`|]+)", line)
            if found is not None:
                yield shlex.split(found[1], comments=True)


def test_every_command_of_ours_that_is_shown_in_a_container_exists() -> None:
    shown = [words for words in _shown() if words[0] == "run"]
    assert shown
    for words in shown:
        command, rest = _command(words[words.index("cli") + 1 :])
        known = {name for option in command.params for name in option.opts}
        assert {word for word in rest if word.startswith("--")} <= known | {"--help"}


def test_every_container_that_is_named_in_the_manual_exists() -> None:
    text = (ROOT / "docs" / "docker.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z]+)` \|", text, flags=re.MULTILINE)
    assert rows == list(SERVICES)
    for words in _shown():
        if words[0] in {"logs", "stop", "restart", "exec"}:
            assert {word for word in words[1:2] if not word.startswith("-")} <= set(SERVICES)


def test_the_manual_makes_every_secret_that_is_asked_for() -> None:
    text = (ROOT / "docs" / "docker.md").read_text(encoding="utf-8")
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    asked = {name for name, rest in VARIABLE.findall(compose) if rest.startswith(":?")}
    loop = re.search(r"^for name in (.+?); do$", text.replace("\\\n", " "), flags=re.MULTILINE)
    assert loop is not None
    assert set(loop[1].split()) == asked
