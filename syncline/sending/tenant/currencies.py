"""A tenant's currencies: which id stands for an ISO code, and at which rate Halo converts it.

The rate is left to Halo: none is ever sent. What a new row was converted at is compared with the
tenant's own table, so that a row which Halo took at a wrong rate is not called done.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from syncline.calls import capabilities
from syncline.calls.calls import halo_calls
from syncline.calls.context import Line
from syncline.errors import SynclineError, Unmappable
from syncline.halo.capabilities import Capabilities
from syncline.halo.entities.currencies import currency_ids, currency_rates
from syncline.halo.entities.resources import CURRENCY
from syncline.halo.entities.rows import list_legible
from syncline.money import decimal
from syncline.queues import Lane

FIELD = "currency_conversion_rate"
_LOOKS, _LOOK = 10, timedelta(milliseconds=200)
"""How often and after what pause it is looked whether somebody else was told meanwhile."""

_ROUNDING = Decimal("1e-6")
"""Relative difference below which two rates are one: Halo keeps them as binary floats."""


def learn(line: Line, known: Capabilities, wanted: Collection[str]) -> Capabilities:
    """What is known of the tenant, its currencies asked for once more where one is not among them.

    Raises:
        SynclineError: Halo could not be asked.
    """
    if _knows(known, wanted):
        return known
    # Several senders find it out at once: one asks, and the others see what it was told.
    nudges, place = line.worker.nudges, line.link.tenant_place
    for _ in range(_LOOKS):
        if nudges.claim(place, Lane.DELIVERIES, "currencies", forget=_LOOKS * _LOOK):
            break
        line.worker.sleep(_LOOK.total_seconds())
        known = capabilities.known(line)
        if _knows(known, wanted):
            return known
    return _asked(line)


def _knows(known: Capabilities, wanted: Collection[str]) -> bool:
    return set(wanted) - {""} <= set(known.currencies)


def with_fresh_rates(
    line: Line, known: Capabilities, made: Sequence[tuple[str, Mapping[str, Any]]]
) -> Capabilities:
    """What is known of the tenant, its rates read once more if a new row does not agree with them.

    Args:
        line: the connection.
        known: what is known so far.
        made: (ISO 4217, Halo's row) of rows that were just created.
    """
    if not any(differs(known, currency, row) for currency, row in made):
        return known
    try:
        return _asked(line)
    except SynclineError:
        return known  # the row is parked with both rates; a retry compares again


def differs(known: Capabilities, currency: str, row: Mapping[str, Any]) -> tuple[str, str] | None:
    """The tenant's rate and the row's, if they are not the same; None also where one is not told.

    Args:
        known: what is known of the tenant.
        currency: ISO 4217 of the row.
        row: as Halo answered it.
    """
    rate = known.currency_rates.get(currency)
    try:
        held = decimal(row[FIELD], FIELD)
    except (KeyError, Unmappable):
        return None
    if rate is None or not held or abs(held - rate) <= abs(rate) * _ROUNDING:
        return None
    return str(rate), str(held)


def _asked(line: Line) -> Capabilities:
    api = halo_calls(line, line.lane)
    rows = api.read("GET /Currency", lambda permit: list_legible(line.halo, permit, CURRENCY))
    found, rates = currency_ids(rows), currency_rates(rows)
    return capabilities.teach(
        line,
        lambda before: before.with_currencies(
            found, rates=rates, found_at=line.worker.now(), how="GET /Currency"
        ),
    )
