"""What the two emulated services and the shell around them exchange.

A service is a pure handler: one `Request` in, one `Reply` out, with its effect on the store made
inside the call. The shell decides when the handler runs (before the answer, after the client gave
up, or never), counts the call, and delivers or cuts the reply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from syncline.sandbox.config import Limit
from syncline.sandbox.wire.limits import Allowance


@dataclass(frozen=True, slots=True)
class Request:
    """One call as it arrived; `path` is below the service's own prefix, headers are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Reply:
    """One answer; `body` is anything that JSON can hold, or text for the shapes that are not."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Reply]
RateHeaders = Callable[[Limit, Allowance], dict[str, str]]


class Service(Protocol):
    """What the shell needs of an emulated service."""

    @property
    def handle(self) -> Handler:
        """Answers one call and makes its effect."""

    def operation(self, request: Request) -> str:
        """The operation's short name."""

    def rate_limited(self, limit: Limit) -> Reply:
        """The refusal of a call too many."""

    def broken(self) -> Reply:
        """The error of the service's own server."""

    def advance(self) -> None:
        """Make visible what has become due."""


def no_headers(limit: Limit, allowance: Allowance) -> dict[str, str]:  # noqa: ARG001
    """For a service that tells nothing of its limits in its headers."""
    return {}
