"""Hears what processes say to each other through Redis: every command, every event of a task."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from celery import Celery
from celery.events import EventReceiver
from redis import Redis

_ENOUGH = "nothing more is listened to"


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard so far.

    Attributes:
        commands: every command that anybody sent to Redis, with its arguments.
        events: every event of tasks and workers, as Flower takes them in.
    """

    commands: list[str] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def kinds(self) -> set[str]:
        """Which kinds of events there were."""
        return {event["type"] for event in self.events}


@contextmanager
def listening(redis_url: str) -> Iterator[Heard]:
    """Hear everything that is said through a Redis for the length of a block."""
    heard = Heard()
    ready = threading.Event()
    commands = threading.Thread(target=_hear_commands, args=(redis_url, heard, ready))
    with Celery(broker=redis_url, set_as_current=False) as app:
        app.config_from_object("celeryconfig")
        with app.connection_for_read() as connection:
            receiver = EventReceiver(connection, handlers={"*": heard.events.append}, app=app)
            events = threading.Thread(target=receiver.capture, kwargs={"wakeup": False})
            commands.start()
            events.start()
            ready.wait(10)
            try:
                yield heard
            finally:
                receiver.should_stop = True
                with Redis.from_url(redis_url) as redis:
                    redis.echo(_ENOUGH)
                commands.join()
                events.join()


def _hear_commands(redis_url: str, heard: Heard, ready: threading.Event) -> None:
    with Redis.from_url(redis_url) as redis, redis.monitor() as monitor:
        ready.set()
        for told in monitor.listen():
            if told["command"] == f"ECHO {_ENOUGH}":
                return
            heard.commands.append(told["command"])


def lying_in(redis_url: str) -> dict[str, str]:
    """Every key of a Redis with all that it holds."""
    with Redis.from_url(redis_url) as redis:
        return {key.decode(): repr(_held(redis, key)) for key in redis.scan_iter()}


def _held(redis: Redis, key: bytes) -> Any:
    readers: dict[bytes, Any] = {
        b"string": redis.get,
        b"hash": redis.hgetall,
        b"set": redis.smembers,
        b"list": lambda name: redis.lrange(name, 0, -1),
        b"zset": lambda name: redis.zrange(name, 0, -1, withscores=True),
    }
    kind: Any = redis.type(key)
    return None if kind == b"none" else readers[kind](key)
