"""The settings hold together: lanes, queues, schedule, and how processes are started."""

from __future__ import annotations

from pathlib import Path

import pytest
from celery import Celery
from celery.app.defaults import NAMESPACES, flatten
from celery.exceptions import QueueNotFound
from pydantic import SecretStr

import celeryconfig
from schedules.ticks import ticks
from syncline.errors import Refused
from syncline.queues import Lane
from syncline.settings import Settings
from workers import flower, processes
from workers.crews import CREWS, EVERYTHING


@pytest.fixture
def app() -> Celery:
    app = Celery("config", broker="memory://", set_as_current=False)
    app.config_from_object(celeryconfig)
    return app


def test_every_setting_is_one_that_celery_knows() -> None:
    known = {found[0] for found in flatten(NAMESPACES)}
    ours = {name for name in vars(celeryconfig) if name.islower() and not name.startswith("_")}
    assert ours - known <= {"annotations"}


def test_each_lane_has_a_queue_and_a_crew(app: Celery) -> None:
    queues = set(app.amqp.queues)
    assert queues == {lane.queue for lane in Lane}
    assert {name for crew in CREWS for name in crew.queues.split(",")} == queues
    assert set(EVERYTHING.queues.split(",")) == queues


def test_a_misspelt_queue_fails_where_it_is_published(app: Celery) -> None:
    with pytest.raises(QueueNotFound):
        app.send_task("syncline.upkeep.sweep", queue="syncline.upkep")


def test_each_tick_goes_to_a_queue_that_exists(app: Celery) -> None:
    assert {tick.lane.queue for tick in ticks(Settings())} <= set(app.amqp.queues)


def test_a_message_is_json_and_kept_until_its_work_is_done(app: Celery) -> None:
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_serializer == app.conf.event_serializer == "json"
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
    assert app.conf.worker_prefetch_multiplier == 1
    assert app.conf.result_backend is None


def test_a_dead_workers_messages_come_back_soon_and_not_before_the_longest_countdown() -> None:
    from tasks.nudging import LONGEST_COUNTDOWN  # noqa: PLC0415 - it belongs to the tasks

    options = celeryconfig.broker_transport_options
    assert LONGEST_COUNTDOWN < options["visibility_timeout"] <= 60
    assert options["unacked_restore_interval"] * options["unacked_restore_throttle"] <= 5


def test_workers_are_started_with_threads_and_stop_softly(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, worker_threads=8)
    deliver, pull, beat = processes.workers(settings)
    line = " ".join(deliver.command)
    assert "-A workers.app worker -n deliver@%h -P threads -c 8" in line
    assert "--without-gossip --without-mingle" in line
    assert " -c 4 " in " ".join(pull.command)
    assert deliver.env == {
        "SYNCLINE_DATA": str(tmp_path),
        "REMAP_SIGTERM": "SIGQUIT",
        "MALLOC_ARENA_MAX": "2",
    }
    assert str(tmp_path / "beat.schedule") in beat.command
    assert CREWS[1].threads(1) == 2


def test_flower_shows_itself_to_this_machine_and_to_whoever_knows_the_password(
    tmp_path: Path,
) -> None:
    settings = Settings(data=tmp_path)
    process = flower.flower(settings, 5999)
    password = (tmp_path / "flower.password").read_text().strip()
    assert process.env["FLOWER_BASIC_AUTH"] == f"syncline:{password}"
    assert process.env["FLOWER_ADDRESS"] == "127.0.0.1"
    assert process.env["FLOWER_READ_ONLY"] == "true"
    assert process.env["FLOWER_PORT"] == "5999"
    assert password not in " ".join(process.command) + repr(process)
    assert (
        flower.flower(settings, 5999).env["FLOWER_COOKIE_SECRET"]
        != (process.env["FLOWER_COOKIE_SECRET"])
    )


def test_flower_takes_another_port_when_its_own_is_taken(tmp_path: Path) -> None:
    import socket  # noqa: PLC0415 - for this test alone

    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(data=tmp_path, flower_port=taken.getsockname()[1])
        assert flower.port(settings) != settings.flower_port
    assert flower.port(settings) == settings.flower_port


def test_a_flower_password_with_a_comma_is_refused(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, flower_password=SecretStr("one,two"))
    with pytest.raises(Refused, match="comma"):
        flower.flower(settings, 5999)
