"""Both emulated services over one state, behind their gateways; `reset` makes all of it anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from starlette.types import ASGIApp, Receive, Scope, Send

from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.halo.reporting.page import DASHBOARDS, page
from syncline.sandbox.halo.service import HaloService
from syncline.sandbox.halo.tenant.store import Row
from syncline.sandbox.halo.webhooks.sending import HaloSender
from syncline.sandbox.highlevel.events.outbox import Event, Outbox
from syncline.sandbox.highlevel.events.signing import SigningKeys
from syncline.sandbox.highlevel.events.writer import EventWriter
from syncline.sandbox.highlevel.service import HighLevelService
from syncline.sandbox.keeping.clock import Clock, utc_now
from syncline.sandbox.keeping.journal import Journal
from syncline.sandbox.keeping.state import Delivered, Effect, Record, Side, State, fresh
from syncline.sandbox.server.gateway import Gateway, read_request, send_reply
from syncline.sandbox.wire.faults import Faults
from syncline.sandbox.wire.service import RateHeaders, Reply, Request, Service, no_headers


class Sandbox:
    """Everything one run of the sandbox consists of; `reset` makes all of it anew.

    Attributes:
        config: what it is set to.
        now: its clock.
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
        state: State | None = None,
    ) -> None:
        self.now = Clock(now)
        self.gateways: dict[Side, Gateway] = {}
        self.halo_sender = HaloSender()
        self.halo_sender.delivered = self._delivered
        self.keys = keys or SigningKeys()
        self.outbox = Outbox(self.keys)
        self._journal: Journal | None = None
        self.take(state or fresh(config, self.now()))

    def reset(self, config: SandboxConfig) -> None:
        """Start over: fresh data, empty log, full limits, no faults, no late effects."""
        self.take(fresh(config, self.now()))
        if self._journal is not None:
            self._journal.replace(self.state, wait=True)

    def take(self, state: State) -> None:
        """Be what a state says from now on; nothing is under way, and there are no faults."""
        for gateway in self.gateways.values():
            gateway.close()
        config = self.config = state.config
        self.generator, self.store = state.generator, state.store
        self.account, self.calls, self.limits = state.account, state.calls, state.limits
        self.faults = Faults(config.seed)
        self.highlevel = HighLevelService(config, self.store, self.faults, self.now, self.account)
        self.outbox.reset(seed=config.seed, dial=state.dial, tally=state.tally)
        self.events = EventWriter(config, self.generator, self.now)
        self.halo = HaloService(config, self.store, self.faults, self.now)
        self.halo_sender.start_over(self.halo.tenant)
        self.halo.afterwards = self.halo_sender.send_new
        self.gateways = {
            "highlevel": self._gateway("highlevel", self.highlevel, self.highlevel.rate_headers),
            "halo": self._gateway("halo", self.halo, no_headers),
        }

    @property
    def state(self) -> State:
        """All that a restart must know, as it is now."""
        outbox = self.outbox
        return State(
            self.config, self.generator, self.account, self.calls, self.limits, outbox.dial,
            outbox.tally,
        )  # fmt: skip

    def keep_in(self, journal: Journal) -> None:
        """Outlive restarts from now on."""
        self._journal = journal
        journal.replace(self.state)

    def keep(self, record: Record) -> None:
        """Keep what happened, where anything is kept."""
        if self._journal is None:
            return
        self._journal.append(record)
        if self._journal.is_long:
            self._journal.replace(self.state)

    def close(self) -> None:
        """Keep what there is, in one piece, and let go of its files."""
        if self._journal is not None:
            self._journal.replace(self.state, wait=True)
            self._journal.close()
            self._journal = None

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
        if (request.method, request.path) != ("GET", "/oauth/chooselocation"):
            await send_reply(send, Reply(404, f"Cannot {request.method} {request.path}"), {})
            return
        with self.now.held() as at:
            reply = self.install(request)
        self.keep(Effect("marketplace", request, at))
        await send_reply(send, reply, {})

    def install(self, request: Request) -> Reply:
        """Let a person choose the location in which the app is installed."""
        oauth = self.highlevel.oauth
        before, reply = oauth.installed_at, oauth.choose_location(request.query)
        if oauth.installed_at != before:
            self.announce_app("INSTALL")
        return reply

    async def halo_door(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The API of Halo, and the pages of its dashboards for people, which no limit counts."""
        below = scope["path"].removeprefix(scope.get("root_path", ""))
        if not below.startswith(DASHBOARDS):
            await self.gateways["halo"](scope, receive, send)
            return
        request = await read_request(scope, receive)
        await send_reply(send, page(self.halo.tenant.store, self.halo.loaded, request), {})

    def side(self, name: Side) -> ASGIApp:
        """The side's application as it is now, also after a reset."""

        async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
            await self.gateways[name](scope, receive, send)

        return dispatch

    def _gateway(self, side: Side, service: Service, rate_headers: RateHeaders) -> Gateway:
        return Gateway(
            side=side,
            service=service,
            limits=self.limits[side],
            faults=self.faults,
            calls=self.calls,
            clock=self.now,
            rate_headers=rate_headers,
            keep=self.keep,
        )

    def _delivered(self, row: Row) -> None:
        self.keep(Delivered(row, dict(self.halo.tenant.store.sent)))
