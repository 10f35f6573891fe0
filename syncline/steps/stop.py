"""Stopping a connection whose settings or credentials are wrong, until a person changes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Connection

from syncline.deliveries import leased
from syncline.deliveries.leases import Lease
from syncline.errors import Refused
from syncline.ledger import connections
from syncline.steps.parts import Line, Parts


def stop_connection(parts: Parts, line: Line, error: Refused, leases: Sequence[Lease] = ()) -> None:
    """Say why in the ledger, for `status`, and give back what was in hand."""

    def work(connection: Connection) -> None:
        leased.release(connection, leases, after=timedelta(seconds=1), why=error.what)
        connections.stop(connection, line.link, str(error))

    parts.ledger.run_patiently(work, sleep=parts.sleep)
