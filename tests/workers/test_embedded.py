"""The embedded servers, with real ones in a folder of each test's own."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from pydantic import SecretStr
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from syncline.errors import Refused, Unreachable
from syncline.settings import Settings
from tests.memory import roomy_memory
from tests.receiving import until
from workers.embedded import ports
from workers.embedded import servers as embedded
from workers.embedded.locks import FileLock
from workers.embedded.postgres import Postgres
from workers.embedded.redis_server import RedisServer, _binary
from workers.embedded.server import ensure_stopped
from workers.embedded.servers import Servers

_USE_AND_HANG = """
import sys
from syncline.settings import Settings
from workers.embedded import server, servers
settings = Settings.load()
held = server.hold(settings)
print(servers.ensure(settings).database_url, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def settings() -> Iterator[Settings]:
    # Not below pytest's own folder: that one is closed to PostgreSQL's user when tests run as root.
    with tempfile.TemporaryDirectory(prefix="syncline-tests-", dir=roomy_memory()) as folder:
        settings = Settings(data=Path(folder) / "a folder" / "data")
        yield settings
        if settings.data.exists():
            assert embedded.stop_if_unused(settings)


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[Settings, Servers]]:
    """Servers for the tests that do them no harm."""
    with tempfile.TemporaryDirectory(prefix="syncline-tests-", dir=roomy_memory()) as folder:
        settings = Settings(data=Path(folder))
        with embedded.using(settings) as servers:
            yield settings, servers


def test_they_start_safe_and_are_found_again(shared: tuple[Settings, Servers]) -> None:
    settings, servers = shared
    with _connect(servers) as connection:
        shown = {
            name: connection.execute(f"show {name}".encode()).fetchone()
            for name in ("fsync", "synchronous_commit", "max_connections", "listen_addresses")
        }
        version = connection.info.server_version
    assert shown == {
        "fsync": ("on",),
        "synchronous_commit": ("on",),
        "max_connections": ("200",),
        "listen_addresses": ("127.0.0.1",),
    }
    assert version >= 180000
    with Redis.from_url(servers.redis_url, decode_responses=True) as redis:
        wanted = {
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
        }
        assert {name: redis.config_get(name)[name] for name in wanted} == wanted
    assert embedded.ensure(settings) == servers


def test_neither_lets_anybody_in_without_the_password(shared: tuple[Settings, Servers]) -> None:
    _, servers = shared
    place = _place(servers)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(place.replace(place.split(":")[2].split("@")[0], "guess", 1))
    port = int(servers.redis_url.rsplit(":", 1)[1].split("/")[0])
    with (
        Redis(port=port, retry=Retry(NoBackoff(), 0)) as redis,
        pytest.raises(RedisError, match="authenticated"),
    ):
        redis.get("key")


def test_no_password_is_shown_or_readable_by_others(shared: tuple[Settings, Servers]) -> None:
    settings, servers = shared
    for secret in ("postgres.password", "redis.password", "redis.conf"):
        assert stat.S_IMODE((settings.data / secret).stat().st_mode) == 0o600
    password = (settings.data / "redis.password").read_text().strip()
    assert password in servers.redis_url
    assert password not in repr(servers)
    commands = [" ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])]
    assert not any(password in command for command in commands)


def test_servers_of_the_settings_are_used_as_they_are(
    shared: tuple[Settings, Servers], tmp_path: Path
) -> None:
    _, servers = shared
    other = Settings(
        data=tmp_path / "data",
        database_url=SecretStr(servers.database_url),
        redis_url=SecretStr(servers.redis_url),
    )
    with embedded.using(other) as found:
        assert found == servers
    assert not (tmp_path / "data").exists()
    with _connect(servers):
        pass


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("database_url", "postgresql://u:hunter2@127.0.0.1:1/d"),
        ("database_url", "not a url"),
        ("redis_url", "redis://:hunter2@127.0.0.1:1/0"),
        ("redis_url", "not a url"),
    ],
)
def test_a_url_that_leads_nowhere_is_one_line_that_names_the_setting(
    name: str, url: str, shared: tuple[Settings, Servers], tmp_path: Path
) -> None:
    _, servers = shared
    urls = {"database_url": servers.database_url, "redis_url": servers.redis_url, name: url}
    settings = Settings(
        data=tmp_path,
        **{key: SecretStr(value) for key, value in urls.items()},  # type: ignore[arg-type]
    )
    with pytest.raises(Unreachable) as refused:
        embedded.ensure(settings)
    text = str(refused.value)
    assert f"SYNCLINE_{name.upper()}" in refused.value.remedy
    assert "\n" not in text
    assert "hunter2" not in text


def test_they_survive_the_crash_of_the_process_that_started_them(settings: Settings) -> None:
    first = _start_user(settings)
    url = first.stdout.readline().strip() if first.stdout else ""
    first.kill()
    first.communicate()
    with psycopg.connect(url.replace("+psycopg", "", 1)) as connection:
        born = connection.execute("select pg_postmaster_start_time()").fetchone()
    again = embedded.ensure(settings)
    assert again.database_url == url
    with _connect(again) as connection:
        assert connection.execute("select pg_postmaster_start_time()").fetchone() == born


