"""Tenants where the names of clients must be unique: two people of one name get two names.

Whether they must is a setting that no call shows, so the first refusal tells.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from syncline.deliveries.delivery import Lease
from syncline.deliveries.target_rows import NAME_TAKEN
from syncline.errors import Rejected, SynclineError

_SPEAKS_OF: Final = re.compile(r"\b(name|client|customer)s?\b", re.IGNORECASE)
_OF_ANOTHER: Final = re.compile(r"e-?mail|\bsite\b|\buser", re.IGNORECASE)
_TAKEN: Final = re.compile(
    r"\bunique\b|\balready\b.*\b(exists?|used|taken)\b|\bduplicated?\b|\bin use\b",
    re.IGNORECASE | re.DOTALL,
)
"""What Halo says in such a case; seen in public: "Name must be unique"."""


def is_taken(error: SynclineError, elements: Sequence[Lease]) -> bool:
    """Whether a client alone was refused since another one has its name.

    Once only: one that was refused under a name of its own is refused for something else.
    """
    if len(elements) > 1 or elements[0].target != "client" or not isinstance(error, Rejected):
        return False
    return not has_own_name(elements[0]) and says_taken(error)


def says_taken(error: Rejected) -> bool:
    """Whether a refusal of a client speaks of its name as taken."""
    if _TAKEN.search(error.text) is None:
        return False
    if error.field is not None:
        return error.field == "name"
    return _SPEAKS_OF.search(error.text) is not None and _OF_ANOTHER.search(error.text) is None


def has_own_name(lease: Lease) -> bool:
    """Whether a client is to have a name that no other one has, since its own is taken."""
    return bool((lease.target_meta or {}).get(NAME_TAKEN))
