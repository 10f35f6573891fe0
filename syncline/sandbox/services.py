"""Both emulated services over one state, behind their gateways; `reset` makes all of it anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from starlette.types import ASGIApp, Receive, Scope, Send

from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.generating.orders import Generator
from syncline.sandbox.halo.reporting.page import DASHBOARDS, page
from syncline.sandbox.halo.service import HaloService
from syncline.sandbox.halo.webhooks.sending import HaloSender
from syncline.sandbox.highlevel.events.outbox import Event, Outbox
from syncline.sandbox.highlevel.events.signing import SigningKeys
from syncline.sandbox.highlevel.events.writer import EventWriter
from syncline.sandbox.highlevel.service import HighLevelService
from syncline.sandbox.server.gateway import Gateway, read_request, send_reply
from syncline.sandbox.wire.calls import CallLog
from syncline.sandbox.wire.faults import Faults
from syncline.sandbox.wire.limits import DailyJudge, Judge, SideLimits
from syncline.sandbox.wire.service import RateHeaders, Reply, Service, no_headers


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
        halo_sender: sends its webhooks.
        keys: what HighLevel's events are signed with; stays over a reset, as `outbox` does.
        outbox: sends HighLevel's events.
        events: writes them.
    """

    def __init__(
        self,
        config: SandboxConfig,
        now: Callable[[], datetime] = utc_now,
        keys: SigningKeys | None = None,
    ) -> None:
        self.now = now
        self.gateways: dict[str, Gateway] = {}
        self.halo_sender = HaloSender()
        self.keys = keys or SigningKeys()
        self.outbox = Outbox(self.keys)
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
        self.outbox.reset(seed=config.seed)
        self.events = EventWriter(config, self.generator, self.now)
        self.halo = HaloService(config, self.store, self.faults, self.now)
        self.halo_sender.start_over(self.halo.tenant)
        self.halo.afterwards = self.halo_sender.send_new
        self.gateways = {
            "highlevel": self._gateway("highlevel", self.highlevel, self.highlevel.rate_headers),
            "halo": self._gateway("halo", self.halo, no_headers),
        }

    def announce_orders(self, kind: str, ids: Iterable[str]) -> None:
        """Send an event about each of these orders, if events go anywhere."""
        if self.outbox.dial.url is None:
            return
        for order_id in ids:
            self.outbox.send(self.events.of_order(kind, self.store.orders[order_id]))

    def announce_app(self, kind: str) -> Event:
        """Send an event about the app in the location, if events go anywhere."""
        event = self.events.of_app(kind)
        if self.outbox.dial.url is not None:
            self.outbox.send(event)
        return event

    async def marketplace(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The page where a person installs the app; no call of the API, so no limit counts it."""
        request = await read_request(scope, receive)
        oauth = self.highlevel.oauth
        if (request.method, request.path) != ("GET", "/oauth/chooselocation"):
            await send_reply(send, Reply(404, f"Cannot {request.method} {request.path}"), {})
            return
        before, reply = oauth.installed_at, oauth.choose_location(request.query)
        if oauth.installed_at != before:
            self.announce_app("INSTALL")
        await send_reply(send, reply, {})

    async def halo_door(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The API of Halo, and the pages of its dashboards for people, which no limit counts."""
        below = scope["path"].removeprefix(scope.get("root_path", ""))
        if not below.startswith(DASHBOARDS):
            await self.gateways["halo"](scope, receive, send)
            return
        request = await read_request(scope, receive)
        await send_reply(send, page(self.halo.tenant.store, self.halo.loaded, request), {})

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
