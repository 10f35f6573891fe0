"""Rows to write, for tests of what becomes of them."""

from __future__ import annotations

from uuid import UUID

from syncline.deliveries.delivery import Lease
from syncline.sending.decide import Write


def a_write(number: int, array_limit: int | None = None) -> Write:
    lease = Lease(
        id=number,
        connection_id=1,
        tenant_id=1,
        flow="orders",
        role="order",
        target="order",
        place="location:1",
        source_kind="order",
        source_id=str(number),
        wanted_version=1,
        sent_version=None,
        delivered_version=None,
        projection=None,
        sent_projection=None,
        target_id=None,
        target_meta=None,
        attempt=0,
        owner=UUID(int=1),
        failures=0,
        array_limit=array_limit,
        call_id=None,
        cause="test",
    )
    return Write(lease, f"HL-{number}", {}, {}, "")
