"""What people are told: which facts are alerts, and when each is told, pure.

A fact becomes a `Signal` with a cause. The ledger keeps one open alert for each cause; `requests`
decides whether it is told now. What it looks like in Halo stands in `flows/alert_tickets.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any, Final, Literal

from syncline.errors import Unmappable
from syncline.mapping.options import AlertOptions, NewOrderRule, duration, hours
from syncline.money import decimal

FLOW = "alerts"
SOURCE_KIND = "alert"

Severity = Literal["info", "warning", "critical"]

SEVERITY: Final[Mapping[str, Severity]] = {
    "new_order": "info",
    "many_orders": "info",
    "parked": "warning",
    "fulfillment": "warning",
    "discrepancy": "warning",
    "stopped": "critical",
    "silent": "critical",
    "foreign": "critical",
    "failing": "critical",
    "suspended": "critical",
    "restored": "critical",
    "quota": "warning",
    "missed_events": "warning",
    "pulls": "warning",
    "reconciliation": "warning",
    "test": "info",
}
"""Kind of an alert → how bad it is. A `test` is one that a person asked for."""

GREW_AFTER = timedelta(minutes=10)
"""Least time between two tellings of one alert: a cause that grows fast is told now and then."""

MAY_END = timedelta(minutes=5)
"""How long what is late may still end: after a rest of the workers all of it is late."""

_LATE = ("pulls", "reconciliation")

ORDER_MAY_ARRIVE = timedelta(minutes=10)
"""How long a new order is waited for in Halo, where it may have a ticket, before it is told."""


_MOST_ITEMS = 20
_LONGEST_NAME = 100

LONGEST_REASON = 1000
"""Characters of a reason that are told."""


class Notice(StrEnum):
    """What is told of an alert."""

    OPENED = "opened"
    GREW = "grew"
    STILL = "still open"
    CLOSED = "healed"
    NOTICE = "new order"


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that is so now and that people shall know.

    Attributes:
        kind: as `SEVERITY` names them.
        cause: what makes it the same alert as before.
        title: one line, without figures that change.
        text: what it is about and what to do, in lines.
        count: how many it concerns.
        since: since when it is so; None is since it is seen.
        latest: when the last of them came to be; None where nobody knows.
        order_id: the order that it is about, where it is about one.
    """

    kind: str
    cause: str
    title: str
    text: str
    count: int = 1
    since: datetime | None = None
    latest: datetime | None = None
    order_id: str | None = None

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return SEVERITY[self.kind]


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert as the ledger keeps it.

    Attributes:
        state: open, closed, or notice for what is told once and never heals.
        told_state: the state that was told last; None before the first telling.
        told_count: the count that was told last.
        ready: whether what a notice waits for is there.
    """

    kind: str
    severity: str
    state: str
    count: int
    first_at: datetime
    acknowledged_at: datetime | None = None
    told_at: datetime | None = None
    told_state: str | None = None
    told_count: int = 0
    ready: bool = True


def telling(alert: StoredAlert, now: datetime, options: AlertOptions) -> Notice | None:
    """What is to be told of an alert now, if anything.

    An acknowledged alert is not told again until it heals. What must not be told in quiet hours is
    told when they are over, if it still is so then.
    """
    if alert.state == "closed":
        return Notice.CLOSED if alert.told_state == "open" else None
    if is_quiet(now, alert.severity, options) and alert.kind != "test":
        return None
    if alert.state == "notice":
        waited = now - alert.first_at >= ORDER_MAY_ARRIVE
        return Notice.NOTICE if alert.told_at is None and (alert.ready or waited) else None
    return None if alert.acknowledged_at is not None else _of_open(alert, now, options)


def _of_open(alert: StoredAlert, now: datetime, options: AlertOptions) -> Notice | None:
    if alert.told_at is None:
        least, held = _threshold(alert.kind, options)
        return Notice.OPENED if alert.count >= least and now - alert.first_at >= held else None
    silent = now - alert.told_at
    if silent >= GREW_AFTER and alert.count >= 2 * alert.told_count:
        return Notice.GREW
    return Notice.STILL if silent >= duration(options.repeat) else None


def _threshold(kind: str, options: AlertOptions) -> tuple[int, timedelta]:
    """How many, and for how long, before an alert is told."""
    if kind in {"parked", "fulfillment"}:
        return options.parked_at_least, duration(options.parked_for)
    held = {
        "silent": duration(options.silent_for),
        "failing": duration(options.silent_for),
        "quota": duration(options.quota_for),
    }
    return 1, held.get(kind, MAY_END if kind in _LATE else timedelta(0))


def is_quiet(now: datetime, severity: str, options: AlertOptions) -> bool:
    """Whether an alert of this severity must wait for the end of quiet hours."""
    if severity == "critical" and options.quiet_except == "critical":
        return False
    return quiet_ends(now, options) is not None


def quiet_ends(now: datetime, options: AlertOptions) -> datetime | None:
    """When the quiet hours end in which a moment lies; None where it lies in none.

    Args:
        now: aware.
        options: the hours and their time zone, whose summer time is heeded.
    """
    quiet = hours(options.quiet)
    if quiet is None:
        return None
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - reads files; most processes need no zone

    begin, end = quiet
    there = now.astimezone(ZoneInfo(options.time_zone))
    if not _lies_between(there.time(), begin, end):
        return None
    ends = there.replace(hour=end.hour, minute=end.minute, second=0, microsecond=0, fold=0)
    if end <= there.time():
        ends += timedelta(days=1)
    return ends.astimezone(now.tzinfo)


def _lies_between(moment: time, begin: time, end: time) -> bool:
    if begin < end:
        return begin <= moment < end
    return moment >= begin or moment < end


def matching_rule(
    order: Mapping[str, Any], rules: Collection[NewOrderRule], *, is_first: bool
) -> NewOrderRule | None:
    """The first rule that an order's canonical form satisfies, if one does.

    Args:
        order: the order.
        rules: those of the mapping.
        is_first: whether it is its customer's first order.
    """
    return next((rule for rule in rules if _satisfies(order, rule, is_first)), None)


def _satisfies(order: Mapping[str, Any], rule: NewOrderRule, is_first: bool) -> bool:  # noqa: FBT001 - a fact about the order
    items = [item for item in order.get("items") or [] if isinstance(item, Mapping)]
    if rule.currency is not None and order.get("currency") != rule.currency:
        return False
    if rule.at_least is not None:
        try:
            if decimal(order.get("amount"), "amount") < rule.at_least:
                return False
        except Unmappable:
            return False
    if rule.product is not None and not _sells(items, ("name", "product_id"), rule.product):
        return False
    if rule.sku is not None and not _sells(items, ("sku",), rule.sku):
        return False
    return is_first or not rule.first


def _sells(items: Collection[Mapping[str, Any]], names: Collection[str], wanted: str) -> bool:
    sought = wanted.strip().casefold()
    return any(str(item.get(name) or "").casefold() == sought for item in items for name in names)


def _named(item: Mapping[str, Any]) -> str:
    return str(item.get("name") or item.get("key"))


def new_order(order_id: str, order: Mapping[str, Any], rule: NewOrderRule) -> Signal:
    """The notice of a new order. It holds no name and no address of the customer."""
    amount = f"{order.get('amount')} {order.get('currency') or ''}".strip()
    sold = [
        f"- {item.get('qty', '?')} of {shortened(_named(item), _LONGEST_NAME)}"
        for item in (order.get("items") or [])[:_MOST_ITEMS]
    ]
    lines = [f"HighLevel order {order_id}: {amount}.", *sold, f"Told by the rule: {rule}."]
    return Signal(
        "new_order",
        f"order {order_id}",
        f"New order of {amount}",
        "\n".join(lines),
        order_id=order_id,
    )


def shortened(text: str, longest: int) -> str:
    """A text in one line, cut where it is longer."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def in_lines(lines: Iterable[str]) -> str:
    """The lines of a text, without empty ones."""
    return "\n".join(line for line in lines if line)
