"""The sandbox's own log of calls: what arrived, what was answered, what was done to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal


@dataclass(slots=True)
class Call:
    """One call as the sandbox saw it.

    Attributes:
        id: counts from 1 over both sides.
        at: when it arrived, UTC.
        operation: the operation's short name, such as `POST /SalesOrder`.
        status: HTTP status, `cut` if no byte was answered, None while it is under way.
        elements: elements of the array that was sent; 1 for an object, 0 for no body.
        rejected: whether a limit refused it (a 429 of the fault dial is no refusal).
        fault: what the fault dial did to it.
    """

    id: int
    at: datetime
    side: str
    method: str
    path: str
    operation: str
    elements: int
    status: int | Literal["cut"] | None = None
    rejected: bool = False
    fault: str | None = None


@dataclass(slots=True)
class CallLog:
    """Every call of both sides in the order of arrival."""

    calls: list[Call] = field(default_factory=list)

    def open(
        self, *, at: datetime, side: str, method: str, path: str, operation: str, elements: int
    ) -> Call:
        """Log a call that has just arrived."""
        call = Call(
            id=len(self.calls) + 1,
            at=at,
            side=side,
            method=method,
            path=path,
            operation=operation,
            elements=elements,
        )
        self.calls.append(call)
        return call

    def renew(self, calls: Iterable[Call]) -> None:
        """Hold these calls and no others; ids count without gaps, as they always do."""
        self.calls = sorted(calls, key=lambda call: call.id)
        for number, call in enumerate(self.calls, 1):
            call.id = number

    def of(self, side: str | None, after: int = 0) -> list[Call]:
        """The calls of one side, or of both, with an id above `after`."""
        return [call for call in self.calls[after:] if side is None or call.side == side]

    def rejected(self, side: str) -> int:
        """Calls of a side that a limit refused."""
        return sum(call.rejected for call in self.of(side))

    def by_operation(self, side: str) -> dict[str, int]:
        """How often each operation of a side was called."""
        return dict(Counter(call.operation for call in self.of(side)))

    def documents(self, side: str | None, after: int = 0) -> list[dict[str, Any]]:
        """The log as JSON can hold it."""
        return [asdict(call) for call in self.of(side, after)]
