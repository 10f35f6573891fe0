"""What a sandbox is at a moment, and what may happen to it after: all that a restart must know."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.generating.orders import Generator
from syncline.sandbox.halo.tenant.store import HaloStore, Row
from syncline.sandbox.highlevel.account import Account
from syncline.sandbox.highlevel.events.outbox import Dial, Tally
from syncline.sandbox.location.store import Store
from syncline.sandbox.wire.calls import Call, CallLog
from syncline.sandbox.wire.limits import DailyJudge, Judge, SideLimits
from syncline.sandbox.wire.service import Request

Side = Literal["highlevel", "halo"]
Place = Literal[Side, "marketplace", "admin"]


@dataclass(slots=True)
class State:
    """Everything that one sandbox consists of, without what runs it.

    The fault dial and events that are under way are of a process, and end with it.

    Attributes:
        config: what it is set to.
        generator: makes its data, and holds it.
        account: what HighLevel itself keeps: the app's tokens, providers.
        calls: the log of calls.
        limits: side to its judges.
        dial: where HighLevel's events go.
        tally: what became of them.
    """

    config: SandboxConfig
    generator: Generator
    account: Account
    calls: CallLog
    limits: dict[str, SideLimits]
    dial: Dial = field(default_factory=Dial)
    tally: Tally = field(default_factory=Tally)

    @property
    def store(self) -> Store:
        """Both services' data."""
        return self.generator.store


@dataclass(frozen=True, slots=True)
class Effect:
    """A request that may have changed something, to be repeated as it was.

    Attributes:
        place: which door it came in by.
        at: when.
    """

    place: Place
    request: Request
    at: datetime


@dataclass(frozen=True, slots=True)
class Answered:
    """A call that was answered, or cut, and when it arrived by the monotonic clock."""

    call: Call
    monotonic: float


@dataclass(frozen=True, slots=True)
class Delivered:
    """One entry of the log of Halo's webhooks, and the counts after it."""

    row: Row
    sent: dict[str, int]


Record = Effect | Answered | Delivered


def keep_nothing(record: Record) -> None:
    """For a sandbox that does not outlive its process."""


def fresh(config: SandboxConfig, now: datetime) -> State:
    """The state of a sandbox to which nothing has happened yet."""
    generator = Generator(config, now)
    generator.fill().halo = HaloStore.of(config)
    return State(
        config=config,
        generator=generator,
        account=Account.of(config),
        calls=CallLog(),
        limits={
            "highlevel": SideLimits(
                Judge(config.highlevel_limit), DailyJudge(config.highlevel_daily)
            ),
            "halo": SideLimits(Judge(config.halo_limit)),
        },
    )
