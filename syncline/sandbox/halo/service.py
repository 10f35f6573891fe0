"""The emulated Halo tenant: one handler for its token endpoint, its entities and its reports."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from syncline.sandbox.config import Limit, SandboxConfig, Shape
from syncline.sandbox.halo.entities import ENTITIES, remove
from syncline.sandbox.halo.money.recurring import generate_due
from syncline.sandbox.halo.reporting.reports import STORED, is_only_run
from syncline.sandbox.halo.resources.entity import Entity
from syncline.sandbox.halo.resources.lists import listed
from syncline.sandbox.halo.resources.saving import elements, save
from syncline.sandbox.halo.resources.shown import shown, wrapped
from syncline.sandbox.halo.tenant import auth
from syncline.sandbox.halo.tenant.store import HaloStore, Row
from syncline.sandbox.halo.tenant.tenant import RefusalError, Tenant
from syncline.sandbox.halo.tickets import actions
from syncline.sandbox.halo.tickets.tickets import priorities
from syncline.sandbox.halo.webhooks import webhooks
from syncline.sandbox.location.store import Store
from syncline.sandbox.wire.faults import AnswerDial, Faults
from syncline.sandbox.wire.service import Reply, Request

if TYPE_CHECKING:
    from syncline.sandbox.halo.sql.database import Reports

_REPORTING = frozenset({"reporting"})
_NAMES = {**webhooks.NAMES, "actions": "Actions", "priority": "Priority"}
"""What has no plain rows of one number each, path in lower case → as it is written."""
_OTHERS: dict[str, Callable[[Tenant, Request, list[str], AnswerDial], Reply]] = {
    **dict.fromkeys(webhooks.NAMES, webhooks.answer),
    "actions": actions.answer,
    "priority": priorities,
}
_ID = re.compile(r"\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def _nothing() -> None:
    """What is done after a call where nobody listens."""


class HaloService:
    """One tenant over a store; made anew for every reset.

    Attributes:
        tenant: its rows, habits and clock.
        afterwards: done after every call, such as sending the webhooks of what it changed.
        shapes: how many orders were answered with their lines in each shape.
    """

    def __init__(
        self,
        config: SandboxConfig,
        store: Store,
        faults: Faults | None,
        now: Callable[[], datetime],
    ) -> None:
        if store.halo is None:
            store.halo = HaloStore.of(config)
        self.tenant = Tenant(store.halo, config, now)
        self._faults = faults
        self.afterwards: Callable[[], None] = _nothing
        self.shapes = Counter[Shape]()

    def handle(self, request: Request) -> Reply:
        """Answer one call and make its effect."""
        try:
            return self._wrapped(request, self._answer(request))
        except RefusalError as refusal:
            return refusal.reply
        finally:
            self.afterwards()

    def operation(self, request: Request) -> str:
        """The operation's short name: `POST /SalesOrder`, `GET /SalesOrder/{id}`."""
        parts = request.path.strip("/").split("/")
        if parts[0] == "api":
            parts = parts[1:]
        known = ENTITIES.get(parts[0].lower())
        name = known.name if known else _NAMES.get(parts[0].lower(), parts[0])
        names = [name, *("{id}" if _ID.fullmatch(one) else one for one in parts[1:])]
        return f"{request.method} /" + "/".join(names)

    def rate_limited(self, limit: Limit) -> Reply:
        """The refusal of a call too many; its text alone names limit and window."""
        window = timedelta(seconds=limit.seconds)
        minutes = window / timedelta(minutes=1)
        span = f"{minutes:.0f} minute" if minutes.is_integer() else f"{limit.seconds:g} second"
        text = f"Rate Limit Reached - {limit.calls} Requests per rolling {span} window"
        return Reply(429, {"Message": text} if self.tenant.profile.wrapped_limit_text else text)

    def broken(self) -> Reply:
        """The error of its own server, as its platform words it."""
        return Reply(500, {"Message": "An error has occurred."})

    def advance(self) -> None:
        """Let the external links appear and the recurring invoices generate that are due."""
        self.tenant.store.show_due_links(self.tenant.now())
        generate_due(self.tenant)

    def _answer(self, request: Request) -> Reply:
        parts = request.path.strip("/").split("/")
        if parts == ["api", "authinfo"] and request.method == "GET":
            return auth.discovery(request)
        if parts == ["auth", "token"] and request.method == "POST":
            return auth.issue(self.tenant, request)
        if len(parts) in (2, 3) and parts[0] == "api":
            if parts[1].lower() == "report" and len(parts) == 2 and request.method == "POST":
                return self._report(request)
            answer = _OTHERS.get(parts[1].lower())
            if answer is not None:
                # Asking the dial uses it up, and only a write's answer can be spoilt.
                dial = self._dial(request) if request.method == "POST" else AnswerDial()
                return answer(self.tenant, request, parts[1:], dial)
            entity = ENTITIES.get(parts[1].lower())
            if entity is not None:
                return self._entity(entity, parts[2:], request)
        raise RefusalError(404, {"Message": f"No HTTP resource was found at '{request.path}'."})

    def _wrapped(self, request: Request, reply: Reply) -> Reply:
        """A list that would be bare, under its key where the tenant has it so."""
        bare = request.method == "GET" and isinstance(reply.body, list)
        if bare and self.tenant.config.wrapped_lists:
            reply.body = wrapped(request.path.strip("/").split("/")[1], reply.body)
        return reply

    def _entity(self, entity: Entity, rest: list[str], request: Request) -> Reply:
        verb = "read" if request.method == "GET" else "edit"
        auth.permit(self.tenant, request, entity.areas, verb=verb)
        if entity.offered is not None and not entity.offered(self.tenant):
            raise RefusalError(
                403, {"Message": "You do not have permission to perform this action."}
            )
        if not rest and request.method == "GET":
            return self._shown(entity, Reply(200, listed(self.tenant, entity, request.query)))
        if not rest and request.method == "POST":
            return self._save(entity, request)
        if rest and rest[0].isdecimal() and request.method == "GET":
            return self._shown(entity, Reply(200, self._one(entity, int(rest[0]), request)))
        if rest and rest[0].isdecimal() and request.method == "DELETE":
            remove(self.tenant, entity, int(rest[0]))
            return Reply(200, {})
        raise RefusalError(
            405, {"Message": f"The resource does not support method '{request.method}'."}
        )

    def _save(self, entity: Entity, request: Request) -> Reply:
        if entity.writing is None:
            raise RefusalError(405, {"Message": "The resource does not support method 'POST'."})
        dial = self._dial(request)
        whole = partial(entity.whole, self.tenant)
        reply = save(self.tenant, entity.writing, whole, request, dial)
        return self._shown(entity, reply, written=True)

    def _shown(self, entity: Entity, reply: Reply, *, written: bool = False) -> Reply:
        reply.body = shown(
            self.tenant.config, entity, reply.body, written=written, shapes=self.shapes
        )
        return reply

    def _one(self, entity: Entity, row_id: int, request: Request) -> Row:
        row = entity.rows(self.tenant.store).get(row_id)
        if row is None:
            raise RefusalError(404, {"Message": f"{entity.name} {row_id} was not found."})
        if request.query.get("includedetails", "").lower() != "true":
            return entity.flat(row)
        whole = entity.whole(self.tenant, row)
        return {key: value for key, value in whole.items() if key != "_warning"}

    def _dial(self, request: Request) -> AnswerDial:
        if self._faults is None:
            return AnswerDial()
        return self._faults.answer_dial(self.operation(request))

    def _report(self, request: Request) -> Reply:
        """Run ad-hoc SQL or keep reports; reading and editing must both be granted."""
        auth.permit(self.tenant, request, _REPORTING, verb="read")
        auth.permit(self.tenant, request, _REPORTING, verb="edit")
        if not self.tenant.profile.sql or self.tenant.config.reports_refused:
            raise RefusalError(
                403, {"Message": "You do not have permission to perform this action."}
            )
        posted = elements(request, STORED)
        if not all(is_only_run(one) for one in posted):
            return self._save(ENTITIES["report"], request)
        return Reply(self.tenant.profile.created_status, [self._run(one) for one in posted])

    @cached_property
    def _reports(self) -> Reports:
        """The reports' database, made for the first report."""
        from syncline.sandbox.halo.sql.database import Reports  # noqa: PLC0415 - its parser is large

        tenant = self.tenant
        return Reports(
            tenant.store, tenant.now, shows_custom_tables=tenant.profile.reports_custom_tables
        )

    def loaded(self, sql: str) -> Row:
        """What a report of that statement shows: its rows, or why it cannot run."""
        from syncline.sandbox.halo.sql.dialect import SqlError  # noqa: PLC0415 - as above

        rows: list[Any] = []
        error = None
        try:
            rows = list(self._reports.run(sql))
        except SqlError as problem:
            error = str(problem)
        return {"loaded": error is None, "load_error": error, "rows": rows}

    def _run(self, posted: Row) -> Row:
        report = self.loaded(posted.get("sql") or "")
        return {"id": 0, "name": posted.get("name") or "", "sql": posted.get("sql"),
                "report": report}  # fmt: skip
