"""White-label integration providers of the emulated HighLevel.

Its documents leave open what happens to a name that is taken, and what a limit of 0, the default,
means: here the name is refused with 400, and 0 lists all. Both are guesses. They say that only the
token of a marketplace app may register one; here the scope decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from syncline.sandbox.highlevel.account import Account
from syncline.sandbox.highlevel.checks import refuse, whole
from syncline.sandbox.location.forms import object_id, stamp
from syncline.sandbox.location.store import Document

_KINDS = ("authorize-net", "nmi")
_UNIQUE_NAME = re.compile(r"[a-z](?:[a-z-]*[a-z])?")
_FIELDS = ("uniqueName", "title", "provider", "description", "imageUrl")


class Providers:
    """The providers of one location.

    Args:
        now: the clock, aware UTC.
        account: holds them.
    """

    def __init__(self, now: Callable[[], datetime], account: Account) -> None:
        self._now = now
        self._ids = account.ids
        self._made = account.providers

    def listed(self, query: Mapping[str, str], messages: list[str]) -> list[Document]:
        """The part that is asked for; what is wrong with the query is added to `messages`."""
        limit = whole(query, "limit", 0, 0, messages)
        offset = whole(query, "offset", 0, 0, messages)
        return self._made[offset : offset + limit] if limit else self._made[offset:]

    def register(self, body: Mapping[str, Any]) -> Document:
        """Make a provider of a sound body.

        Raises:
            RefusedCallError: 400 if its name is taken.
        """
        if any(made["route"] == body["uniqueName"] for made in self._made):
            raise refuse(400, "uniqueName already exists", "Bad Request")
        now = self._now()
        made = {
            "_id": object_id(self._ids, now),
            "altId": body["altId"],
            "altType": "location",
            "title": body["title"],
            "route": body["uniqueName"],
            "provider": body["provider"],
            "description": body["description"],
            "imageUrl": body["imageUrl"],
            "createdAt": stamp(now),
            "updatedAt": stamp(now),
        }
        self._made.append(made)
        return made


def broken_provider(body: Mapping[str, Any]) -> list[str]:
    """What is wrong with the body of a new provider, one message for every broken rule."""
    messages = []
    for name in _FIELDS:
        value = body.get(name)
        if value in (None, ""):
            messages.append(f"{name} should not be empty")
        if not isinstance(value, str):
            messages.append(f"{name} must be a string")
    unique, kind, image = (_text(body, name) for name in ("uniqueName", "provider", "imageUrl"))
    if unique and not _UNIQUE_NAME.fullmatch(unique):
        messages.append(
            "uniqueName must start and end with a character. "
            "Only lowercase characters and hyphens (-) are supported"
        )
    if kind and kind not in _KINDS:
        messages.append(f"provider must be one of the following values: {', '.join(_KINDS)}")
    if image and not image.startswith("https://"):
        messages.append("imageUrl must be a URL address")
    return messages


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""
