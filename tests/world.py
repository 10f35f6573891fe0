"""A whole syncline in one process, against the sandbox: the steps driven until nothing is due.

Celery is left out; what it carries is only nudges, and here they are followed at once.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from pydantic import SecretStr
from sqlalchemy import text

from syncline.ledger import connections
from syncline.ledger.connections import NewConnection
from syncline.mapping.document import default_document
from syncline.quota.keys import Lane
from syncline.quota.nudges import Nudges
from syncline.sandbox.config import LOCATION, TOKEN, SandboxConfig
from syncline.sandbox.process import SandboxProcess
from syncline.settings import Settings
from syncline.steps.look_up import look_up
from syncline.steps.parts import Nudge, Parts
from syncline.steps.pull import Finished, pull
from syncline.steps.send import send
from syncline.steps.sweep import sweep
from syncline.steps.tokens import keep
from workers.parts import make_parts

NAME = "acme"


class World:
    """The parts of one worker, a connection to the sandbox, and a driver."""

    def __init__(
        self,
        database_url: str,
        redis_url: str,
        sandbox: SandboxProcess,
        *,
        style: str = "detail",
        settle: int = 1,
        halo: tuple[int, int] = (300, 300),
        highlevel: tuple[int, int] = (100, 10),
        **settings: Any,
    ) -> None:
        self.sandbox = sandbox
        defaults: dict[str, Any] = {
            "key": SecretStr("k" * 40),
            "deadline": timedelta(seconds=5),
            "quota_reserve": 0.0,
        }
        self.settings = Settings(**{**defaults, **settings})
        self.parts: Parts = make_parts(self.settings, database_url, redis_url, self._announce)
        self.nudges: list[Nudge] = []
        self._connect(style, settle, halo, highlevel)

    def close(self) -> None:
        self.parts.abandon()
        self.parts.ledger.engine.dispose()
        self.parts.workers.shutdown()

    def pull(self, kind: str = "order", since: date | None = None) -> Finished:
        today = self.parts.now().date()
        return pull(
            self.parts,
            self.parts.open_line(NAME),
            kind,
            since or today - timedelta(days=30),
            today,
            Lane.PULLS,
        )

    def drive(self, seconds: float = 60) -> None:
        """Follow the sweep's nudges until nothing is due, doubtful or owned any more."""
        give_up = time.monotonic() + seconds
        while self.open_deliveries():
            for nudge in sweep(self.parts):
                self.follow(nudge)
            if time.monotonic() > give_up:
                raise AssertionError(f"still open: {self.counts()}")
            time.sleep(0.02)

    def follow(self, nudge: Nudge) -> None:
        line = self.parts.open_line(nudge.connection)
        if nudge.task == "send":
            send(self.parts, line, nudge.target)
        elif nudge.task == "look_up":
            look_up(self.parts, line, nudge.target)

    def open_deliveries(self) -> int:
        return sum(
            number
            for (_, state), number in self.counts().items()
            if state not in {"delivered", "parked"}
        )

    def counts(self) -> dict[tuple[str, str], int]:
        return {
            (row.flow, row.state): row.number
            for row in self.rows(
                "select flow, state, count(*) as number from delivery group by flow, state"
            )
        }

    def rows(self, sql: str, **parameters: Any) -> list[Any]:
        with self.parts.ledger.begin() as connection:
            return list(connection.execute(text(sql), parameters))

    def _announce(self, _: Nudges, wanted: Iterable[Nudge]) -> None:
        self.nudges.extend(wanted)

    def _connect(
        self, style: str, settle: int, halo: tuple[int, int], highlevel: tuple[int, int]
    ) -> None:
        sandbox_defaults = SandboxConfig()
        new = NewConnection(
            name=NAME,
            location_id=LOCATION,
            highlevel_url=self.sandbox.highlevel_url,
            highlevel_calls=highlevel[0],
            highlevel_seconds=highlevel[1],
            highlevel_daily=200_000,
            halo_url=self.sandbox.halo_url,
            tenant_key=None,
            client_id=sandbox_defaults.halo_client_id,
            scope="all",
            halo_calls=halo[0],
            halo_seconds=halo[1],
            settle_seconds=settle,
            mapping=default_document(style, {"orders": {"test_mode": "include"}}),  # type: ignore[arg-type]  # a test names detail or summary
            mode="sandbox",
            start_from=date(2026, 1, 1),
        )
        with self.parts.ledger.begin() as connection:
            link = connections.add(connection, new)
            sealer = self.parts.sealer
            keep(connection, sealer, link.location_place, "private_token", SecretStr(TOKEN))
            secret = SecretStr(sandbox_defaults.halo_client_secret)
            keep(connection, sealer, link.tenant_place, "client_secret", secret)
