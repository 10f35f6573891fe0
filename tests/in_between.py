"""Somebody between syncline and both APIs, who answers some calls in their place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

import workers.context
from syncline import jsontext
from syncline.quota.bucket import Quota
from syncline.transport import Answer, Transport

PAGE = b"<html><head><title>Just a moment...</title></head></html>"


def page(status: int = 403) -> Answer:
    """A firewall's page."""
    headers = {"content-type": "text/html", "server": "cloudflare"}
    return Answer(status, headers, PAGE, timedelta(0))


def said(status: int, document: Any) -> Answer:
    """An answer in the shape of an API."""
    headers = {"content-type": "application/json"}
    return Answer(status, headers, jsontext.dumps(document), timedelta(0))


Wanted = Callable[[str, bytes], bool]


@dataclass
class InBetween:
    """Who answers in place of the APIs.

    Attributes:
        answers: what is answered instead.
        wanted: (method and URL, body) → whether it is answered by this one.
        effect: whether the API has got the call all the same.
        calls: those that were answered by this one.
    """

    answers: Answer | None = None
    wanted: Wanted = lambda _call, _body: True
    effect: bool = False
    calls: list[str] = field(default_factory=list)

    def stand(self, patched: pytest.MonkeyPatch) -> None:
        """Be in between from now on."""
        plain = Transport.send

        def send(transport: Transport, method: str, url: str, **given: Any) -> Answer:
            call = f"{method} {url}"
            body = given.get("content") or b""
            answer = self.answers
            if answer is None or not self.wanted(call, body):
                return plain(transport, method, url, **given)
            self.calls.append(call)
            if self.effect:
                plain(transport, method, url, **given)
            return answer

        patched.setattr(Transport, "send", send)


@dataclass
class QuotaClock:
    """The clock of every quota that is made in this process: real, but for what a test adds."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def pass_by(self, seconds: float) -> None:
        """Let so much time pass."""
        self.ahead += timedelta(seconds=seconds)

    def rule(self, patched: pytest.MonkeyPatch) -> None:
        """Be the clock from now on."""
        patched.setattr(workers.context, "Quota", partial(Quota, clock=self))
