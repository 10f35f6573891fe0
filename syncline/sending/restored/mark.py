"""Kept for a tenant: that its Halo seems to have been restored from a backup, and what showed it.

From then on an id that we hold may be another row's, so that rows are read before they are written,
until a person says that it is over.
"""

from __future__ import annotations

from sqlalchemy import Connection

from syncline.halo.capabilities import Capabilities
from syncline.ledger import capabilities as findings
from syncline.ledger.connections import Link

_NAME = "restored"
_SEEN = "seen"


def seems_restored(known: Capabilities) -> bool:
    """Whether rows are read before they are written."""
    found = known.by_name.get(_NAME)
    return found is not None and bool(found.value.get(_SEEN))


def seen(connection: Connection, link: Link) -> str:
    """What showed it first at a connection's tenant; "" where nothing did."""
    return str(findings.everywhere(connection, _NAME).get(link.tenant_place, {}).get(_SEEN) or "")


def note(connection: Connection, link: Link, what: str) -> None:
    """Keep what showed it, in the caller's transaction; what showed it first stays."""
    findings.lock(connection, link.tenant_place)
    if not seen(connection, link):
        _write(connection, link, {_SEEN: what}, "an id of ours is another row's")


def clear(connection: Connection, link: Link) -> None:
    """A person says that each id which we hold is our row's again, or is not held any more."""
    findings.lock(connection, link.tenant_place)
    _write(connection, link, {}, "a person said so")


def _write(connection: Connection, link: Link, value: dict[str, str], how: str) -> None:
    findings.write(connection, link.tenant_place, [{"name": _NAME, "value": value, "how": how}])
