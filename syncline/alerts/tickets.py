"""An alert as Halo shows it: its ticket, the actions on a ticket, its integration error. Pure.

Nothing of it mails anybody or starts an automation. Our reference stands in `supplier_reference` of
a ticket, in `outcome` of an action, in `entity_name` of an integration error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from syncline.alerts.rules import FLOW
from syncline.errors import Unmappable
from syncline.flows.flow import Desired, Difference, external_link
from syncline.flows.texts.fitting import cut, fitted, units
from syncline.halo.entities import resources
from syncline.halo.entities.columns import COLUMNS
from syncline.halo.entities.resources import ERROR_MODULE, TICKET_REFERENCE_BESIDES
from syncline.mapping.apply import apply
from syncline.mapping.document import Document

TICKET: Final = "ticket"
ACTION: Final = "alert_action"
INTEGRATION_ERROR: Final = "integration_error"
TARGETS: Final = (TICKET, ACTION, INTEGRATION_ERROR)

_LONGEST_SUMMARY = 250


@dataclass(frozen=True, slots=True)
class TicketSettings:
    """How a tenant keeps tickets, as far as it was found out.

    Attributes:
        ticket_type: the type that alerts get; None: the tenant's own first one.
        closed_status: the status that closes a ticket; None: none has such a name.
        closed: all statuses in which a ticket is done with.
        shows_errors: whether integration errors of ours are shown, or may be.
    """

    ticket_type: int | None = None
    closed_status: int | None = None
    closed: frozenset[int] = frozenset()
    shows_errors: bool = True


def action_role(number: int, ticket_id: str) -> str:
    """The role of the n-th telling of an alert as an action on a ticket."""
    return f"action.{number}.{ticket_id}"


def ticket_of(role_or_reference: str) -> int:
    """The ticket on which an action stands, by its role or its reference."""
    return int(role_or_reference.rsplit(".", 1)[-1])


def reference(source_id: str, role: str) -> str:
    """The text by which what an alert made in Halo is found again."""
    if role.startswith("action."):
        return f"{source_id}.{role.removeprefix('action.')}"
    return source_id


def text_of(alert: Mapping[str, Any]) -> str:
    """An alert in lines, with its count and times."""
    lines = [
        str(alert["text"]),
        "",
        f"Count: {alert['count']}",
        f"First: {_moment(alert['first_at'])}",
        f"Last: {_moment(alert['last_at'])}",
        f"Healed: {_moment(alert['closed_at'])}" if alert.get("closed_at") else "",
        f"Connection: {alert['connection']}. Alert {alert['number']}, {alert['id']}.",
    ]
    return "\n".join(line for at, line in enumerate(lines) if line or at == 1)


def render(
    alert: Mapping[str, Any],
    role: str,
    target: str,
    document: Document,
    ticket_settings: TicketSettings,
    *,
    exists: bool,
) -> Desired:
    """What Halo shall hold of an alert.

    Args:
        alert: its canonical form.
        role: which of its rows.
        target: as `TARGETS` names them.
        document: the connection's mapping.
        ticket_settings: how the tenant keeps tickets.
        exists: whether Halo has it already.

    Raises:
        Unmappable: naming the field that cannot be rendered.
    """
    if target == ACTION:
        return _action(alert, role)
    if target == INTEGRATION_ERROR:
        return _integration_error(alert) if ticket_settings.shows_errors else Desired({}, {})
    # What a person closed or removed is left alone, and what healed before it was told is no news.
    if alert.get("closed_by_hand") or (alert["state"] == "closed" and not exists):
        return Desired({}, {})
    return _ticket(alert, document, ticket_settings)


def _ticket(
    alert: Mapping[str, Any], document: Document, ticket_settings: TicketSettings
) -> Desired:
    options, ref = document.alerts, str(alert["id"])
    mapped = apply(document.rows[FLOW], alert)
    body = {
        resources.TICKET.reference: ref,
        TICKET_REFERENCE_BESIDES: ref,
        "summary": _summary(alert),
        "details": _details(alert),
        "sendack": False,
        "dont_do_rules": True,
        "_dont_fire_automations": True,
        **mapped.always,
    }
    if alert["state"] == "closed":
        body["status_id"] = _closed_status(document, ticket_settings)
    chosen = {
        "tickettype_id": options.ticket_type or ticket_settings.ticket_type,
        "status_id": options.new_status,
        "priority_id": options.priority,
        "client_id": options.client,
        "team": options.team,
    }
    at_create = {name: value for name, value in chosen.items() if value is not None}
    link = external_link(ref, f"syncline alert {alert['number']}")
    once = {**at_create, "new_external_link": link, **mapped.at_create}
    return fitted(
        TICKET, body, once, lambda kept: {name: str(value) for name, value in kept.items()}
    )


def _closed_status(document: Document, ticket_settings: TicketSettings) -> int:
    found = document.alerts.closed_status or ticket_settings.closed_status
    if found is None:
        raise Unmappable(
            "Halo names none of its ticket statuses Closed.",
            field="closed_status",
            remedy="Say which one closes a ticket: closed_status in [alerts] of the mapping.",
        )
    return found


def _action(alert: Mapping[str, Any], role: str) -> Desired:
    ref = reference(str(alert["id"]), role)
    body = {
        "ticket_id": ticket_of(role),
        "outcome": ref,
        "note": f"{alert['title']} ({alert['news']})\n\n{text_of(alert)}",
        "hiddenfromuser": True,
        "sendemail": False,
        "dont_do_rules": True,
    }
    return Desired(body, {"outcome": ref, "hiddenfromuser": "True"})


def _integration_error(alert: Mapping[str, Any]) -> Desired:
    ref, most = str(alert["id"]), COLUMNS[INTEGRATION_ERROR].own
    error = f"{alert['title']}\n{text_of(alert)}"
    if units(error) > most["error"]:
        # It has no note. The ticket and its actions say all of it, and so does the command.
        where = f"\nIn full: syncline alerts show {alert['number']}"
        error = cut(f"{error}{where}", most["error"], where)
    body = {
        "module_id": ERROR_MODULE,
        "entity_type": cut(str(alert["kind"]), most["entity_type"]),
        "entity_name": ref,
        "endpoint": cut(f"syncline {alert['connection']}", most["endpoint"]),
        "error": error,
    }
    return Desired(body, {"entity_name": ref})


_COMPARED: Final[Mapping[str, tuple[str, ...]]] = {
    TICKET: (resources.TICKET.reference, "status_id"),
    ACTION: ("outcome", "hiddenfromuser"),
    INTEGRATION_ERROR: ("entity_name",),
}
"""Target → what must come back as it was sent. Texts may be shown otherwise, so they are not."""


def differences(target: str, wanted: Mapping[str, str], row: Mapping[str, Any]) -> list[Difference]:
    """Where Halo's row is not what was wanted."""
    return [
        Difference(name, wanted[name], str(row.get(name)))
        for name in _COMPARED[target]
        if name in wanted and wanted[name] != str(row.get(name))
    ]


def _summary(alert: Mapping[str, Any]) -> str:
    count = f" ({alert['count']})" if alert["count"] != 1 else ""
    return cut(f"{_line(alert)}{count}", _LONGEST_SUMMARY, count)


def _details(alert: Mapping[str, Any]) -> str:
    """What a ticket says below its summary: all of it, where that is cut."""
    whole = _line(alert)
    return text_of(alert) if whole in _summary(alert) else f"{whole}\n\n{text_of(alert)}"


def _line(alert: Mapping[str, Any]) -> str:
    return f"[{alert['severity']}] {alert['connection']}: {alert['title']}"


def _moment(value: Any) -> str:
    return f"{str(value)[:19].replace('T', ' ')} UTC"