def test_they_stop_when_the_last_user_leaves_and_not_before(settings: Settings) -> None:
    with embedded.using(settings) as servers:
        other = _start_user(settings)
        assert other.stdout is not None
        other.stdout.readline()
    with _connect(servers):
        pass
    assert not embedded.stop_if_unused(settings)
    other.communicate("")
    assert embedded.stop_if_unused(settings)
    with pytest.raises(psycopg.OperationalError):
        _connect(servers)


def test_killed_servers_come_back_at_the_same_place_with_what_was_committed(
    settings: Settings,
) -> None:
    servers = embedded.ensure(settings)
    with _connect(servers) as connection:
        connection.execute("create table kept (n int)")
        connection.execute("insert into kept values (7)")
    postmaster = int((settings.data / "postgres" / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGKILL)
    os.kill(int((settings.data / "redis" / "redis.pid").read_text()), signal.SIGKILL)
    assert embedded.ensure(settings) == servers
    with _connect(servers) as connection:
        assert connection.execute("select n from kept").fetchone() == (7,)


def test_a_process_id_left_by_a_reboot_does_not_keep_them_from_starting(
    settings: Settings,
) -> None:
    embedded.ensure(settings)
    assert embedded.stop_if_unused(settings)
    pid_file = settings.data / "postgres" / "postmaster.pid"
    pid_file.write_text(f"{os.getppid()}\n{settings.data / 'postgres'}\n1\n5432\n\n127.0.0.1\n\n")
    with _connect(embedded.ensure(settings)):
        pass


def test_servers_that_a_person_restarted_are_found_again_and_not_started_twice(
    settings: Settings,
) -> None:
    before = embedded.ensure(settings)
    elsewhere = ports.free_port()
    postgres = Postgres(settings.data)
    postgres._run(
        "pg_ctl",
        *("restart", "-w", "-s", "-D", str(postgres.home), "-m", "fast", "-l", str(postgres.log)),
        *("-o", f"-p {elsewhere}"),
    )
    redis = RedisServer(settings.data)
    old = _redis_pid(settings)
    os.kill(old, signal.SIGKILL)
    ensure_stopped(redis)
    subprocess.run([_binary(), settings.data / "redis.conf"], check=True, stdout=subprocess.DEVNULL)
    until(lambda: _redis_pid(settings) not in {0, old})
    assert embedded.are_running(settings)

    postmaster, server = _postmaster(settings), _redis_pid(settings)
    after = embedded.ensure(settings)
    assert after.redis_url == before.redis_url
    assert f":{elsewhere}/" in after.database_url
    with _connect(after) as connection:
        assert connection.info.port == elsewhere
    assert (_postmaster(settings), _redis_pid(settings)) == (postmaster, server)

    (settings.data / "postgres.port").unlink()
    assert embedded.ensure(settings) == after

    assert embedded.stop_if_unused(settings)
    assert (postgres.running_port(), redis.running_port()) == (None, None)
    with pytest.raises(psycopg.OperationalError):
        _connect(after)


def test_a_first_start_that_was_cut_off_is_begun_again(settings: Settings) -> None:
    half = settings.data / "postgres.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with _connect(embedded.ensure(settings)):
        pass
    assert not half.exists()


def test_a_data_folder_that_cannot_start_is_refused_with_the_log(settings: Settings) -> None:
    embedded.ensure(settings)
    assert embedded.stop_if_unused(settings)
    (settings.data / "postgres" / "PG_VERSION").write_text("9\n")
    with pytest.raises(Refused) as refused:
        embedded.ensure(settings)
    assert "postgres.log" in refused.value.remedy


def test_a_lock_inherited_by_a_child_is_held_until_the_child_ends(tmp_path: Path) -> None:
    with FileLock(tmp_path / "lock") as lock:
        lock.take()
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=(lock.fd,))
    with FileLock(tmp_path / "lock") as lock:
        assert not lock.try_take()
        child.communicate()
        assert lock.try_take()


def test_a_port_is_kept_while_it_is_free_and_left_to_others_otherwise(tmp_path: Path) -> None:
    first = ports.choose(tmp_path / "port")
    assert ports.choose(tmp_path / "port") == first
    with socket.create_server((ports.LOOPBACK, first)):
        second = ports.choose(tmp_path / "port")
    assert second != first
    assert ports.remembered(tmp_path / "port") == second


def _postmaster(settings: Settings) -> int:
    return int((settings.data / "postgres" / "postmaster.pid").read_text().split()[0])


def _redis_pid(settings: Settings) -> int:
    try:
        return int((settings.data / "redis" / "redis.pid").read_text())
    except (OSError, ValueError):
        return 0


def _place(servers: Servers) -> str:
    return servers.database_url.replace("+psycopg", "", 1)


def _connect(servers: Servers) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(_place(servers))


def _start_user(settings: Settings) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _USE_AND_HANG],
        env={**os.environ, "SYNCLINE_DATA": str(settings.data)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
