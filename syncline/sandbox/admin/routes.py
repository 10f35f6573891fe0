"""The sandbox's own API, for tests, the demo and the benchmarks: reset, faults, changes, audit."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import asdict
from itertools import islice
from typing import Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from syncline.sandbox.admin.halo import Admin as HaloAdmin
from syncline.sandbox.admin.highlevel import Admin as HighLevelAdmin
from syncline.sandbox.audit.verdict import audit
from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.highlevel.rows import list_row, single
from syncline.sandbox.keeping.state import Effect
from syncline.sandbox.location.changes import (
    SubscriptionChange,
    TransactionChange,
    change_orders,
    change_subscriptions,
    change_transactions,
)
from syncline.sandbox.location.fulfillments import fulfill_by_hand
from syncline.sandbox.planting.plant import Planting, plant
from syncline.sandbox.server.gateway import Receive, Scope, Send, read_request, send_reply
from syncline.sandbox.services import Sandbox
from syncline.sandbox.tampering.tamper import Tampering, tamper
from syncline.sandbox.wire.faults import Rule
from syncline.sandbox.wire.service import Reply, Request

_NOT_KEPT = ("/reset", "/faults", "/documents")
"""What a restart does not repeat: it keeps no faults, and a reset is kept as a whole."""

KINDS = ("orders", "transactions", "subscriptions", "contacts", "fulfillments")


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Chosen(_Form):
    count: int = Field(default=0, ge=0)
    ids: list[str] = []


class _Change(_Chosen):
    fields: Literal["status", "amount"] = "status"


class _ChangeTransactions(_Chosen):
    what: TransactionChange


class _ChangeSubscriptions(_Chosen):
    what: SubscriptionChange


class _Add(_Form):
    count: int = Field(ge=0)


class _AddTransactions(_Add):
    orders: list[str] = []


class _Replay(_Form):
    ids: list[str]
    reads: int = Field(default=1, ge=1)


class _Remove(_Form):
    ids: list[str]


class _Documents(_Form):
    kind: Literal["orders", "transactions", "subscriptions"]
    first: int = Field(default=0, ge=0)
    count: int = Field(ge=0)
    shown: Literal["list", "single"]


class _Item(_Form):
    priceId: str  # noqa: N815 - as HighLevel spells it
    qty: float = Field(gt=0)


class _Fulfill(_Form):
    order: str
    items: list[_Item] | None = None
    trackings: list[dict[str, str]] | None = None


class Admin:
    """The ASGI application under `/admin`; JSON in and out.

    `POST /reset` (a config), `POST /faults` (`{"rules": [...]}`), `POST /orders/change`,
    `POST /orders/add`, `POST /orders/fulfill`, `POST /orders/remove`,
    `POST /transactions/change`, `POST /transactions/add`, `POST /subscriptions/change`,
    `POST /replay`, `POST /plant`, `POST /tamper`, `POST /documents`, `GET /audit?each=`,
    `GET /secrets`, `GET /calls?side=&after=`, `GET /counters`, `GET /state/{kind}` and
    `/state/{kind}/{id}`;
    `/halo/...` is the Halo tenant's own, `/highlevel/...` HighLevel's.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._highlevel = HighLevelAdmin(sandbox)
        self._routes: dict[tuple[str, str], Callable[[Request], Any]] = {
            ("POST", "/reset"): self._reset,
            ("POST", "/faults"): self._faults,
            ("POST", "/orders/change"): self._change,
            ("POST", "/orders/add"): self._add,
            ("POST", "/orders/fulfill"): self._fulfill,
            ("POST", "/orders/remove"): self._remove,
            ("POST", "/transactions/change"): self._change_transactions,
            ("POST", "/transactions/add"): self._add_transactions,
            ("POST", "/subscriptions/change"): self._change_subscriptions,
            ("POST", "/replay"): self._replay,
            ("POST", "/plant"): self._plant,
            ("POST", "/tamper"): self._tamper,
            ("POST", "/documents"): self._documents,
            ("GET", "/config"): lambda _: self._sandbox.config.model_dump(mode="json"),
            ("GET", "/secrets"): lambda _: {"secrets": self._secrets()},
            ("GET", "/audit"): self._audit,
            ("GET", "/calls"): self._calls,
            ("GET", "/counters"): self._counters,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call of the admin API."""
        request = await read_request(scope, receive)
        await send_reply(send, await self._answer(request), {})

    async def _answer(self, request: Request) -> Reply:
        try:
            with self._sandbox.now.held() as at:
                begun = self.begin(request)
        except ValidationError as error:
            return Reply(422, {"error": error.errors(include_url=False, include_context=False)})
        except (msgspec.DecodeError, ValueError, KeyError) as error:
            return Reply(422, {"error": str(error)})
        if request.method == "POST" and request.path not in _NOT_KEPT:
            self._sandbox.keep(Effect("admin", request, at))
        return begun if isinstance(begun, Reply) else Reply(200, await begun)

    def begin(self, request: Request) -> Reply | Coroutine[Any, Any, Any]:
        """Do what is asked, as far as it changes something here.

        Returns:
            The reply, or what is to be waited for to know what it holds.

        Raises:
            ValidationError, DecodeError, ValueError, KeyError: it cannot be done.
        """
        route = self._routes.get((request.method, request.path))
        if route is not None:
            return Reply(200, route(request))
        if request.path.startswith("/highlevel/"):
            begun = self._highlevel.begin(request)
            return Reply(200, begun) if isinstance(begun, dict) else begun
        if request.path.startswith("/halo/"):
            return HaloAdmin(self._sandbox.halo, self._sandbox.store).handle(request)
        if request.path.startswith("/state/"):
            return self._state(request)
        return Reply(404, {"error": f"no {request.method} {request.path} here"})

    def _reset(self, request: Request) -> dict[str, Any]:
        config = SandboxConfig.model_validate_json(request.body or b"{}")
        self._sandbox.reset(config)
        return {"orders": len(self._sandbox.store.orders), "profile": config.profile}

    def _faults(self, request: Request) -> dict[str, Any]:
        """Put rules in place of all others; the answer also tells what fired so far."""
        body = msgspec.json.decode(request.body or b"{}")
        rules = TypeAdapter(list[Rule]).validate_python(body.get("rules", []))
        self._sandbox.faults.set(rules)
        return {"rules": len(rules), "fired": self._sandbox.faults.fired}

    def _change(self, request: Request) -> dict[str, Any]:
        form = _Change.model_validate_json(request.body)
        changed = change_orders(
            self._sandbox.store,
            now=self._sandbox.now(),
            field_name=form.fields,
            count=form.count,
            ids=form.ids,
        )
        if form.fields == "status":
            self._sandbox.announce_orders("OrderStatusUpdate", changed)
        return {"ids": changed}

    def _add(self, request: Request) -> dict[str, Any]:
        form = _Add.model_validate_json(request.body)
        made = self._sandbox.generator.add_orders(form.count, now=self._sandbox.now())
        self._sandbox.announce_orders("OrderCreate", made)
        return {"ids": made}

    def _fulfill(self, request: Request) -> dict[str, Any]:
        """Make a fulfillment as a person does in HighLevel; no event tells of it."""
        form = _Fulfill.model_validate_json(request.body)
        made = fulfill_by_hand(
            self._sandbox.store,
            self._sandbox.store.orders[form.order],
            items=None if form.items is None else {one.priceId: one.qty for one in form.items},
            trackings=form.trackings,
            now=self._sandbox.now(),
            rng=self._sandbox.generator.rng,
        )
        return {"id": made["_id"]}

    def _remove(self, request: Request) -> dict[str, Any]:
        """Let orders be gone from HighLevel; no event tells of it."""
        form = _Remove.model_validate_json(request.body)
        return {"ids": self._sandbox.store.remove_orders(form.ids)}

    def _change_transactions(self, request: Request) -> dict[str, Any]:
        form = _ChangeTransactions.model_validate_json(request.body)
        store, now = self._sandbox.store, self._sandbox.now()
        changed = change_transactions(
            store, now=now, what=form.what, count=form.count, ids=form.ids
        )
        return {"ids": changed}

    def _add_transactions(self, request: Request) -> dict[str, Any]:
        form = _AddTransactions.model_validate_json(request.body)
        made = self._sandbox.generator.add_transactions(
            form.count, order_ids=form.orders, now=self._sandbox.now()
        )
        return {"ids": made}

    def _change_subscriptions(self, request: Request) -> dict[str, Any]:
        form = _ChangeSubscriptions.model_validate_json(request.body)
        store, now = self._sandbox.store, self._sandbox.now()
        changed = change_subscriptions(
            store, now=now, what=form.what, count=form.count, ids=form.ids
        )
        return {"ids": changed}

    def _replay(self, request: Request) -> dict[str, Any]:
        form = _Replay.model_validate_json(request.body)
        return {"ids": self._sandbox.store.replay(form.ids, form.reads)}

    def _plant(self, request: Request) -> dict[str, Any]:
        """Put the location's orders into Halo as another tool would have; tells what is true."""
        planting = Planting.model_validate_json(request.body or b"{}")
        return asdict(plant(self._sandbox.store, self._sandbox.halo.tenant, planting))

    def _tamper(self, request: Request) -> dict[str, Any]:
        """Change rows by hand on either side; tells what was changed."""
        wish = Tampering.model_validate_json(request.body)
        changed = tamper(self._sandbox.store, self._sandbox.halo.tenant, wish)
        self._sandbox.halo.afterwards()
        return {"changed": changed}

    def _documents(self, request: Request) -> dict[str, Any]:
        """Documents as HighLevel's lists or single reads show them, many at once: no call."""
        form = _Documents.model_validate_json(request.body)
        store = self._sandbox.store
        stored: dict[str, Any] = getattr(store, form.kind)
        some = islice(stored.values(), form.first, form.first + form.count)
        if form.shown == "list":
            return {"documents": [list_row(store, form.kind, one) for one in some]}
        return {"documents": [single(store, one, "") for one in some]}

    def _secrets(self) -> list[str]:
        """Whatever opens something: issued here, or given to the tenant for its webhooks."""
        config, halo = self._sandbox.config, self._sandbox.halo.tenant.store
        hooks = halo.webhooks.values()
        return [
            *(token.value for token in config.tokens),
            *(config.oauth_client_secret, config.halo_client_secret),
            *self._sandbox.highlevel.oauth.issued(),
            *halo.tokens,
            *(hook["basic_password"] for hook in hooks if hook.get("basic_password")),
            *(hook["url"].rpartition("/")[2] for hook in hooks if hook.get("url")),
        ]

    def _audit(self, request: Request) -> dict[str, Any]:
        box, each = self._sandbox, bool(request.query.get("each"))
        return audit(box.store, box.calls, box.limits, each=each)

    def _calls(self, request: Request) -> dict[str, Any]:
        side = request.query.get("side") or None
        after = int(request.query.get("after", "0"))
        return {"calls": self._sandbox.calls.documents(side, after)}

    def _counters(self, _: Request) -> dict[str, Any]:
        counters: dict[str, Any] = {
            side: {
                "calls": len(self._sandbox.calls.of(side)),
                "rejected_429": limits.rejected,
                "max_in_window": limits.max_in_window,
                "limit": limits.limit.model_dump(),
                "operations": self._sandbox.calls.by_operation(side),
            }
            for side, limits in self._sandbox.limits.items()
        }
        counters["shapes"] = {
            "highlevel": self._sandbox.highlevel.shapes,
            "halo": self._sandbox.halo.shapes,
        }
        counters["faults"] = self._sandbox.faults.fired
        counters["refreshes"] = self._sandbox.highlevel.oauth.refreshes()
        counters["notified"] = len(self._sandbox.store.notified)
        return counters

    def _state(self, request: Request) -> Reply:
        """All ids of a kind, or one document exactly as it is stored."""
        kind, _, document_id = request.path.removeprefix("/state/").partition("/")
        if kind not in KINDS:
            return Reply(404, {"error": f"no kind {kind!r}; there are {', '.join(KINDS)}"})
        documents: dict[str, Any] = getattr(self._sandbox.store, kind)
        if not document_id:
            ids: Iterable[str] = documents
            return Reply(200, {"ids": list(ids)})
        if document_id not in documents:
            return Reply(404, {"error": f"no {document_id} among the {kind}"})
        return Reply(200, documents[document_id])
