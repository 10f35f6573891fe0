"""Under which keys the calls of a connection are counted."""

from __future__ import annotations

from datetime import timedelta

from syncline.ledger.connections import Link
from syncline.quota.keys import Limit, QuotaKey


def highlevel_key(link: Link) -> QuotaKey:
    """HighLevel counts per app and location, and of a trial account all private tokens together."""
    window = timedelta(seconds=link.highlevel_seconds)
    shared = link.location_id if link.account is None else f"account:{link.account}"
    return QuotaKey(
        f"highlevel:{shared}",
        (Limit(link.highlevel_calls, window),),
        link.highlevel_daily,
    )


def halo_key(link: Link) -> QuotaKey:
    """Halo counts per tenant, whatever number of connections share it."""
    window = timedelta(seconds=link.halo_seconds)
    return QuotaKey(f"halo:{link.tenant}", (Limit(link.halo_calls, window),))
