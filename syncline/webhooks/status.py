"""The part of `syncline status` about events: how changes come, and what came late or never."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from rich.console import RenderableType
from sqlalchemy import Connection

from syncline.halo_changes.installed_webhook import Bound, bound
from syncline.ingest import missed
from syncline.ingest.missed import MissedEvents
from syncline.ledger.connections import Link
from syncline.terminal.output import plain, table

PERIOD = timedelta(days=1)
"""How far back the figures go."""

GIVEN_UP_AFTER = timedelta(minutes=10)
"""Past this, an event that has not come is called missed; if it comes yet, it is called late."""


_COLUMNS = (
    *("HighLevel tells by", "Halo tells by", "received#", "waiting#", "ignored#", "parked#"),
    *("late#", "missed#", "event to Halo (p50, p95)"),
)


@dataclass(frozen=True, slots=True)
class EventStatus:
    """How a connection hears of changes.

    Attributes:
        highlevel: `webhooks`, `none came yet` or `polling only`.
        halo: `webhook`, `webhook, polling for …` or `polling only`.
        figures: what came within a day.
        advice: what would make it better, a sentence each.
    """

    highlevel: str
    halo: str
    figures: MissedEvents
    advice: tuple[str, ...]


def read_events(connection: Connection, link: Link) -> EventStatus:
    """How one connection stands."""
    found = missed.figures(
        connection, link.id, link.location, period=PERIOD, given_up_after=GIVEN_UP_AFTER
    )
    highlevel, first = _highlevel(link, found)
    halo, second = _halo(link, bound(connection, link.id))
    return EventStatus(highlevel, halo, found, tuple(one for one in (first, second) if one))


def _highlevel(link: Link, found: MissedEvents) -> tuple[str, str]:
    if found.since is not None:
        return "webhooks", ""
    if link.auth == "private":
        how = f"syncline connect highlevel {link.name}"
        return (
            "polling only",
            f"A private token gets no webhooks from HighLevel; install the app with: {how}",
        )
    return (
        "none came yet",
        "The app is installed; give it the receiver's address in HighLevel's marketplace settings.",
    )


def _halo(link: Link, webhook: Bound) -> tuple[str, str]:
    if webhook.webhook_id is None:
        how = f"syncline halo webhooks install {link.name}"
        return "polling only", f"Halo tells of nothing by itself yet; have it do so with: {how}"
    if webhook.missing:
        return f"webhook, polling for {', '.join(webhook.missing)}", ""
    return "webhook", ""


def events_table(status: EventStatus) -> list[RenderableType]:
    """The figures in one row, and the advice below."""
    found = status.figures
    taken = "" if found.p50 is None else f"{found.p50:.2f} s, {found.p95:.2f} s"
    counts = [found.received, found.waiting, found.ignored, found.parked, found.late, found.missed]
    parts = [
        table(
            "events in 24 h",
            _COLUMNS,
            [[status.highlevel, status.halo, *counts, taken]],
        )
    ]
    return [*parts, *(plain(one) for one in status.advice)]
