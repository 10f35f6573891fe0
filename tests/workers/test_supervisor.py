from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from structlog.testing import capture_logs

from syncline.errors import UnknownName
from workers.supervisor import Backoff, Process, Supervisor

QUICK = Backoff(first=timedelta(milliseconds=1), longest=timedelta(milliseconds=50))
SLEEPER = (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)")
IGNORE = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True);"
STUBBORN = (sys.executable, "-c", f"{IGNORE} time.sleep(600)")
_NEVER = threading.Event()


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(tmp_path, grace=timedelta(milliseconds=300), backoff=QUICK) as supervisor:
        yield supervisor


def test_a_killed_process_is_started_again_and_told_unless_it_was_killed_here(
    supervisor: Supervisor,
) -> None:
    supervisor.start([Process("one", SLEEPER), Process("other", SLEEPER)])
    first, other = _pid(supervisor, "one"), _pid(supervisor, "other")
    with capture_logs() as told:
        assert supervisor.kill("one", signal.SIGKILL) == first
        until(lambda: supervisor.pid("one") not in {None, first})
        assert supervisor.pid("other") == other
        os.kill(other, signal.SIGKILL)
        until(lambda: supervisor.pid("other") not in {None, other})
    assert [one["process"] for one in told] == ["other"]


def test_what_a_process_prints_is_in_its_log_and_its_variables_are_its_own(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    show = "import os, sys; print(os.environ['ONLY']); print('bad', file=sys.stderr)"
    supervisor.start([Process("talker", (sys.executable, "-c", show), {"ONLY": "here"})])
    until(lambda: {"here", "bad"} <= set((tmp_path / "talker.log").read_text().split()))
    assert "ONLY" not in os.environ


def test_a_process_is_not_shown_with_its_variables() -> None:
    assert "hunter2" not in repr(Process("flower", ("flower",), {"PASSWORD": "hunter2"}))


def test_stopping_ends_everything_also_what_ignores_the_request(tmp_path: Path) -> None:
    with Supervisor(tmp_path, grace=timedelta(milliseconds=300), backoff=QUICK) as supervisor:
        supervisor.start([Process("polite", SLEEPER), Process("stubborn", STUBBORN)])
        until(lambda: "up" in (tmp_path / "stubborn.log").read_text())
        pids = [_pid(supervisor, name) for name in ("polite", "stubborn")]
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert supervisor.pid("stubborn") is None
    assert supervisor.kill("stubborn") is None


def test_children_end_when_the_supervising_process_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; "
        "from workers.supervisor import Process, Supervisor; "
        f"s = Supervisor(Path({str(tmp_path)!r})); "
        f"s.start([Process('child', {SLEEPER!r})]); "
        "print(s.pid('child'), flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_a_name_that_was_never_started_is_refused_with_those_that_were(
    supervisor: Supervisor,
) -> None:
    supervisor.start([Process("one", SLEEPER)])
    with pytest.raises(UnknownName) as refused:
        supervisor.kill("two")
    assert "one" in refused.value.remedy


def test_a_program_that_does_not_exist_is_an_error_at_once(supervisor: Supervisor) -> None:
    with pytest.raises(OSError, match="nowhere"):
        supervisor.start([Process("none", ("/nowhere/program",))])


def test_the_rest_after_each_death_doubles_up_to_the_longest() -> None:
    backoff = Backoff(first=timedelta(seconds=1), longest=timedelta(seconds=10))
    rests = [backoff.rest(deaths).total_seconds() for deaths in (1, 2, 3, 4, 5, 5000)]
    assert rests == [1, 2, 4, 8, 10, 10]


def _pid(supervisor: Supervisor, name: str) -> int:
    pid = supervisor.pid(name)
    assert pid is not None
    return pid


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "this did not come true"
        _NEVER.wait(0.01)
