"""E-mail addresses as the sandbox compares them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any


def normalised(email: str | None) -> str | None:
    """An address in the one form that is compared; None for what is no address."""
    text = unicodedata.normalize("NFC", (email or "").strip()).casefold()
    name, _, domain = text.partition("@")
    return text if name and domain and "@" not in domain else None


def by_email(contacts: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The first contact of every address."""
    found: dict[str, Mapping[str, Any]] = {}
    for contact in contacts:
        email = normalised(contact.get("email"))
        if email is not None:
            found.setdefault(email, contact)
    return found
