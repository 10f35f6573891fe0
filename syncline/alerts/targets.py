"""The kinds of rows in which alerts stand in Halo: tickets, their actions, integration errors.

A connection can do its work without them. They are also written after it was stopped by itself,
since that is what they tell of.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from syncline.alerts import tickets
from syncline.alerts.ticket_settings import learn_hidden, learn_ticket_settings, ticket_settings_of
from syncline.alerts.tickets import ACTION, INTEGRATION_ERROR, TICKET
from syncline.deliveries.delivery import Lease
from syncline.engine.failures import Refusal
from syncline.engine.handlers import Works
from syncline.errors import MissingScope, Refused
from syncline.flows.flow import Desired, Difference, Needs
from syncline.halo.entities import resources
from syncline.ledger.connections import Link
from syncline.mapping.document import Document
from syncline.sending import targets
from syncline.sending.bodies import Inputs
from syncline.sending.inputs import RenderInput
from syncline.sending.targets import Compare, Target, ask_nothing


def _render(lease: Lease, source: RenderInput, inputs: Inputs) -> Desired:
    return tickets.render(
        source.canonical,
        lease.role,
        lease.target,
        inputs.document,
        ticket_settings_of(inputs.known),
        exists=lease.target_id is not None,
    )


def _needs(_lease: Lease, _source: RenderInput, _document: Document) -> list[Needs]:
    return []


def _on_refused(link: Link, error: Refused) -> Refusal:
    if isinstance(error, MissingScope):
        return Refusal.PARK
    return Refusal.REST if link.stopped_by_itself else Refusal.STOP


def _differences(target: str) -> Compare:
    def compare(
        wanted: Mapping[str, str],
        row: Mapping[str, Any],
        document: Document,  # noqa: ARG001 - tickets are mapped by no document
        currency: str,  # noqa: ARG001 - and have no currency
        *,
        whole: bool = False,  # noqa: ARG001 - it shows the same either way
    ) -> list[Difference]:
        return tickets.differences(target, wanted, row)

    return compare


def _ticket_meta(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"status_id": row.get("status_id")}


def _action_meta(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"ticket_id": row.get("ticket_id")}


def _nothing(_row: Mapping[str, Any]) -> dict[str, Any]:
    return {}


_of_alerts = partial(
    Target,
    wakes=(),
    reference=tickets.reference,
    needs=_needs,
    renders=_render,
    may_work=Works.TELLS,
    on_refused=_on_refused,
    vital=False,
)

ALERTS: dict[str, Target] = {
    TICKET: _of_alerts(
        name="ticket",
        resource=resources.TICKET,
        must_have=("status_id",),
        compares=_differences(TICKET),
        meta=_ticket_meta,
        asks=learn_ticket_settings,
    ),
    ACTION: _of_alerts(
        name="alert_action",
        resource=resources.ACTION,
        must_have=("ticket_id",),
        compares=_differences(ACTION),
        meta=_action_meta,
        asks=ask_nothing,
    ),
    INTEGRATION_ERROR: _of_alerts(
        name="integration_error",
        resource=resources.INTEGRATION_ERROR,
        must_have=(),
        compares=_differences(INTEGRATION_ERROR),
        meta=_nothing,
        asks=ask_nothing,
        gives_up=learn_hidden,
    ),
}

TARGETS: dict[str, Target] = {**targets.TARGETS, **ALERTS}
"""Every kind of row that we make in Halo, by name: those of records, and those of alerts."""
