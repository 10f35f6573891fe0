"""The part of `syncline status` about the dashboard: whether its figures rest, and why."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from syncline.dashboard.queries import standing
from syncline.ledger.connections import Link


def resting(connection: Connection, link: Link) -> str | None:
    """Since when Halo refuses the figures of a connection's dashboard; None: it takes them."""
    rest = standing(connection, link.id).get("rest")
    if not rest:
        return None
    since, until = (datetime.fromisoformat(rest[name]) for name in ("since", "until"))
    return (
        f"The figures of {link.name}'s dashboard are refused since {since:%Y-%m-%d %H:%M} UTC "
        f"({rest['why']}); they are tried again at {until:%Y-%m-%d %H:%M} UTC, or at once by: "
        f"syncline halo dashboard install {link.name}"
    )
