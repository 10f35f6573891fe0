"""The address of a Halo tenant, out of the many that people know of it."""

from __future__ import annotations

import re

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://(?=[^/\s])", re.IGNORECASE)
_END = re.compile(r"[/\s]+\Z")
_DOORS = frozenset({"api", "auth"})
"""Where a tenant's address ends: what stands behind it there is one of its parts."""


def tenant_address(text: str) -> str:
    """The address of a tenant: what was typed, up to `/api` or `/auth`, without a slash at its end.

    An address without a scheme is taken to be encrypted, if its host has a dot.
    """
    typed = text.strip()
    if not _SCHEME.match(typed) and "." in typed.partition("/")[0]:
        typed = f"https://{typed}"
    scheme = _SCHEME.match(typed)
    begins = "" if scheme is None else scheme[0]
    host, *path = typed.removeprefix(begins).split("/")
    kept: list[str] = []
    for segment in path:
        if segment.partition("?")[0].strip().lower() in _DOORS:
            break
        kept.append(segment)
    return _END.sub("", begins + "/".join([host, *kept]))
