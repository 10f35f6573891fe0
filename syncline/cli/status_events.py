"""The part of `syncline status` about events: how changes come, and what came late or never."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from rich.console import RenderableType
from sqlalchemy import Connection

from syncline.cli.output import plain, table
from syncline.ledger import radar
from syncline.ledger.connections import Link
from syncline.ledger.radar import Figures

PERIOD = timedelta(days=1)
"""How far back the figures go."""

GIVEN_UP_AFTER = timedelta(minutes=10)
"""Past this, an event that has not come is called missed; if it comes yet, it is called late."""


@dataclass(frozen=True, slots=True)
class EventStatus:
    """How a connection hears of changes.

    Attributes:
        highlevel: `webhooks`, `none came yet` or `polling only`.
        figures: what came within a day.
        advice: what would make it better, in a sentence; "" where nothing would.
    """

    highlevel: str
    figures: Figures
    advice: str


def read_events(connection: Connection, link: Link) -> EventStatus:
    """How one connection stands."""
    found = radar.figures(
        connection, link.id, link.location, period=PERIOD, given_up_after=GIVEN_UP_AFTER
    )
    if found.since is not None:
        return EventStatus("webhooks", found, "")
    if link.auth == "private":
        how = f"syncline connect highlevel {link.name}"
        advice = f"A private token gets no webhooks; install the app with: {how}"
        return EventStatus("polling only", found, advice)
    advice = "The app is installed; give its webhook URL in HighLevel's marketplace settings."
    return EventStatus("none came yet", found, advice)


def events_table(status: EventStatus) -> list[RenderableType]:
    """The figures in one row, and the advice below."""
    found = status.figures
    taken = "" if found.p50 is None else f"{found.p50:.1f} s, {found.p95:.1f} s"
    names = ["HighLevel tells by", "received#", "waiting#", "ignored#", "parked#", "late#"]
    counts = [found.received, found.waiting, found.ignored, found.parked, found.late, found.missed]
    parts = [
        table(
            "events in 24 h",
            [*names, "missed#", "event to Halo (p50, p95)"],
            [[status.highlevel, *counts, taken]],
        )
    ]
    return [*parts, plain(status.advice)] if status.advice else parts
