"""The strangers of the demo, who answer in place of HighLevel and Halo now and then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from syncline.sandbox.wire.faults import FOREIGN

_STRANGERS: tuple[dict[str, Any], ...] = (
    {"kind": "html", "probability": 0.003},
    {"kind": "html", "probability": 0.003, "status": 503, "effect": True},
    {"kind": "redirect", "probability": 0.002},
    {"kind": "truncated", "probability": 0.002, "effect": True},
)
"""One call to HighLevel in a hundred is answered by a firewall, a proxy or a line at fault."""

_MEET = ("POST /SalesOrder", "POST /Client", "POST /Users", "POST /Invoice")
"""The writes to Halo of which the first is answered so, one by each: of 140 calls chance would give
one or none, or an update of many rows, each of which is then looked up by a call of its own."""

_SURE_EVERY = 6
"""Each such one of the first calls to HighLevel meets one of these, whatever chance gives."""


def by_chance() -> list[dict[str, Any]]:
    """The faults of strangers at HighLevel, now and then."""
    return [{**rule, "side": "highlevel"} for rule in _STRANGERS]


def for_certain() -> Iterator[dict[str, Any]]:
    """The faults of each of them once at both sides, early."""
    for at, (rule, operation) in enumerate(zip(_STRANGERS, _MEET, strict=True), 1):
        once = {**rule, "probability": 0.0, "next": 1}
        yield {**once, "side": "highlevel", "skip": _SURE_EVERY * at}
        yield {**once, "side": "halo", "operation": operation}


def came(calls: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """What strangers answered, and how often: `html_403`, `truncated_200`."""
    kinds = (f"{call['fault']}_{call['status']}" for call in calls if call["fault"] in FOREIGN)
    return dict(sorted(Counter(kinds).items()))
