"""No secret in logs, nudges, error texts, Redis or, in plain, in the ledger."""

from __future__ import annotations

from typing import Any

import pytest
from redis import Redis

from syncline.sandbox.config import TOKEN, SandboxConfig
from syncline.sandbox.process import SandboxProcess
from tests.catalog import TABLES
from tests.world import Worlds, small


def test_nothing_that_is_kept_or_said_holds_a_secret(
    worlds: Worlds,
    sandbox: SandboxProcess,
    redis_url: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    small(sandbox)
    secret = SandboxConfig().halo_client_secret
    sandbox.faults(kind="500", probability=0.2)
    caplog.set_level("DEBUG")
    world = worlds()
    world.owe_pull()
    world.drive()
    sandbox.faults()
    sandbox.reset(halo_client_secret="another", tokens=[])
    world.reopened()
    world.do("delete from credential where purpose = 'access_token'")
    world.do("update delivery set state = 'due' where target = 'order'")
    world.owe_pull()
    for _ in range(3):
        world.follow_all()
    said = [str(error) + repr(error) for error in world.failures]
    assert said
    held = [
        str(row[0])
        for (name,) in world.rows(TABLES)
        for row in world.rows(f"select t::text from {name} t")  # noqa: S608 - our own tables
    ]
    out, err = capfd.readouterr()
    sealed = repr(world.rows("select sealed from credential"))
    everything = "\n".join(
        [*said, *held, *_redis(redis_url), repr(world.nudges), caplog.text, out, err, sealed]
    )
    assert TOKEN not in everything
    assert secret not in everything
    assert "Bearer ey" not in everything


def _redis(url: str) -> list[str]:
    kept: list[str] = []
    with Redis.from_url(url) as redis:
        for key in redis.scan_iter():
            dump: Any = redis.dump(key)
            kept += [repr(key), repr(dump)]
    return kept
