from __future__ import annotations

import contextlib
import io
import json
import logging
from collections.abc import Callable, Iterator

import pytest
import structlog
from celery import Celery
from pydantic import SecretStr

from syncline.settings import Settings
from workers.logs import configure
from workers.task_logs import bind_tasks


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def written() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def logged(written: io.StringIO) -> Callable[[], list[dict[str, object]]]:
    with contextlib.redirect_stderr(written):
        configure(Settings(log_json=True))
    bind_tasks()
    return lambda: [json.loads(line) for line in written.getvalue().splitlines()]


Lines = Callable[[], list[dict[str, object]]]


def test_a_service_logs_json_with_level_time_and_ids(logged: Lines) -> None:
    structlog.get_logger("steps").info("page read", connection="acme", rows=100)
    (line,) = logged()
    assert line["event"] == "page read"
    assert (line["level"], line["connection"], line["rows"]) == ("info", "acme", 100)
    assert str(line["timestamp"]).endswith("Z")


def test_libraries_log_in_the_same_form(logged: Lines) -> None:
    logging.getLogger("celery.worker").warning("lost %s", "it")
    (line,) = logged()
    assert (line["event"], line["logger"]) == ("lost it", "celery.worker")


def test_what_stands_under_the_name_of_a_secret_is_never_logged(logged: Lines) -> None:
    structlog.get_logger().info(
        "connecting",
        access_token="hunter2",
        sealed=SecretStr("hunter2"),
        headers={"Authorization": "Bearer hunter2hunter2", "Version": "2021-07-28"},
        nested=[{"client_secret": "hunter2"}],
        url="redis://:hunter2@localhost:6379/0",
        api_key="hunter2",
    )
    logging.getLogger("lib").error("sent with bearer hunter2hunter2 to amqp://u:hunter2@h/")
    lines = logged()
    assert "hunter2" not in json.dumps(lines)
    assert lines[0]["headers"] == {"Authorization": "***", "Version": "2021-07-28"}
    assert lines[0]["url"] == "redis://:***@localhost:6379/0"


def test_a_traceback_does_not_show_the_password_of_a_url(logged: Lines) -> None:
    try:
        raise ValueError("cannot reach redis://:hunter2@localhost/0")  # noqa: TRY301
    except ValueError:
        structlog.get_logger().exception("failed")
    (line,) = logged()
    assert "ValueError" in str(line["exception"])
    assert "hunter2" not in str(line)


def test_a_task_puts_its_name_and_connection_on_every_line_and_takes_them_off_again(
    logged: Lines,
) -> None:
    app = Celery("logs", set_as_current=False)

    @app.task(name="syncline.pulls.orders", shared=False)  # else every later app has it too
    def orders(connection: str, since: str | None = None) -> None:
        structlog.get_logger().info("inside", since=since)

    orders.apply(args=("acme",))
    structlog.get_logger().info("outside")
    inside, outside = (line for line in logged() if line["event"] in {"inside", "outside"})
    assert (inside["task"], inside["connection"]) == ("syncline.pulls.orders", "acme")
    assert "connection" not in outside


def test_lines_for_people_are_not_json(written: io.StringIO) -> None:
    with contextlib.redirect_stderr(written):
        configure(Settings(log_json=False))
    structlog.get_logger().info("hello", connection="acme")
    assert "hello" in written.getvalue()
    assert "connection=acme" in written.getvalue()
    assert not written.getvalue().startswith("{")


def test_without_a_terminal_lines_are_json(written: io.StringIO) -> None:
    with contextlib.redirect_stderr(written):
        configure(Settings())
    structlog.get_logger().info("hello")
    assert json.loads(written.getvalue())["event"] == "hello"
