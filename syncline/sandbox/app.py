"""The sandbox as one ASGI application: both services and the admin API over one state."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from syncline.sandbox.admin import Admin
from syncline.sandbox.calls import CallLog
from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.faults import Faults
from syncline.sandbox.gateway import Gateway, RateHeaders, Service, no_headers
from syncline.sandbox.generate import Generator
from syncline.sandbox.halo import HaloService
from syncline.sandbox.highlevel import HighLevelService
from syncline.sandbox.limits import DailyJudge, Judge, SideLimits


def utc_now() -> datetime:
    """The system's clock."""
    return datetime.now(UTC)


class Sandbox:
    """Everything one run of the sandbox consists of; `reset` makes all of it anew.

    Attributes:
        config: what it is set to.
        store: both services' data.
        faults: the fault dial.
        calls: the log of calls.
        limits: side to its judges.
        gateways: side to its ASGI application.
        highlevel: the emulated HighLevel.
        halo: the emulated Halo.
    """

    def __init__(self, config: SandboxConfig, now: Callable[[], datetime] = utc_now) -> None:
        self.now = now
        self.gateways: dict[str, Gateway] = {}
        self.reset(config)

    def reset(self, config: SandboxConfig) -> None:
        """Start over: fresh data, empty log, full limits, no faults, no late effects."""
        for gateway in self.gateways.values():
            gateway.close()
        self.config = config
        self.generator = Generator(config, self.now())
        self.store = self.generator.fill()
        self.faults = Faults(config.seed)
        self.calls = CallLog()
        self.limits = {
            "highlevel": SideLimits(
                Judge(config.highlevel_limit), DailyJudge(config.highlevel_daily)
            ),
            "halo": SideLimits(Judge(config.halo_limit)),
        }
        self.highlevel = HighLevelService(config, self.store, self.faults, self.now)
        self.halo = HaloService(config, self.store, self.faults, self.now)
        self.gateways = {
            "highlevel": self._gateway("highlevel", self.highlevel, self.highlevel.rate_headers),
            "halo": self._gateway("halo", self.halo, no_headers),
        }

    def _gateway(self, side: str, service: Service, rate_headers: RateHeaders) -> Gateway:
        return Gateway(
            side=side,
            service=service,
            limits=self.limits[side],
            faults=self.faults,
            calls=self.calls,
            now=self.now,
            rate_headers=rate_headers,
        )

    def side(self, name: str) -> ASGIApp:
        """The side's application as it is now, also after a reset."""

        async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
            await self.gateways[name](scope, receive, send)

        return dispatch


def create_app(config: SandboxConfig | None = None) -> Starlette:
    """The sandbox's application: `/highlevel`, `/halo` and `/admin`."""
    sandbox = Sandbox(config or SandboxConfig())
    app = Starlette(
        routes=[
            Mount("/highlevel", app=sandbox.side("highlevel")),
            Mount("/halo", app=sandbox.side("halo")),
            Mount("/admin", app=Admin(sandbox)),
        ]
    )
    app.state.sandbox = sandbox
    return app
