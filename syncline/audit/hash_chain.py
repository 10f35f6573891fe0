"""The arithmetic of the audit log's seals: pure, so that anybody can do it again.

An entry is split in two. Its public part is hashed as it is; its personal part with a random salt,
so that it can be erased later without breaking the chain, and without anybody being able to try out
what it held:

    personal = SHA-256(salt, personal text)
    digest   = SHA-256(public text, personal)      personal is empty where there is none
    head     = SHA-256(head before, position as 8 bytes, digest)

The texts are canonical JSON. The head before the first entry is SHA-256 of the chain's name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any

from syncline.jsontext import canonical

RULE = 1
"""The rule by which `split` works. Another rule gets another number; old entries keep theirs."""

SALT_BYTES = 16

EMAIL = "email:"
"""What the id of a customer begins with that is an address."""

ERASED = "erased:"
"""What stands in place of such an id after an erasure."""

_PERSONAL = re.compile(
    r"e-?mail|phone|mobile|fax|first.?name|last.?name|full.?name|sur.?name|contact.?name|"
    r"customer.?name|client.?name|user.?name|site.?name|company|address|street|postcode|post.?code|"
    r"zip|birth|note|comment|^(reason|takes|writes|ours|theirs|delivered)$",
    re.IGNORECASE,
)
"""The last ones are what decisions keep of differences and parked deliveries: values in words."""
_PEOPLE = re.compile(r"^(contact|customer|recipient)(_?snapshot|_?details)?$", re.IGNORECASE)
_IDS = re.compile(r"(^|_)id$|^contactId$")
_PLAIN = re.compile(
    r"(^|_)id$|^po_number$|^currency|total|amount|tax|date|status|^lines?\b|^thirdparty|"
    r"^sitenumber$|^disabled$|autopay|auto_payment|^credit|^items$|quantity"
)
"""Fields of effects that are the same for whoever bought: ids, sums, dates, states, lines."""


@dataclass(frozen=True, slots=True)
class Digests:
    """What is kept of an entry: its digest, and that of its personal part, if it has one."""

    digest: bytes
    personal: bytes | None


@dataclass(frozen=True, slots=True)
class Split:
    """An entry in its two parts, as the texts that are hashed; `personal` is None if empty."""

    public: bytes
    personal: bytes | None


def genesis(chain: str) -> bytes:
    """The head of a chain that holds nothing yet."""
    return sha256(f"syncline {chain}".encode()).digest()


def next_head(head: bytes, position: int, digest: bytes) -> bytes:
    """The head of a chain after one more entry; positions count from 1."""
    return sha256(head + position.to_bytes(8, "big") + digest).digest()


def digests(parts: Split, salt: bytes | None) -> Digests:
    """The digests of an entry; `salt` is needed where it has a personal part."""
    personal = None
    if parts.personal is not None:
        personal = sha256((salt or b"") + parts.personal).digest()
    return Digests(digest_of(parts.public, personal), personal)


def digest_of(public: bytes, personal: bytes | None) -> bytes:
    """The digest of an entry whose personal part is known by its digest alone."""
    return sha256(public + (personal or b"")).digest()


def split(entry: Mapping[str, Any]) -> Split:
    """An entry's public part, and what of it is about a person, by rule 1.

    Personal is: everything about a contact but its id, everything about a customer but Halo's ids,
    what an alert says, what a decision says of a difference,
    fields whose name says so (e-mail, phone, address, notes, ...), fields of an effect that are not
    known to say nothing about a person, an id that is an address, and the fingerprint of the
    record, since it is taken over all of these.

    Args:
        entry: as `ledger.entries` reads it: `record`, `kind` or `flow`, `fields` or `before` and
            `after`, and the rest.
    """
    found: list[list[Any]] = []
    public = _split(entry, found)
    return Split(canonical(public), canonical(found) if found else None)


def public_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What stays of an entry when its personal part is erased."""
    return _split(entry, [])


def without_personal(document: Mapping[str, Any], *, whole: bool = False) -> dict[str, Any]:
    """A canonical form or payload without what is about a person; `whole`: all of it is."""
    return _public(document, (), [], _IDS if whole else None)


def _split(entry: Mapping[str, Any], found: list[list[Any]]) -> dict[str, Any]:
    flow = entry.get("flow")
    if entry.get("kind") in _IN_WORDS or flow == "customers":
        plain: re.Pattern[str] | None = _IDS
    else:
        plain = None if flow in {None, "command"} else _PLAIN
    public: dict[str, Any] = {}
    for name, value in entry.items():
        if name == "fingerprint":
            if value is not None:
                found.append([name, value])
        elif name in _NAMED and value.startswith((EMAIL, ERASED)):
            found.append([name, value])
        elif name in _DOCUMENTS and isinstance(value, dict):
            public[name] = _public(value, (name,), found, plain)
        else:
            public[name] = value
    return public


_IN_WORDS = frozenset({"customer", "alert"})
"""Kinds of records of which every field but ids may say something about a person."""

_DOCUMENTS = frozenset({"fields", "before", "after"})
_NAMED = frozenset({"record", "target_id"})


def _public(
    document: Mapping[str, Any],
    path: tuple[Any, ...],
    found: list[list[Any]],
    plain: re.Pattern[str] | None,
) -> dict[str, Any]:
    """The document without its personal fields; `plain` names the only ones that are not."""
    public: dict[str, Any] = {}
    for name, value in document.items():
        here = (*path, name)
        is_person = _is_person(name)
        if not _is_told(name, plain) or (is_person and isinstance(value, str)):
            found.append([*here, value])
        elif value is None or isinstance(value, str):
            public[name] = value
        else:
            public[name] = _inner(value, here, found, _IDS if is_person else None)
    return public


@lru_cache(maxsize=4096)
def _is_told(name: str, plain: re.Pattern[str] | None) -> bool:
    found = _PERSONAL.search(name) if plain is None else plain.search(name)
    return (found is None) == (plain is None)


@lru_cache(maxsize=4096)
def _is_person(name: str) -> bool:
    return _PEOPLE.search(name) is not None


def _inner(
    value: Any, path: tuple[Any, ...], found: list[list[Any]], plain: re.Pattern[str] | None
) -> Any:
    if isinstance(value, dict):
        return _public(value, path, found, plain)
    if isinstance(value, list):
        return [_inner(item, (*path, at), found, plain) for at, item in enumerate(value)]
    return value
