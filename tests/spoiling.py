"""Answers of the other side with nonsense in them: the bytes as they come are changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from syncline.transport import Answer, Transport

Change = Callable[[Any], Any]


@dataclass
class Spoiler:
    """Changes what is answered while it is on.

    Attributes:
        path: of the calls whose answers are changed.
        change: (the document) → what is answered in its place: bytes, or a document in which
            `RAW:` before a text says that it stands there as it is.
    """

    path: str
    change: Change
    on: bool = True

    def of(self, answer: Answer) -> Answer:
        return replace(answer, body=written(self.change(json.loads(answer.body))))


def spoil(monkeypatch: pytest.MonkeyPatch, path: str, change: Change) -> Spoiler:
    """Have the answers to a path spoiled, as if they had come so."""
    spoiler, send = Spoiler(path, change), Transport.send

    def spoiled(transport: Transport, method: str, url: str, **given: Any) -> Answer:
        answer = send(transport, method, url, **given)
        is_meant = spoiler.on and urlsplit(url).path.endswith(path) and answer.status == 200
        return spoiler.of(answer) if is_meant else answer

    monkeypatch.setattr(Transport, "send", spoiled)
    return spoiler


def rows(changes: Mapping[str, Any]) -> Change:
    """Puts other rows in the place of those with these ids; a function is given the row."""

    def change(document: Any) -> Any:
        return {**document, "data": [_changed(row, changes) for row in document["data"]]}

    return change


def _changed(row: Any, changes: Mapping[str, Any]) -> Any:
    if row["_id"] not in changes:
        return row
    change = changes[row["_id"]]
    return change(row) if callable(change) else change


def written(document: Any) -> bytes:
    """The bytes of a document, of which `"RAW:…"` is what stands behind the colon."""
    if isinstance(document, bytes):
        return document
    text = json.dumps(document)
    while '"RAW:' in text:
        before, _, rest = text.partition('"RAW:')
        raw, _, after = rest.partition('"')
        text = before + raw.encode().decode("unicode_escape") + after
    return text.encode()


Script = Callable[[Mapping[str, str]], "tuple[int, Any]"]
"""(the parameters) → the status and the document, or the bytes, that are answered."""


def answered(monkeypatch: pytest.MonkeyPatch, call: str, script: Script) -> Spoiler:
    """Have calls such as `POST /Report` answered by a script, after they were really made."""
    method, path = call.split()
    spoiler, send = Spoiler(path, lambda _: None), Transport.send

    def replaced(transport: Transport, sent_method: str, url: str, **given: Any) -> Answer:
        answer = send(transport, sent_method, url, **given)
        is_meant = spoiler.on and sent_method == method and urlsplit(url).path.endswith(path)
        if not is_meant:
            return answer
        status, document = script(given.get("params") or {})
        return replace(answer, status=status, body=written(document))

    monkeypatch.setattr(Transport, "send", replaced)
    return spoiler


def refused(
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    is_meant: Callable[[Mapping[str, str], Any], bool],
    status: int = 422,
    said: Any = None,
) -> Spoiler:
    """Have some calls to a path refused, by their parameters and what would be answered.

    Args:
        monkeypatch: for the test.
        path: of the calls.
        is_meant: (the parameters, the document) → whether this one is refused.
        status: what it is refused with.
        said: the document; None is a refusal as HighLevel words it.
    """
    spoiler, send = Spoiler(path, lambda _: None), Transport.send
    words = {"statusCode": status, "message": ["This cannot be shown"], "error": "Refused"}
    body = written(words if said is None else said)

    def answering(transport: Transport, method: str, url: str, **given: Any) -> Answer:
        answer = send(transport, method, url, **given)
        if not spoiler.on or not urlsplit(url).path.endswith(path) or answer.status != 200:
            return answer
        meant = is_meant(given.get("params") or {}, json.loads(answer.body))
        return replace(answer, status=status, body=body) if meant else answer

    monkeypatch.setattr(Transport, "send", answering)
    return spoiler
